"""One running attempt of a job, and how its failure reads for people."""

import asyncio
import contextlib
from enum import Enum, auto

from video_manager.contracts.envelope import Envelope
from video_manager.domain.job import Job, JobResult
from video_manager.errors import PermanentError, RetryableError, StorageFull, VideoManagerError

_ERROR_CHARACTERS = 4000


class Stop(Enum):
    """Why running work was stopped."""

    LOST = auto()
    """Cancelled by a person, or taken over: report nothing."""
    SHUTDOWN = auto()
    TIMEOUT = auto()


class Attempt:
    """The job, the command it came by, its work, and the newest progress."""

    def __init__(self, job: Job, command: Envelope) -> None:
        self.job = job
        self.command = command
        self.task: asyncio.Task[None] | None = None
        self.progress = 0.0
        self.stage = "starting"
        self.stopped: Stop | None = None
        self._work: asyncio.Future[JobResult] | None = None
        self._has_news = True
        self._stop_event = asyncio.Event()

    @property
    def key(self) -> tuple[str, int]:
        return (self.job.id, self.job.attempt)

    @property
    def work(self) -> asyncio.Future[JobResult]:
        if self._work is None:
            raise RuntimeError(f"the work on job {self.job.id} has not begun")
        return self._work

    def begin(self, work: asyncio.Future[JobResult]) -> None:
        """From now on there is something to stop; a stop that came earlier acts at once."""
        self._work = work
        if self.stopped is not None:
            work.cancel()

    def stop(self, reason: Stop) -> None:
        """Cancel the work; the first reason counts, except that lost work is never given back."""
        if self.stopped is None or reason is Stop.LOST:
            self.stopped = reason
        self._stop_event.set()
        if self._work is not None:
            self._work.cancel()

    async def wait_for_stop(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop_event.wait()

    def note(self, progress: float, stage: str) -> None:
        """Remember the newest progress; cheap, called many times a second."""
        if (progress, stage) != (self.progress, self.stage):
            self.progress, self.stage, self._has_news = progress, stage, True

    def take_news(self) -> bool:
        """Whether the progress changed since the last call."""
        has_news, self._has_news = self._has_news, False
        return has_news


def _with_way_out(detail: str) -> str:
    """A full disk or quota: the text of whoever met it first, and what to do unless it says so."""
    text = f"{detail[:1].upper()}{detail[1:].rstrip('.')}."
    says = any(words in text.lower() for words in ("free some", "delete videos", "make room"))
    return text if says else f"{text} Free some space, then try again."


def failure_text(error: BaseException) -> str:
    """What happened, in words, with the tool's own last lines; bounded."""
    if isinstance(error, StorageFull):
        text = _with_way_out(error.detail)
    elif isinstance(error, RetryableError):
        text = f"{error.detail} (tried several times; try again later)"
    elif isinstance(error, PermanentError) and error.log_excerpt:
        text = f"{error.detail}\n\n{error.log_excerpt}"
    elif isinstance(error, VideoManagerError):
        text = error.detail
    else:
        text = f"an unforeseen error: {type(error).__name__}: {error}; the worker's log has its trace"
    return text[:_ERROR_CHARACTERS]
