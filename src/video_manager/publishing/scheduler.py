"""The schedule: starts what is due, asks about what is in doubt, and sees which workers have died.

Any number of schedulers may run: claims are compare-and-set, and questions change nothing on the platform.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

from video_manager.domain import publication as rules
from video_manager.domain.channel import Channel
from video_manager.domain.publication import Publication
from video_manager.errors import InvalidTransition
from video_manager.lease_watch import LeaseWatch
from video_manager.ports import Clock
from video_manager.publishing.asker import Asker
from video_manager.publishing.channels import ChannelService
from video_manager.publishing.ledger import Due, Ledger
from video_manager.publishing.planning import Planner
from video_manager.publishing.rules import PublishingRules
from video_manager.publishing.uploader import Checkpoint, Running, Uploader, ignore_checkpoint
from video_manager.tasks import end_tasks, pause

HAND_OVER_AHEAD = timedelta(days=30)
"""How long before its time a platform may be given a publication, where it takes it so early."""

log = logging.getLogger(__name__)


class Scheduler:
    def __init__(
        self, ledger: Ledger, channels: ChannelService, planner: Planner, uploader: Uploader, asker: Asker,
        clock: Clock, settings: PublishingRules, checkpoint: Checkpoint = ignore_checkpoint, worker: str | None = None,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._channels = channels
        self._planner = planner
        self._uploader = uploader
        self._asker = asker
        self._clock = clock
        self._settings = settings
        self._checkpoint = checkpoint
        self._worker = worker or f"{socket.gethostname()}:{os.getpid()}"
        self._leases = LeaseWatch(settings.lease_seconds, clock)
        self._leases_at = float("-inf")
        self._staged_at = float("-inf")
        self._handed_at = float("-inf")
        self._uploads: dict[str, asyncio.Task[None]] = {}
        self._questions: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, Running] = {}
        self._woken = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    # ---- start and stop -------------------------------------------------------------------------------------

    async def void_leases(self) -> None:
        """The only process there is was started anew: every attempt that looks alive is dead."""
        for loaded in await self._ledger.uploading():
            await self._expire(loaded.value, max_crashes=None)

    async def start(self) -> None:
        self._loop = asyncio.create_task(self._run(), name="publishing schedule")

    async def stop(self) -> None:
        """Start nothing more. What is not armed is handed back; a publishing call may end within the grace time, and
        after it the lease is left to run out."""
        if self._loop is not None:
            await end_tasks([self._loop])
            self._loop = None
        for id, task in self._uploads.items():
            if not self._running[id].armed:
                task.cancel()
        for question in self._questions.values():
            question.cancel()
        waiting = [*self._uploads.values(), *self._questions.values()]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=self._settings.grace_seconds)
            for task in late:
                log.warning(
                    "%s did not end within the grace time; it is asked about after the next start", task.get_name()
                )

    def wake(self) -> None:
        """Look at once: something has just become due."""
        self._woken.set()

    async def _run(self) -> None:
        realigned = False
        while True:
            try:
                if not realigned:
                    await self._planner.realign()
                    realigned = True
                await self.tick()
            except Exception as error:
                log.warning("the schedule could not be looked at: %s", error, exc_info=error)
            await pause(self._clock, self._settings.tick_seconds, self._woken)
            self._woken.clear()

    # ---- one look ---------------------------------------------------------------------------------------------

    async def tick(self) -> None:
        """Look once, and start what is to be done."""
        await self._watch_leases()
        due = await self._ledger.due()
        await self._start_uploads(due)
        for loaded in await due.questions():
            if loaded.value.id not in self._questions:
                self._spawn(self._questions, loaded.value.id, self._asker.run(loaded.value))
        await self._start_handing_over()
        await self._start_staging()

    async def overdue_since(self) -> datetime | None:
        """The time of what has been due longest, by the ledger and not by what this process believes."""
        channels, due = await self._channels.running(), await self._ledger.due()
        waiting = [*await due.uploads(list(channels), 1), *await due.questions(1)]
        return min((loaded.value.due_at for loaded in waiting if loaded.value.due_at is not None), default=None)

    async def settle(self) -> None:
        """Wait until everything that was started has ended."""
        while tasks := [*self._uploads.values(), *self._questions.values()]:
            await asyncio.wait(tasks)
            await asyncio.sleep(0)

    async def _start_uploads(self, due: Due) -> None:
        if self._free < 1 or not due.may_have_uploads:
            return
        channels = await self._channels.running()
        for loaded in await due.uploads(list(channels), self._free):
            publication = loaded.value
            if publication.id in self._uploads:
                continue
            channel = channels[publication.content.channel_id]
            if rules.is_early(publication, self._clock.now()):
                # Another try to upload it ahead of its time.
                await self._claim(publication, channel, hand_over=await self._hands_over(publication, channel))
                continue
            try:
                if not await self._planner.admits(publication, channel):
                    self._woken.set()  # it has another time now, and others may stand behind it
                    continue
            except InvalidTransition:
                continue  # a person moved it
            await self._claim(publication, channel)

    async def _claim(
        self, publication: Publication, channel: Channel, early: timedelta = timedelta(0), *, hand_over: bool = False
    ) -> None:
        """Without effect when another scheduler was faster, or a person moved it."""
        try:
            claimed = (
                await self._ledger.move(
                    publication.id, lambda it: rules.claim(it, self._worker, self._clock.now(), early)
                )
            ).value
        except InvalidTransition:
            return
        self._checkpoint("claimed")
        running = Running(claimed, claimed.attempts[-1].number, hand_over)
        self._running[claimed.id] = running
        self._spawn(self._uploads, claimed.id, self._uploader.run(running, channel))

    async def _start_handing_over(self) -> None:
        """Upload what the channel's platform is to publish by itself. Where there are several, one slot stays free for
        what is due now."""
        now, spare = self._clock.monotonic(), min(1, self._settings.slots - 1)
        if now - self._handed_at < self._settings.renew_seconds or self._free <= spare:
            return
        self._handed_at = now
        channels = {id: one for id, one in (await self._channels.running()).items() if one.schedule.hand_over}
        for publication in await self._ledger.keeps_time(list(channels), self._clock.now() + HAND_OVER_AHEAD):
            if publication.id in self._uploads or self._free <= spare:
                continue
            channel = channels[publication.content.channel_id]
            if await self._hands_over(publication, channel):
                await self._claim(publication, channel, HAND_OVER_AHEAD, hand_over=True)

    async def _hands_over(self, publication: Publication, channel: Channel) -> bool:
        """Whether the platform is to keep the time, which is then kept free in the channel's timetable."""
        at = publication.publish_at
        return (
            at is not None and self._channels.hands_over(channel, at) and await self._planner.hold(publication, channel)
        )

    async def _start_staging(self) -> None:
        """Upload what is due soon, where the platform keeps it unpublished; what is due now goes first."""
        ahead, now = self._settings.stage_ahead_seconds, self._clock.monotonic()
        if not ahead or now - self._staged_at < self._settings.renew_seconds or self._free < 1:
            return
        self._staged_at = now
        soon = await self._ledger.due_soon(self._clock.now() + timedelta(seconds=ahead))
        channels = await self._channels.running() if soon else {}
        for publication in (loaded.value for loaded in soon):
            channel = channels.get(publication.content.channel_id)
            if channel is None or publication.id in self._uploads or self._free < 1:
                continue
            early = min(timedelta(hours=self._channels.keeps_hours(channel) / 2), timedelta(seconds=ahead))
            if publication.due_at is not None and publication.due_at <= self._clock.now() + early:
                await self._claim(publication, channel, early)

    @property
    def _free(self) -> int:
        return self._settings.slots - len(self._uploads)

    async def _watch_leases(self) -> None:
        now = self._clock.monotonic()
        if now - self._leases_at < self._settings.renew_seconds:
            return
        self._leases_at = now
        uploading = {loaded.value.id: loaded.value for loaded in await self._ledger.uploading()}
        attempts = {id: publication.attempts[-1] for id, publication in uploading.items()}
        marks = {id: (attempt.number, attempt.renewals) for id, attempt in attempts.items()}
        for id in self._leases.expired(marks):
            log.warning("the worker of publication %s fell silent", id)
            await self._expire(uploading[id], self._settings.max_crashes)

    async def _expire(self, publication: Publication, max_crashes: int | None) -> None:
        attempt, now = publication.attempts[-1], self._clock.now()
        await self._ledger.move(
            publication.id, lambda it: rules.expire(it, attempt.number, attempt.renewals, max_crashes, now)
        )

    def _spawn(self, tasks: dict[str, asyncio.Task[None]], id: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"publication {id}")
        tasks[id] = task

        def ended(done: asyncio.Task[None]) -> None:
            tasks.pop(id, None)
            if tasks is self._uploads:
                self._running.pop(id, None)
            if not done.cancelled() and (error := done.exception()) is not None:
                # Still due: looking again at once would go on and on while a store takes no writes.
                log.warning("work on publication %s ended early: %s", id, error, exc_info=error)
            else:
                self._woken.set()

        task.add_done_callback(ended)
