"""What counts as a try of a job, and what does not."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.fakes.desk import MemoryJobDesk

from video_manager.adapters.clock import SystemClock
from video_manager.adapters.embedded.bus import SqliteBus
from video_manager.adapters.embedded.files import FolderFiles
from video_manager.contracts.commands import Render
from video_manager.contracts.envelope import envelope
from video_manager.domain.job import Job, JobKind, JobResult, JobState
from video_manager.errors import RetryableError, Unavailable
from video_manager.ports import ProgressCallback
from video_manager.worker import Worker, WorkerSettings

JOB = Job(
    id="v.1.render", video_id="v", version=1, kind=JobKind.RENDER, topic="render.card", input={},
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip
COMMAND = envelope(Render(generator="card", job_id=JOB.id, video_id="v", version=1), source="t", subject=JOB.id)


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[SqliteBus]:
    bus = SqliteBus(tmp_path / "bus.db")
    await bus.open()
    yield bus
    await bus.close()


@pytest.mark.parametrize(
    ("error", "tries"),
    [(RetryableError("a service is busy", 0.01), 1), (Unavailable("the store does not answer", 0.01), 0)],
)
async def test_a_store_that_is_away_is_no_try(
    error: RetryableError, tries: int, bus: SqliteBus, tmp_path: Path
) -> None:
    async def work(_job: Job, _folder: Path, _progress: ProgressCallback) -> JobResult:
        raise error

    desk = MemoryJobDesk()
    desk.add(JOB)
    worker = Worker(
        "w", work, desk=desk, files=FolderFiles(tmp_path / "files"), bus=bus, clock=SystemClock(),
        work_root=tmp_path / "work", slots=1, settings=WorkerSettings(tries=3),
    )  # fmt: skip
    await worker.take(JOB.id, COMMAND)
    job = await desk.until(JOB.id, JobState.QUEUED)
    assert job.tries == tries
    await asyncio.wait_for(worker.stop(), 10)
