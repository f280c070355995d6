"""Use cases of connecting channels to platforms where people sign in (OAuth 2): the operator's app, the way there and
back, the choice of an account, and connecting a channel again."""

import contextlib
import logging
import secrets as random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from video_manager.domain.access import SYSTEM, Actor, Right
from video_manager.domain.channel import Channel
from video_manager.errors import (
    ActionRequiredError,
    Conflict,
    InvalidInput,
    NotFound,
    TooManyRequests,
    WorkError,
)  # fmt: skip
from video_manager.outbound import through
from video_manager.plugins.api import Account, OAuth, OAuthApp, Publisher, Token
from video_manager.ports import Clock, Op, Query, Where
from video_manager.publishing.access import oauth as standard
from video_manager.publishing.access.service import AccessService, app_owner
from video_manager.publishing.access.vault import Secrets
from video_manager.publishing.channels import Brought, ChannelService, NewChannel
from video_manager.publishing.connection import (
    AGREEING_TIME,
    CHOOSING_TIME,
    AppEdit,
    AppView,
    Connection,
    ConnectionState,
    FoundAccount,
    NewConnection,
    Reconnection,
    sha256_of,
)
from video_manager.publishing.platforms import Platforms
from video_manager.publishing.recording import Record, ignore_record
from video_manager.repository import Loaded, Repository, instant_text

MOST_OPEN = 20
"""Connections under way of one person."""
MOST_ACCOUNTS = 200
LONGEST_WORDS = 300
_SWEEP_BATCH = 200
_GONE = "this sign-in is not known here, was used before, or took longer than ten minutes: begin it again"

Resume = Callable[[Actor, str], Awaitable[None]]
"""Tries again what waited for a channel."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Comeback:
    """What the platform sent a person back with."""

    state: str
    code: str | None = None
    error: str | None = None
    error_description: str | None = None


@dataclass(frozen=True)
class _Kind:
    """A platform where people sign in."""

    publisher: type[Publisher[Any]]
    oauth: OAuth


class ConnectingService:
    """`gateway` is where all calls to platforms go instead, also those of a person's browser."""

    def __init__(
        self, connections: Repository[Connection], channels: ChannelService, platforms: Platforms,
        access: AccessService, clock: Clock, *, base_url: str, gateway: str | None, resume: Resume,
        record: Record = ignore_record,
    ) -> None:  # fmt: skip
        self._connections = connections
        self._channels = channels
        self._platforms = platforms
        self._access = access
        self._clock = clock
        self._base_url = base_url
        self._gateway = gateway
        self._resume = resume
        self._record = record

    # ---- the operator's app ---------------------------------------------------------------------------------

    async def app(self, actor: Actor, platform: str) -> AppView:
        """Raises NotFound for a platform that knows no sign-in."""
        actor.require(Right.CHANNELS)
        kind = self._kind(platform)
        kept = (await self._access.vault.get(app_owner(platform))).options
        return AppView(
            platform=platform, title=kind.publisher.title, client_id=kept.get("client_id"), registered=bool(kept),
            redirect_url=self.redirect_url(platform), scopes=list(kind.oauth.scopes), guide=kind.publisher.guide,
        )  # fmt: skip

    async def edit_app(self, actor: Actor, platform: str, edit: AppEdit) -> AppView:
        actor.require(Right.ADMINISTER)
        self._kind(platform)
        vault, owner = self._access.vault, app_owner(platform)
        try:
            kept = (await vault.get(owner)).options
        except ActionRequiredError:
            kept = {}  # its key is gone: entering the app again is the way out
        secret = edit.client_secret.get_secret_value() if edit.client_secret else kept.get("client_secret")
        if secret is None:
            raise InvalidInput.field("client_secret", "is needed the first time")
        await vault.put(owner, Secrets({"client_id": edit.client_id, "client_secret": secret}), self._clock.now())
        await self._record(actor, "platform-app.change", platform, edit.client_id)
        return await self.app(actor, platform)

    def redirect_url(self, platform: str) -> str:
        return f"{self._base_url}/oauth/{platform}/callback"

    # ---- there and back ---------------------------------------------------------------------------------------

    async def begin(self, actor: Actor, id: str, platform: str, new: NewConnection) -> tuple[Connection, str]:
        """The connection and the address where the person agrees."""
        actor.require(Right.CHANNELS)
        kind, now = self._kind(platform), self._clock.now()
        app = await self._app(kind)
        await self._refuse_too_many(actor, now)
        name, options, kept = await self._wanted(platform, new)
        state, verifier = random.token_urlsafe(32), random.token_urlsafe(48) if kind.oauth.pkce else None
        connection = Connection(
            id=id, platform=platform, channel_id=new.channel_id, name=name, options=options,
            state_sha256=sha256_of(state), actor_id=actor.id, created_at=now, expires_at=now + AGREEING_TIME,
        )  # fmt: skip
        await self._access.vault.put(id, replace(kept, verifier=verifier), now)
        if not await self._connections.add_if_absent(connection):
            await self._connections.change(id, lambda _old: connection)  # the same request again: another state
        address = standard.authorize_address(
            kind.oauth, app, redirect_url=self.redirect_url(platform), state=state, verifier=verifier
        )
        return connection, str(through(self._gateway, address) if self._gateway else address)

    async def get(self, actor: Actor, id: str, platform: str | None = None) -> Connection:
        """Raises NotFound, also for somebody else's."""
        actor.require(Right.CHANNELS)
        found = await self._connections.get(id)
        if found is None or not found.value.is_of(actor) or platform not in (None, found.value.platform):
            raise NotFound("there is no such sign-in any more: begin it again")
        return found.value

    async def come_back(self, actor: Actor, platform: str, back: Comeback) -> Connection:
        """Take what the platform sent, once: exchange it, and find the accounts. What goes wrong is in the connection.
        Raises NotFound for a `state` that is not known, not this person's, or was used or is too old."""
        actor.require(Right.CHANNELS)
        found = await self._connections.first(Where("state_sha256", Op.EQ, sha256_of(back.state)))
        if found is None or found.value.platform != platform or not found.value.is_of(actor):
            raise NotFound(_GONE)
        now = self._clock.now()

        def take(connection: Connection) -> Connection:
            if connection.state_at(now) is not ConnectionState.WAITING:
                raise NotFound(_GONE)
            return connection.with_(state=ConnectionState.EXCHANGING)

        taken = (await self._connections.change(found.value.id, take)).value
        try:
            accounts = await self._accounts(taken, back)
        except WorkError as error:
            return await self._failed(taken, error.detail)
        except Exception as error:
            await self._failed(taken, "something went wrong here; the log of the system says what")
            raise error from None
        until = self._clock.now() + CHOOSING_TIME
        ready = await self._connections.change(
            taken.id, lambda it: it.with_(state=ConnectionState.READY, accounts=accounts, expires_at=until)
        )
        return ready.value

    async def _accounts(self, connection: Connection, back: Comeback) -> tuple[FoundAccount, ...]:
        kind = self._kind(connection.platform)
        title = kind.publisher.title
        if back.error is not None:
            raise ActionRequiredError(_denied(title, back))
        if not back.code:
            raise ActionRequiredError(f"{title} sent nothing back that could be exchanged: try again")
        now = self._clock.now()
        kept = await self._access.vault.get(connection.id)
        channel = await self._as_channel(connection)
        async with self._platforms.connected(channel, secrets=kept) as platform:
            token = await standard.exchanged(
                kind.oauth, await self._app(kind), self._access.transport, now, title, code=back.code,
                redirect_url=self.redirect_url(connection.platform), verifier=kept.verifier,
            )  # fmt: skip
            _require_scopes(kind, token)
            token = await platform.publisher.exchanged(token, platform.context)
            await self._access.vault.put(connection.id, replace(kept, verifier=None).with_token(token, now), now)
            found = (await platform.publisher.accounts(platform.options, platform.context))[:MOST_ACCOUNTS]
        if not found:
            raise ActionRequiredError(f"this {title} account has nothing that could be connected: look at its rights")
        if channel.account_id and channel.account_id not in [one.id for one in found]:
            names = ", ".join(one.name for one in found[:3])
            raise ActionRequiredError(
                f"you signed in as {names}, but this channel is {channel.account_name}: sign in with that account"
            )
        own = {one.id: one.token for one in found if one.token is not None}
        if own:
            held = await self._access.vault.get(connection.id)
            await self._access.vault.put(connection.id, replace(held, accounts=own), now)
        return tuple(FoundAccount(id=one.id, name=one.name, url=one.url, facts=dict(one.facts)) for one in found)

    async def _failed(self, connection: Connection, error: str) -> Connection:
        failed = await self._connections.change(
            connection.id, lambda it: it.with_(state=ConnectionState.FAILED, error=error)
        )
        await self._access.vault.remove(connection.id)
        return failed.value

    # ---- the choice ---------------------------------------------------------------------------------------------

    async def create_channel(self, actor: Actor, id: str, new: NewChannel) -> Loaded[Channel]:
        """A channel of an account that was found. The same id again gives the same channel."""
        actor.require(Right.CHANNELS)
        existing = await self._channels.existing(id)
        if existing is not None:
            return existing
        connection = await self._ready(actor, new.connection or "")
        if connection.platform != new.platform:
            raise InvalidInput.field("connection", f"is one to {connection.platform}")
        account = _chosen(connection, new.account_id)
        brought = await self._brought(connection, account)
        given = new.model_copy(update={"options": {**connection.options, **new.options}})
        made = await self._channels.create(actor, id, given, brought)
        await self._record(actor, "channel.connect", id, f"{connection.platform}: {account.name}")
        await self._forget(connection.id)
        return made

    async def reconnect(self, actor: Actor, channel_id: str, again: Reconnection) -> Loaded[Channel]:
        """The same account, newly agreed to: what waited goes on. Raises Conflict for another account."""
        actor.require(Right.CHANNELS)
        channel = (await self._channels.get(actor, channel_id)).value
        connection = await self._ready(actor, again.connection)
        if connection.platform != channel.platform:
            raise InvalidInput.field("connection", f"is one to {connection.platform}")
        found = next((one for one in connection.accounts if one.id == channel.account_id), None)
        if found is None:
            raise Conflict(
                f"the channel is {channel.account_name}, and this sign-in is another account: sign in with that one"
            )
        changed = await self._channels.reconnect(actor, channel_id, await self._brought(connection, found))
        await self._record(actor, "channel.reconnect", channel_id, f"{connection.platform}: {found.name}")
        if not changed.value.paused:
            await self._resume(actor, channel_id)
        await self._forget(connection.id)
        return changed

    async def _ready(self, actor: Actor, id: str) -> Connection:
        connection = await self.get(actor, id)
        state = connection.state_at(self._clock.now())
        if state is not ConnectionState.READY:
            raise Conflict(f"this sign-in is {state}, so there is no account to choose: begin it again")
        return connection

    async def _brought(self, connection: Connection, account: FoundAccount) -> Brought:
        held = await self._access.vault.get(connection.id)
        token = held.accounts.get(account.id, held.token)
        kept = Secrets(options=held.options, token=token, obtained_at=held.obtained_at)
        return Brought(Account(account.name, account.url, account.id, account.facts), kept)

    # ---- upkeep -------------------------------------------------------------------------------------------------

    async def sweep(self) -> int:
        """Remove what nobody went on with; how many."""
        over = Where("expires_at", Op.LE, instant_text(self._clock.now() - CHOOSING_TIME))
        found = await self._connections.find(Query((over,), order_by="expires_at", limit=_SWEEP_BATCH))
        for loaded in found:
            await self._forget(loaded.value.id)
        return len(found)

    async def is_under_way(self, id: str) -> bool:
        return await self._connections.get(id) is not None

    async def _forget(self, id: str) -> None:
        await self._access.vault.remove(id)
        await self._connections.remove(id)

    # ---- parts --------------------------------------------------------------------------------------------------

    def _kind(self, platform: str) -> _Kind:
        try:
            publisher = self._platforms.kind(platform)
        except InvalidInput as error:
            raise NotFound(error.detail) from error
        if publisher.oauth is None:
            raise NotFound(f"nobody signs in to {publisher.title}: its options are enough (POST /channels)")
        return _Kind(publisher, publisher.oauth)

    async def _app(self, kind: _Kind) -> OAuthApp:
        try:
            return (await self._access.of(kind.publisher, app_owner(kind.publisher.name))).app
        except ActionRequiredError as error:
            raise Conflict(error.detail) from error

    async def _refuse_too_many(self, actor: Actor, now: datetime) -> None:
        open_ones = await self._connections.count(
            Where("actor_id", Op.EQ, actor.id), Where("expires_at", Op.GT, instant_text(now))
        )
        if open_ones >= MOST_OPEN:
            raise TooManyRequests(f"{open_ones} sign-ins of yours are under way: finish one, or wait ten minutes")

    async def _wanted(self, platform: str, new: NewConnection) -> tuple[str, dict[str, Any], Secrets]:
        """Name, options and secret options of the channel that is to be."""
        if new.channel_id is None:
            options, secrets = await self._channels.split_options(platform, new.options, Secrets())
            return new.name, options, secrets
        channel = (await self._channels.get(SYSTEM, new.channel_id)).value
        if channel.platform != platform:
            raise InvalidInput.field("channel_id", f"is a channel of {channel.platform}")
        with contextlib.suppress(ActionRequiredError):  # its key is gone: then its options are entered again
            return channel.name, channel.options, Secrets((await self._access.vault.get(channel.id)).options)
        options, secrets = await self._channels.split_options(platform, {**channel.options, **new.options}, Secrets())
        return channel.name, options, secrets

    async def _as_channel(self, connection: Connection) -> Channel:
        """As the publisher's context wants one; its token is looked for under the connection's id."""
        account: Mapping[str, Any] = {}
        if connection.channel_id is not None:
            channel = (await self._channels.get(SYSTEM, connection.channel_id)).value
            account = channel.model_dump(include={"account_id", "account_name", "account_url", "account"})
        return Channel(
            id=connection.id, name=connection.name, platform=connection.platform, options=connection.options,
            created_by=connection.actor_id, created_at=connection.created_at, updated_at=connection.created_at,
            **account,
        )  # fmt: skip


def _chosen(connection: Connection, account_id: str | None) -> FoundAccount:
    if account_id is None and len(connection.accounts) == 1:
        return connection.accounts[0]
    found = next((one for one in connection.accounts if one.id == account_id), None)
    if found is None:
        known = ", ".join(one.id for one in connection.accounts)
        raise InvalidInput.field("account_id", f"must be one of the accounts that were found: {known}")
    return found


def _denied(title: str, back: Comeback) -> str:
    if back.error == "access_denied":
        return f"access was not granted at {title}: connect again and agree"
    words = " ".join(f"{back.error} {back.error_description or ''}".split())[:LONGEST_WORDS]
    return f"{title} refused: {words}"


def _require_scopes(kind: _Kind, token: Token) -> None:
    """A platform that names no scopes granted those that were asked for (RFC 6749, 5.1)."""
    missing = [scope for scope in kind.oauth.needed if token.scopes and scope not in token.scopes]
    if missing:
        raise ActionRequiredError(
            f"{kind.publisher.title} was not allowed everything that is needed; missing: {', '.join(missing)}. Connect "
            "again and leave all boxes ticked"
        )
