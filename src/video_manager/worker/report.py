"""Tells the job desk how an attempt ended, until it is heard."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain, repeat

from video_manager.domain.job import Job, JobResult
from video_manager.errors import LeaseLost, StorageFull
from video_manager.ports import Clock, FileStore, JobDesk
from video_manager.tasks import pause
from video_manager.worker.files import discard

_log = logging.getLogger(__name__)

_DELAYS_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
_LONGEST_DELAY_SECONDS = 15.0
_HURRY_DELAY_SECONDS = 1.0

PATIENCE_SECONDS = 1800.0
"""How long an end waits for a store that is gone: a result may be an hour's work. The lease is renewed meanwhile, as
far as it can be; if somebody else has the job by then, the report is refused."""


HURRY_SECONDS = 10.0
"""How long it is still tried after a shutdown has begun; the last try may take the store's own time for an answer."""


class Report:
    """Saying the same end twice is harmless; an attempt that is no longer the current one is refused, and its files
    are removed."""

    def __init__(self, desk: JobDesk, files: FileStore, clock: Clock) -> None:
        self._desk = desk
        self._files = files
        self._clock = clock
        self._hurrying = asyncio.Event()
        self._hurry_until = float("inf")

    def hurry(self) -> None:
        """A shutdown: from now on nothing is tried for longer than HURRY_SECONDS."""
        self._hurry_until = self._clock.monotonic() + HURRY_SECONDS
        self._hurrying.set()

    async def finish(self, job: Job, result: JobResult) -> None:
        if not await self._tell(job, lambda: self._desk.finish(job.id, job.attempt, result)):
            await discard(self._files, [file.id for file in result.files])

    async def fail(self, job: Job, text: str) -> None:
        await self._tell(job, lambda: self._desk.fail(job.id, job.attempt, text))

    async def give_back(self, job: Job, *, failed: bool = False) -> None:
        await self._tell(job, lambda: self._desk.give_back(job.id, job.attempt, failed=failed))

    async def _tell(self, job: Job, call: Callable[[], Awaitable[None]]) -> bool:
        """False when the attempt was surely refused. After a lost answer a refusal may be the echo of our own success,
        so nothing is removed then; the sweeper finds what nobody names."""
        answer_lost = False
        for delay in self._delays():
            try:
                await call()
            except LeaseLost as error:
                _log.info("job %s: attempt %d is no longer wanted: %s", job.id, job.attempt, error.detail)
                return answer_lost
            except Exception as error:
                answer_lost = answer_lost or not isinstance(error, StorageFull)
                if delay is None:
                    raise
                _log.warning("job %s: its end could not be reported, trying again: %s", job.id, error)
                await self._pause(delay)
            else:
                break
        return True

    async def _pause(self, seconds: float) -> None:
        if self._hurrying.is_set():
            await self._clock.sleep(min(seconds, _HURRY_DELAY_SECONDS))
        else:
            await pause(self._clock, seconds, self._hurrying)

    def _delays(self) -> Iterator[float | None]:
        """Seconds until the next try; None after the last."""
        patient_until = self._clock.monotonic() + PATIENCE_SECONDS
        for delay in chain(_DELAYS_SECONDS, repeat(_LONGEST_DELAY_SECONDS)):
            if self._clock.monotonic() >= min(patient_until, self._hurry_until):
                break
            yield delay
        yield None
