"""A connection under way: a person was sent to a platform to agree, and comes back with an account to choose."""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from video_manager.domain.access import COMMAND_LINE, Actor
from video_manager.domain.model import Frozen, Instant
from video_manager.ports import CollectionSpec
from video_manager.publishing.access.comeback import Expected

CONNECTIONS = CollectionSpec("connections", indexed=("expires_at", "actor_id"), unique=("state_sha256",))
AGREEING_TIME = timedelta(minutes=10)
CHOOSING_TIME = timedelta(hours=1)


class ConnectionState(StrEnum):
    WAITING = "waiting"
    """The person is at the platform."""
    EXCHANGING = "exchanging"
    READY = "ready"
    """An account is to be chosen."""
    FAILED = "failed"
    EXPIRED = "expired"


class FoundAccount(Frozen):
    """One of the accounts that may be chosen."""

    id: str
    name: str
    url: str | None = None
    facts: dict[str, Any] = Field(default_factory=dict)


class Connection(Frozen):
    """`state_sha256`: of the `state` parameter, which only the platform and the person's browser carry. Its tokens are
    in the vault, under its id."""

    id: str
    platform: str
    channel_id: str | None = None
    """The channel that is connected again."""
    name: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    state: ConnectionState = ConnectionState.WAITING
    state_sha256: str
    address: str = ""
    """Where the person was sent; `issuer` and `issuer_named` say whose answer is waited for (see `Expected`)."""
    issuer: str = ""
    issuer_named: bool = False
    actor_id: str
    accounts: tuple[FoundAccount, ...] = ()
    error: str | None = None
    created_at: Instant
    expires_at: Instant

    def is_of(self, actor: Actor) -> bool:
        """Only who began it goes on with it; what the command line of this machine began, anybody who may."""
        return self.actor_id in (actor.id, COMMAND_LINE)

    @property
    def expected(self) -> Expected:
        return Expected(self.address, self.issuer, self.issuer_named)

    def state_at(self, now: datetime) -> ConnectionState:
        over = now >= self.expires_at and self.state is not ConnectionState.FAILED
        return ConnectionState.EXPIRED if over else self.state


def sha256_of(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


# ---- what people send and see ----------------------------------------------------------------------------------


class NewConnection(BaseModel):
    """`channel_id`: connect this channel again, with the options it has."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    options: dict[str, Any] = Field(default_factory=dict, description="As the platform's JSON Schema says.")
    name: str = Field("", max_length=120, description="What the channel is to be called.")
    channel_id: str | None = Field(None, max_length=100)


class Reconnection(BaseModel):
    model_config = ConfigDict(extra="forbid")

    connection: str = Field(max_length=100, description="A connection that is `ready`.")


class AppEdit(BaseModel):
    """What the operator registered at the platform. Without a secret the kept one stays."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    client_id: str = Field(min_length=1, max_length=500)
    client_secret: SecretStr | None = Field(None, min_length=1, max_length=2000)


class AppView(BaseModel):
    """`redirect_url` is to be registered at the platform exactly so. The secret is never shown. `automatic`: there is
    nothing to register, as the product does it at each server."""

    platform: str
    title: str
    automatic: bool
    client_id: str | None
    registered: bool
    redirect_url: str
    scopes: list[str]
    guide: str


class AccountView(BaseModel):
    id: str
    name: str
    url: str | None


class ConnectionView(BaseModel):
    id: str
    platform: str
    channel_id: str | None
    name: str
    options: dict[str, Any]
    state: ConnectionState
    accounts: list[AccountView]
    error: str | None
    expires_at: datetime


class BegunView(ConnectionView):
    """Open `authorize_url` in a browser within ten minutes; the platform sends it back to `redirect_url`."""

    authorize_url: str
    redirect_url: str


def connection_view(connection: Connection, now: datetime) -> ConnectionView:
    shown = connection.model_dump(include=set(ConnectionView.model_fields) - {"accounts", "state"})
    accounts = [AccountView(id=one.id, name=one.name, url=one.url) for one in connection.accounts]
    return ConnectionView(**shown, accounts=accounts, state=connection.state_at(now))
