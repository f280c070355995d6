"""Jobs that stand still: those whose worker died, and queued ones whose command was lost on its way."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from video_manager.domain import job as rules
from video_manager.domain.job import Job, JobState
from video_manager.lease_watch import LeaseWatch
from video_manager.manager.jobs import requeued, sent_again
from video_manager.ports import Clock, Op, Query, Where
from video_manager.repository import Change, Loaded, Repository, instant_text
from video_manager.tasks import end_tasks

log = logging.getLogger(__name__)

RESEND_LOOK_SECONDS = 60.0
RESEND_BATCH = 200

Depth = Callable[[], Awaitable[Mapping[str, int]]]
"""Waiting messages by queue: the bus's."""
AsksFor = Callable[[str], bool]
"""Whether the workers of this topic ask for their jobs instead of taking commands from a queue."""


@dataclass(frozen=True)
class LeaseSettings:
    """`lease_seconds` without a renewal end an attempt; `max_crashes` such ends at the same point fail the job.

    The command of a job that nobody claimed for `resend_seconds` is sent again when its queue is empty, so that it
    must have been lost; and after `resend_anyway_seconds` even if it is not.
    """

    lease_seconds: float = 30.0
    max_crashes: int = 8
    resend_seconds: float = 300.0
    resend_anyway_seconds: float = 3600.0


class LeaseObserver:
    """Any number of managers may run it: all it writes is compare-and-set on what it saw."""

    def __init__(
        self, jobs: Repository[Job], clock: Clock, settings: LeaseSettings, depth: Depth, asks_for: AsksFor
    ) -> None:
        self._jobs = jobs
        self._clock = clock
        self._settings = settings
        self._depth = depth
        self._asks_for = asks_for
        self._watch = LeaseWatch(settings.lease_seconds, clock)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._every(self._settings.lease_seconds / 6, self.look), name="lease observer"),
            asyncio.create_task(self._every(RESEND_LOOK_SECONDS, self.resend_lost), name="lost commands"),
        ]

    async def stop(self) -> None:
        await end_tasks(self._tasks)
        self._tasks = []

    async def _every(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        while True:
            await self._clock.sleep(seconds)
            try:
                await work()
            except Exception as error:
                log.warning("jobs could not be looked at, next time in %.0f s: %s", seconds, error, exc_info=error)

    async def void(self, lives_on: Callable[[Job], bool]) -> int:
        """Queue every claimed job again. Only where all workers lived in the process that ended, but for those of which
        `lives_on` says that they are elsewhere: they keep their jobs as long as they renew them."""
        now = self._clock.now()
        claimed = [loaded for loaded in await self._claimed() if not lives_on(loaded.value)]
        for loaded in claimed:
            await self._jobs.change(loaded.value.id, lambda job: requeued(job, rules.void_lease(job), now))
        return len(claimed)

    async def look(self) -> None:
        """One look at the claimed jobs: one whose lease ran out is queued again or failed."""
        jobs = {loaded.value.id: loaded.value for loaded in await self._claimed()}
        marks = {id: (job.attempt, job.renewals) for id, job in jobs.items()}
        for id in self._watch.expired(marks):
            log.warning("job %s: worker %s was silent for a whole lease", id, jobs[id].worker)
            await self._expire(id, *marks[id])

    async def _expire(self, job_id: str, attempt: int, renewals: int) -> None:
        now, limit = self._clock.now(), self._settings.max_crashes
        await self._jobs.change(
            job_id, lambda job: requeued(job, rules.expire_lease(job, attempt, renewals, limit, now), now)
        )

    async def resend_lost(self) -> int:
        """Send the commands of queued jobs again that nobody can have any more; how many.

        A person may have dropped one from the dead letters, or the broker was restored from a backup.
        """
        now = self._clock.now()
        overdue = self._waiting_since(now - timedelta(seconds=self._settings.resend_seconds))
        counted = [str(topic) for topic in await self._jobs.count_by("topic", *overdue)]
        topics = tuple(topic for topic in counted if not self._asks_for(topic))
        if not topics:
            return 0
        depth = await self._depth()
        empty = tuple(topic for topic in topics if not depth.get(topic))
        anyway = self._waiting_since(now - timedelta(seconds=self._settings.resend_anyway_seconds))
        lost: dict[str, Job] = {}
        for where in ((*overdue, Where("topic", Op.IN, empty)), (*anyway, Where("topic", Op.IN, topics))):
            found = await self._jobs.find(Query(where=where, order_by="queued_at", limit=RESEND_BATCH))
            lost |= {loaded.value.id: loaded.value for loaded in found}
        for job in lost.values():
            await self._resend(job)
        if lost:
            log.warning("sent the commands of %d jobs again that nobody had claimed for long", len(lost))
        return len(lost)

    async def _resend(self, seen: Job) -> None:
        now = self._clock.now()

        def decide(job: Job) -> Change[Job] | None:
            same = (job.state, job.paused, job.queued_at) == (JobState.QUEUED, False, seen.queued_at)
            return sent_again(job, now) if same else None

        await self._jobs.change(seen.id, decide)

    async def _claimed(self) -> list[Loaded[Job]]:
        return await self._jobs.find(Query(where=(Where("state", Op.EQ, JobState.CLAIMED),), limit=10_000))

    def _waiting_since(self, moment: datetime) -> tuple[Where, ...]:
        return (
            Where("state", Op.EQ, JobState.QUEUED),
            Where("paused", Op.EQ, value=False),
            Where("queued_at", Op.LT, instant_text(moment)),
        )
