"""Keeps channels signed in while nothing is published: renews tokens whose time has come, tells people of an end that
only they can move, and removes what nobody needs any more."""

import asyncio
import logging
from datetime import timedelta

from video_manager.domain.channel import Channel
from video_manager.errors import ActionRequiredError, InvalidInput, RetryableError
from video_manager.ports import Clock, Op, Query, Where
from video_manager.publishing.access.apps import is_app
from video_manager.publishing.access.vault import Credential, Vault
from video_manager.publishing.asked_once import AskedOnce
from video_manager.publishing.channels import ChannelService
from video_manager.publishing.connecting import ConnectingService
from video_manager.publishing.platforms import Platforms
from video_manager.repository import Loaded, instant_text
from video_manager.tasks import end_tasks

TICK_SECONDS = 15.0
SWEEP_SECONDS = 3600.0
ORPHAN_AGE = timedelta(days=1)
_BATCH = 100

log = logging.getLogger(__name__)


class Keeper:
    """Any number may run: a token is renewed by one of them."""

    def __init__(
        self, vault: Vault, channels: ChannelService, platforms: Platforms, connecting: ConnectingService,
        asked_once: AskedOnce, clock: Clock,
    ) -> None:  # fmt: skip
        self._vault = vault
        self._channels = channels
        self._platforms = platforms
        self._connecting = connecting
        self._asked_once = asked_once
        self._clock = clock
        self._swept_at = float("-inf")
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._loop = asyncio.create_task(self._run(), name="keeper of tokens")

    async def stop(self) -> None:
        if self._loop is not None:
            await end_tasks([self._loop])
            self._loop = None

    async def _run(self) -> None:
        while True:
            try:
                await self.tick()
            except Exception as error:
                log.warning("tokens could not be looked at: %s", error, exc_info=error)
            await self._clock.sleep(TICK_SECONDS)

    async def tick(self) -> None:
        """Look once."""
        for loaded in await self._due("renew_at"):
            await self._renew(loaded.value)
        for loaded in await self._due("warn_at"):
            await self._warn(loaded.value)
        await self._asked_once.look()
        if self._clock.monotonic() - self._swept_at >= SWEEP_SECONDS:
            await self.sweep()
            # Afterwards: a sweep that failed is tried again at the next look.
            self._swept_at = self._clock.monotonic()

    async def _due(self, field: str) -> list[Loaded[Credential]]:
        """A missing time sorts before all texts, in both stores."""
        now = instant_text(self._clock.now())
        where = (Where(field, Op.GT, ""), Where(field, Op.LE, now))
        return await self._vault.find(Query(where, order_by=field, limit=_BATCH))

    async def _renew(self, credential: Credential) -> None:
        channel = await self._channel(credential.id)
        if channel is None:
            await self._leave(credential.id)
            return
        try:
            async with self._platforms.connected(channel) as platform:
                await platform.context.token()
        except ActionRequiredError as error:
            await self._channels.pause_for(channel.id, error.detail)
            await self._leave(credential.id)
        except RetryableError as error:
            log.info("the token of channel %r is renewed later: %s", channel.name, error.detail)

    async def _leave(self, owner: str) -> None:
        """Nothing to renew until a person connects again."""
        await self._vault.change(owner, lambda it: it.with_(renew_at=None))

    async def _warn(self, credential: Credential) -> None:
        """The event first: told twice after a crash in between is better than never."""
        channel, end = await self._channel(credential.id), credential.ends_at
        if channel is not None and end is not None and self._is_signed_in_to(channel) and not channel.paused:
            text = (
                f"The access to {channel.account_name} ends on {end:%Y-%m-%d %H:%M} UTC, and only you can renew it: "
                "connect the channel again before then"
            )
            await self._channels.tell(channel.id, text)
        await self._vault.change(credential.id, lambda it: it.with_(warn_at=None))

    def _is_signed_in_to(self, channel: Channel) -> bool:
        """Others sign in by themselves, with the options that are kept."""
        try:
            return self._platforms.kind(channel.platform).oauth is not None
        except InvalidInput:
            return False

    async def _channel(self, id: str) -> Channel | None:
        """The channel whose secrets these are; None for those of an app, or of a connection under way."""
        found = await self._channels.existing(id)
        return found.value if found is not None and found.value.deleted_at is None else None

    async def sweep(self) -> int:
        """Remove sign-ins that nobody finished, and secrets of what was never saved; how many of these."""
        await self._connecting.sweep()
        old = Where("updated_at", Op.LE, instant_text(self._clock.now() - ORPHAN_AGE))
        removed, after = 0, None
        while found := await self._vault.find(Query((old,), order_by="updated_at", limit=_BATCH, after=after)):
            for loaded in found:
                id = loaded.value.id
                if is_app(id) or await self._connecting.is_under_way(id) or await self._channel(id) is not None:
                    continue
                await self._vault.remove(id)
                removed += 1
            after = (instant_text(found[-1].value.updated_at), found[-1].value.id)
        return removed
