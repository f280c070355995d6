"""The end of an attempt is told until somebody hears it: a result may be an hour's work."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.fakes.clock import VirtualClock
from tests.fakes.desk import MemoryJobDesk

from video_manager.adapters.embedded.files import FolderFiles
from video_manager.domain.job import Job, JobKind, JobResult, JobState
from video_manager.errors import Unavailable
from video_manager.worker.report import HURRY_SECONDS, PATIENCE_SECONDS, Report

JOB = Job(
    id="v.1.render", video_id="v", version=1, kind=JobKind.RENDER, topic="render.card", input={},
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip


class GoneDesk(MemoryJobDesk):
    """Its store is away until `back` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.back = False
        self.tries = 0

    async def finish(self, job_id: str, attempt: int, result: JobResult) -> None:
        self.tries += 1
        if not self.back:
            raise Unavailable("the store does not answer")
        await super().finish(job_id, attempt, result)


@pytest.fixture
async def desk() -> GoneDesk:
    made = GoneDesk()
    made.add(JOB)
    assert await made.claim(JOB.id, "w") is not None
    return made


def report_to(desk: GoneDesk, clock: VirtualClock, folder: Path) -> Report:
    return Report(desk, FolderFiles(folder), clock)


async def test_a_result_outlives_ten_minutes_without_the_store(desk: GoneDesk, tmp_path: Path) -> None:
    clock = VirtualClock()
    telling = asyncio.create_task(report_to(desk, clock, tmp_path).finish(desk.jobs[JOB.id], JobResult()))
    for _ in range(120):
        await clock.advance(5)
    assert not telling.done()
    desk.back = True
    await clock.advance(20)
    await telling
    assert desk.jobs[JOB.id].state is JobState.FINISHED


async def test_patience_ends(desk: GoneDesk, tmp_path: Path) -> None:
    clock = VirtualClock()
    telling = asyncio.create_task(report_to(desk, clock, tmp_path).finish(desk.jobs[JOB.id], JobResult()))
    for _ in range(int(PATIENCE_SECONDS / 10) + 10):
        await clock.advance(10)
    with pytest.raises(Unavailable):
        await telling


@pytest.mark.parametrize("waited_before_seconds", [0, 100], ids=["from the first try", "in a long pause"])
async def test_a_shutdown_does_not_wait_for_long(desk: GoneDesk, tmp_path: Path, waited_before_seconds: int) -> None:
    clock = VirtualClock()
    report = report_to(desk, clock, tmp_path)
    telling = asyncio.create_task(report.finish(desk.jobs[JOB.id], JobResult()))
    for _ in range(waited_before_seconds):
        await clock.advance(1)
    before = desk.tries
    report.hurry()
    for _ in range(int(HURRY_SECONDS) + 2):
        await clock.advance(1)
    with pytest.raises(Unavailable):
        await telling
    assert 5 <= desk.tries - before <= HURRY_SECONDS + 3


async def test_a_shutdown_still_reports_to_a_store_that_comes_back_in_time(desk: GoneDesk, tmp_path: Path) -> None:
    clock = VirtualClock()
    report = report_to(desk, clock, tmp_path)
    telling = asyncio.create_task(report.finish(desk.jobs[JOB.id], JobResult()))
    for _ in range(100):
        await clock.advance(1)
    report.hurry()
    await clock.advance(HURRY_SECONDS / 2)
    desk.back = True
    await clock.advance(2)
    await telling
    assert desk.jobs[JOB.id].state is JobState.FINISHED
