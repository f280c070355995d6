"""Takes jobs from their queues and runs them beside the queue, never inside a delivery.

A command is acknowledged as soon as its job is claimed; from then on the lease, renewed with the job's progress,
says that the work lives. While all slots are busy the queues are paused.
"""

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from video_manager.contracts.envelope import Envelope, envelope
from video_manager.contracts.events import JobProgress
from video_manager.domain.job import Job, JobResult
from video_manager.errors import LeaseLost, RetryableError, StorageFull, Unavailable, VideoManagerError
from video_manager.ports import Clock, Consumer, FileStore, JobDesk, MessageBus, ProgressCallback, Subscription
from video_manager.tasks import end_tasks
from video_manager.worker.attempt import Attempt, Stop, failure_text
from video_manager.worker.files import discard
from video_manager.worker.folders import WorkFolders
from video_manager.worker.report import Report
from video_manager.worker.slots import Slots

_log = logging.getLogger(__name__)

Work = Callable[[Job, Path, ProgressCallback], Awaitable[JobResult]]
"""Does one job in an empty folder and returns its result; raises our errors."""

_LONGEST_RETRY_DELAY_SECONDS = 30.0


@dataclass(frozen=True)
class WorkerSettings:
    """`renew_seconds` between renewals of a lease, `hint_seconds` between progress hints. `patience_seconds` is how
    long a command may wait for a slot before its job goes back (below a broker's consumer timeout)."""

    renew_seconds: float = 2.0
    hint_seconds: float = 0.25
    grace_seconds: float = 10.0
    timeout_seconds: float = 7200.0
    patience_seconds: float = 600.0
    tries: int = 3


class Worker:
    """Runs `work` for every job it claims. `name` says in jobs and logs which worker it was."""

    def __init__(
        self, name: str, work: Work, *, desk: JobDesk, files: FileStore, bus: MessageBus, clock: Clock,
        work_root: Path, slots: int, settings: WorkerSettings,
    ) -> None:  # fmt: skip
        self._name = name
        self._work = work
        self._desk = desk
        self._files = files
        self._bus = bus
        self._clock = clock
        self._report = Report(desk, files, clock)
        self._folders = WorkFolders(work_root)
        self._slots = Slots(slots)
        self._settings = settings
        self._consumers: list[Consumer] = []
        self._taking = True
        self._flow = asyncio.Lock()
        self._stopping = False
        self._attempts: dict[tuple[str, int], Attempt] = {}

    @property
    def running(self) -> int:
        return len(self._attempts)

    # ---- taking work --------------------------------------------------------------------------------------

    async def start(self, subscriptions: Sequence[Subscription]) -> None:
        """Remove what a killed worker left, then listen."""
        await self._folders.sweep()
        for subscription in subscriptions:
            consumer = await self._bus.consume(subscription)
            self._consumers.append(consumer)
            if not self._taking:
                await consumer.pause()

    async def take(self, job_id: str, command: Envelope) -> None:
        """Claim the job and start it. Returns when it runs, or when it is not to be had."""
        got_slot = await self._slots.take(self._settings.patience_seconds)
        try:
            job = await self._desk.claim(job_id, self._name)
        except BaseException:
            if got_slot:
                self._slots.release()
            raise
        if job is None:
            if got_slot:
                self._slots.release()
        elif not got_slot or self._stopping:
            _log.info("job %s goes back to its queue: no free slot, or a shutdown", job_id)
            if got_slot:
                self._slots.release()
            await self._desk.give_back(job_id, job.attempt)
        else:
            attempt = Attempt(job, command)
            self._attempts[attempt.key] = attempt
            attempt.task = asyncio.create_task(self._run(attempt), name=f"job {job.id}")
        await self._settle()

    def cancel(self, job_id: str, attempt: int) -> None:
        """The job was cancelled: stop its work at once."""
        for (id, number), running in self._attempts.items():
            if id == job_id and number <= attempt:
                running.stop(Stop.LOST)

    async def stop(self) -> None:
        """Take no more work, let the running work end within the grace time, give the rest back."""
        self._stopping = True
        self._report.hurry()
        self._slots.close()
        await self._settle()
        tasks = [attempt.task for attempt in self._attempts.values() if attempt.task is not None]
        if not tasks:
            return
        await asyncio.wait(tasks, timeout=self._settings.grace_seconds)
        for attempt in list(self._attempts.values()):
            attempt.stop(Stop.SHUTDOWN)
        await asyncio.wait(tasks)

    async def _settle(self) -> None:
        """Listen exactly while a slot is free."""
        async with self._flow:
            taking = self._slots.free > 0 and not self._stopping
            if taking == self._taking:
                return
            self._taking = taking
            for consumer in self._consumers:
                await (consumer.resume() if taking else consumer.pause())

    # ---- one attempt --------------------------------------------------------------------------------------

    async def _run(self, attempt: Attempt) -> None:
        job = attempt.job
        beat = asyncio.create_task(self._keep_lease(attempt))
        try:
            await self._work_on(attempt)
            await self._end(attempt)
        except Exception:  # noqa: BLE001 - the lease tells the manager, and this worker goes on with other jobs
            _log.exception("job %s: attempt %d ended without a word; its lease will run out", job.id, job.attempt)
        finally:
            await end_tasks([beat])
            del self._attempts[attempt.key]
            self._slots.release()
            await self._settle()

    async def _in_folder(self, attempt: Attempt) -> JobResult:
        """In a folder that is gone before the end is reported: on a full disk the report needs its room."""
        job = attempt.job
        try:
            async with self._folders.open(f"{job.id}.{job.attempt}") as folder:
                return await self._work(job, folder, attempt.note)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise StorageFull("The disk is full. Free some space, then try again.") from error

    async def _work_on(self, attempt: Attempt) -> None:
        """Run the work to its end, whatever that is: afterwards `attempt.work` is done."""
        attempt.begin(asyncio.ensure_future(self._in_folder(attempt)))
        work = attempt.work
        try:
            await asyncio.wait({work}, timeout=self._settings.timeout_seconds)
            if not work.done():
                attempt.stop(Stop.TIMEOUT)
                await asyncio.wait({work})
        finally:
            if not work.done():  # we ourselves are being cancelled
                work.cancel()
                await asyncio.wait({work})

    async def _keep_lease(self, attempt: Attempt) -> None:
        """Renew the lease with the progress, and hint at the progress in between."""
        job, renewed_at = attempt.job, self._clock.monotonic()
        while True:
            await self._clock.sleep(self._settings.hint_seconds)
            try:
                if attempt.take_news():
                    await self._bus.hint(_progress_hint(attempt, self._name))
                if self._clock.monotonic() - renewed_at >= self._settings.renew_seconds:
                    await self._desk.renew(job.id, job.attempt, attempt.progress, attempt.stage)
                    renewed_at = self._clock.monotonic()
            except LeaseLost as error:
                _log.info("job %s: attempt %d stops: %s", job.id, job.attempt, error.detail)
                attempt.stop(Stop.LOST)
                return
            except Exception as error:  # noqa: BLE001 - a lost connection must not end a render; the lease decides
                _log.warning("job %s: the lease could not be renewed, trying again: %s", job.id, error)

    async def _end(self, attempt: Attempt) -> None:
        """Tell the desk how it ended."""
        job, work = attempt.job, attempt.work
        error = None if work.cancelled() else work.exception()
        if attempt.stopped is Stop.LOST:
            if error is None and not work.cancelled():
                await discard(self._files, [file.id for file in work.result().files])
            return
        if work.cancelled():
            await self._end_stopped(attempt)
            return
        if error is None:
            await self._report.finish(job, work.result())
        elif isinstance(error, LeaseLost):
            return
        elif isinstance(error, Unavailable) or (
            isinstance(error, RetryableError) and job.tries + 1 < self._settings.tries
        ):
            await self._wait_and_give_back(attempt, error)
        else:
            if not isinstance(error, VideoManagerError):
                _log.error("job %s failed unexpectedly", job.id, exc_info=error)
            await self._report.fail(job, failure_text(error))

    async def _end_stopped(self, attempt: Attempt) -> None:
        job = attempt.job
        if attempt.stopped is Stop.TIMEOUT:
            await self._report.fail(job, f"it took longer than {self._settings.timeout_seconds:.0f} s and was stopped")
        elif attempt.stopped is Stop.SHUTDOWN:
            await self._report.give_back(job)
        else:
            await self._report.fail(job, "the work cancelled itself; this is a fault of the plugin")

    async def _wait_and_give_back(self, attempt: Attempt, error: RetryableError) -> None:
        """Keep the lease while waiting, so that the job is not tried again too soon."""
        job = attempt.job
        delay = min(error.retry_after_seconds or 2.0 ** (job.tries + 1), _LONGEST_RETRY_DELAY_SECONDS)
        attempt.note(0.0, f"waiting {delay:.0f} s to try again: {error.detail}"[:200])
        await attempt.wait_for_stop(delay)
        if attempt.stopped is not Stop.LOST:
            # A store that is away is no failure of this work.
            await self._report.give_back(job, failed=not isinstance(error, Unavailable))


def _progress_hint(attempt: Attempt, source: str) -> Envelope:
    job = attempt.job
    body = JobProgress(
        job_id=job.id, video_id=job.video_id, version=job.version, kind=job.kind, progress=attempt.progress,
        stage=attempt.stage,
    )  # fmt: skip
    return envelope(body, source=source, subject=job.id, cause=attempt.command)
