"""The secrets of channels (and of connections under way, and of apps): one encrypted document for each owner."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from video_manager.domain.model import Frozen, Instant
from video_manager.plugins.api import Token
from video_manager.ports import CollectionSpec, Query
from video_manager.publishing.access.keyring import Keyring
from video_manager.repository import Loaded, Repository

CREDENTIALS = CollectionSpec("credentials", indexed=("renew_at", "key"))


class Credential(Frozen):
    """`sealed` holds the Secrets. The rest is what has to be known without opening it."""

    id: str
    sealed: str
    key: str
    """Which key encrypted it (Keyring.newest)."""
    renew_at: Instant | None = None
    """When the token is to be renewed, used or not."""
    renewer: str = ""
    """Who renews the token now; empty: nobody."""
    renewals: int = 0
    updated_at: Instant


@dataclass(frozen=True)
class Secrets:
    """`options` are the channel's options that are secret, by name."""

    options: Mapping[str, str] = field(default_factory=dict)
    token: Token | None = None
    obtained_at: datetime | None = None

    def with_token(self, token: Token, now: datetime) -> "Secrets":
        return replace(self, token=token, obtained_at=now)


class Vault:
    def __init__(self, credentials: Repository[Credential], keyring: Keyring) -> None:
        self._credentials = credentials
        self._keyring = keyring

    async def get(self, owner: str) -> Secrets:
        """Empty ones when nothing is kept. Raises ActionRequiredError when it cannot be opened."""
        loaded = await self._credentials.get(owner)
        return Secrets() if loaded is None else self.opened(loaded.value)

    async def load(self, owner: str) -> Loaded[Credential] | None:
        return await self._credentials.get(owner)

    async def put(self, owner: str, secrets: Secrets, now: datetime) -> None:
        """Replaces what was kept; a renewal under way elsewhere loses its turn."""
        new = self.sealed(owner, secrets, now)
        if not await self._credentials.add_if_absent(new):
            await self._credentials.change(owner, lambda old: new.with_(renewals=old.renewals + 1))

    async def change(self, owner: str, decide: Any) -> Loaded[Credential]:
        return await self._credentials.change(owner, decide)

    async def remove(self, owner: str) -> None:
        await self._credentials.remove(owner)

    async def due(self, query: Query) -> list[Loaded[Credential]]:
        return await self._credentials.find(query)

    def opened(self, credential: Credential) -> Secrets:
        content = self._keyring.open(credential.id, credential.sealed)
        token = content["token"]
        return Secrets(
            options=content["options"],
            token=None if token is None else _token(token),
            obtained_at=_instant(content["obtained_at"]),
        )

    def sealed(self, owner: str, secrets: Secrets, now: datetime) -> Credential:
        token = None if secrets.token is None else asdict(secrets.token)
        content = {"options": dict(secrets.options), "token": token, "obtained_at": secrets.obtained_at}
        plain = _jsonable(content)
        return Credential(
            id=owner, sealed=self._keyring.seal(owner, plain), key=self._keyring.newest,
            renew_at=renew_at(secrets), updated_at=now,
        )  # fmt: skip


def renew_at(secrets: Secrets) -> datetime | None:
    """At four fifths of the token's life: early enough to try a few times. None: it needs none."""
    token = secrets.token
    if token is None or token.expires_at is None or secrets.obtained_at is None:
        return None
    return secrets.obtained_at + (token.expires_at - secrets.obtained_at) * 0.8


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _jsonable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _token(content: Mapping[str, Any]) -> Token:
    return Token(
        access=content["access"], expires_at=_instant(content["expires_at"]), refresh=content["refresh"],
        refresh_expires_at=_instant(content["refresh_expires_at"]), scopes=tuple(content["scopes"]),
    )  # fmt: skip


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
