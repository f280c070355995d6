"""Use cases of connecting channels to platforms where people sign in (OAuth 2): the operator's app, the way there and
back, the choice of an account, and connecting a channel again."""

import asyncio
import contextlib
import logging
import secrets as random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from video_manager.domain.access import SYSTEM, Actor, Right
from video_manager.domain.channel import Channel
from video_manager.errors import (
    ActionRequiredError,
    Conflict,
    InvalidInput,
    NotFound,
    RetryableError,
    TooManyRequests,
    WorkError,
)  # fmt: skip
from video_manager.outbound import through
from video_manager.plugins.api import Account, OAuth, OAuthApp, Publisher
from video_manager.ports import Clock, Op, Query, Where
from video_manager.publishing.access import oauth as standard
from video_manager.publishing.access.comeback import Comeback, denied, require_scopes
from video_manager.publishing.access.service import AccessService
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
from video_manager.publishing.platforms import Connected, Platforms
from video_manager.publishing.recording import Record, ignore_record
from video_manager.repository import Loaded, Repository, instant_text

MOST_OPEN = 20
"""Connections under way of one person."""
MOST_ACCOUNTS = 200
SERVER_SECONDS = 45.0
"""How long a server may take to say what it supports and to register the product's app."""
_SWEEP_BATCH = 200
_GONE = "this sign-in is not known here, was used before, or took longer than ten minutes: begin it again"

Resume = Callable[[Actor, str], Awaitable[None]]
"""Tries again what waited for a channel."""

log = logging.getLogger(__name__)


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
        publisher, way = self._kind(platform)
        kept = None if publisher.registers_apps else await self._access.apps.of_operator(platform)
        return AppView(
            platform=platform, title=publisher.title, automatic=publisher.registers_apps,
            client_id=kept.client_id if kept else None, registered=publisher.registers_apps or kept is not None,
            redirect_url=self.redirect_url(platform), scopes=list(way.scopes), guide=publisher.guide,
        )  # fmt: skip

    async def edit_app(self, actor: Actor, platform: str, edit: AppEdit) -> AppView:
        actor.require(Right.ADMINISTER)
        publisher, _ = self._kind(platform)
        if publisher.registers_apps:
            raise Conflict(
                f"there is no app to enter for {publisher.title}: one is registered by itself at each server"
            )
        secret = edit.client_secret.get_secret_value() if edit.client_secret else None
        await self._access.apps.enter(platform, edit.client_id, secret)
        await self._record(actor, "platform-app.change", platform, edit.client_id)
        return await self.app(actor, platform)

    def redirect_url(self, platform: str) -> str:
        return f"{self._base_url}/oauth/{platform}/callback"

    # ---- there and back ---------------------------------------------------------------------------------------

    async def begin(self, actor: Actor, id: str, platform: str, new: NewConnection) -> tuple[Connection, str]:
        """The connection and the address where the person agrees. Raises InvalidInput for a server where nobody can
        sign in, and Conflict while it does not answer or no app is entered."""
        actor.require(Right.CHANNELS)
        publisher, now = self._kind(platform)[0], self._clock.now()
        await self._refuse_too_many(actor, now)
        name, options, kept = await self._wanted(publisher, new)
        state = random.token_urlsafe(32)
        connection = Connection(
            id=id, platform=platform, channel_id=new.channel_id, name=name, options=options,
            state_sha256=sha256_of(state), actor_id=actor.id, created_at=now, expires_at=now + AGREEING_TIME,
        )  # fmt: skip
        way, app = await self._way(connection, kept)
        verifier = random.token_urlsafe(48) if way.pkce else None
        connection = connection.with_(address=way.authorize_url, issuer=way.issuer, issuer_named=way.names_issuer)
        # The code will be this app's, whichever is registered by then; the operator's may be mended meanwhile.
        own = app if publisher.registers_apps else None
        await self._access.vault.put(id, replace(kept, verifier=verifier, app=own), now)
        if not await self._connections.add_if_absent(connection):
            await self._connections.change(id, lambda _old: connection)  # the same request again: another state
        address = standard.authorize_address(
            way, app, redirect_url=self.redirect_url(platform), state=state, verifier=verifier
        )
        return connection, str(through(self._gateway, address) if self._gateway else address)

    async def _way(self, connection: Connection, kept: Secrets) -> tuple[OAuth, OAuthApp]:
        """How and as which app the person signs in."""
        channel, title = await self._as_channel(connection), self._kind(connection.platform)[0].title
        with _told(title):
            async with self._platforms.connected(channel, secrets=kept) as platform:
                return await self._way_at(platform)

    async def _way_at(self, platform: Connected) -> tuple[OAuth, OAuthApp]:
        publisher = platform.publisher
        if not publisher.registers_apps:
            return self._kind(publisher.name)[1], platform.context.app
        async with asyncio.timeout(SERVER_SECONDS):
            server = publisher.sign_in_server(platform.options, platform.context)
            way, back_to = await server.described(), self.redirect_url(publisher.name)
            return way, await self._access.apps.at_server(publisher.name, way.token_url, back_to, server)

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
        publisher, usual = self._kind(connection.platform)
        title = publisher.title
        connection.expected.require(title, back.iss)
        if back.error is not None:
            raise ActionRequiredError(denied(title, back))
        if not back.code:
            raise ActionRequiredError(f"{title} sent nothing back that could be exchanged: try again")
        now = self._clock.now()
        kept = await self._access.vault.get(connection.id)
        channel = await self._as_channel(connection)
        async with self._platforms.connected(channel, secrets=kept) as platform:
            way = platform.publisher.oauth_at(platform.options) or usual
            token = await standard.exchanged(
                way, platform.context.app, self._access.transport, now, title, code=back.code,
                redirect_url=self.redirect_url(connection.platform), verifier=kept.verifier,
            )  # fmt: skip
            require_scopes(title, way, token)
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
        _refuse_token(self._kind(new.platform)[0], new.options)
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
        kept = Secrets(options=held.options, token=token, obtained_at=held.obtained_at, app=held.app)
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

    def _kind(self, platform: str) -> tuple[type[Publisher[Any]], OAuth]:
        """A platform where people sign in."""
        try:
            publisher = self._platforms.kind(platform)
        except InvalidInput as error:
            raise NotFound(error.detail) from error
        if publisher.oauth is None:
            raise NotFound(f"nobody signs in to {publisher.title}: its options are enough (POST /channels)")
        return publisher, publisher.oauth

    async def _refuse_too_many(self, actor: Actor, now: datetime) -> None:
        open_ones = await self._connections.count(
            Where("actor_id", Op.EQ, actor.id), Where("expires_at", Op.GT, instant_text(now))
        )
        if open_ones >= MOST_OPEN:
            raise TooManyRequests(f"{open_ones} sign-ins of yours are under way: finish one, or wait ten minutes")

    async def _wanted(
        self, publisher: type[Publisher[Any]], new: NewConnection
    ) -> tuple[str, dict[str, Any], Secrets]:  # fmt: skip
        """Name, options and secret options of the channel that is to be; a token made by hand is none of them, as the
        person signs in instead."""
        platform, by_hand = publisher.name, publisher.token_option
        _refuse_token(publisher, new.options)
        if new.channel_id is None:
            options, secrets = await self._channels.split_options(platform, new.options, Secrets())
            return new.name, options, secrets
        channel = (await self._channels.get(SYSTEM, new.channel_id)).value
        if channel.platform != platform:
            raise InvalidInput.field("channel_id", f"is a channel of {channel.platform}")
        with contextlib.suppress(ActionRequiredError):  # its key is gone: then its options are entered again
            kept = (await self._access.vault.get(channel.id)).options
            return channel.name, channel.options, Secrets({name: kept[name] for name in kept if name != by_hand})
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


@contextlib.contextmanager
def _told(title: str) -> Iterator[None]:
    """What goes wrong before the person is sent away, as an answer to them."""
    try:
        yield
    except (RetryableError, TimeoutError) as error:
        words = getattr(error, "detail", "it took too long")
        raise Conflict(f"{title} does not answer now ({words}): try again later") from error
    except ActionRequiredError as error:
        raise Conflict(error.detail) from error
    except WorkError as error:
        raise InvalidInput.field("options", error.detail) from error


def _refuse_token(publisher: type[Publisher[Any]], options: Mapping[str, Any]) -> None:
    """A token made by hand and one of a sign-in would be two answers to whose channel it is."""
    name = publisher.token_option
    if name and options.get(name):
        raise InvalidInput.field(f"options.{name}", "is for connecting without signing in: leave it empty here")


def _chosen(connection: Connection, account_id: str | None) -> FoundAccount:
    if account_id is None and len(connection.accounts) == 1:
        return connection.accounts[0]
    found = next((one for one in connection.accounts if one.id == account_id), None)
    if found is None:
        known = ", ".join(one.id for one in connection.accounts)
        raise InvalidInput.field("account_id", f"must be one of the accounts that were found: {known}")
    return found
