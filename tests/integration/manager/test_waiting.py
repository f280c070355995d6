"""What waits to be worked on, among much that waits because a person wants it."""

from datetime import UTC, datetime, timedelta

from tests.integration.manager.conftest import Played

from video_manager.domain.job import Job, JobKind, JobState
from video_manager.manager.waiting import look_at_open_jobs

START = datetime(2026, 11, 22, tzinfo=UTC)


async def test_many_paused_jobs_hide_none_that_waits(played: Played) -> None:
    for number in range(101):
        job = Job(
            id=f"v{number}.1.render", video_id=f"v{number}", version=1, kind=JobKind.RENDER, topic="render.paint",
            input={}, paused=number < 100, created_at=START + timedelta(seconds=number),
        )  # fmt: skip
        await played.job_repository.add(job)
    found = await look_at_open_jobs(played.job_repository)
    assert found.counts == {("render.paint", JobState.QUEUED): 101}
    assert found.oldest_unclaimed_since == START + timedelta(seconds=100)
    assert [job.video_id for job in await played.jobs.of_topics(["render.paint"], JobState.QUEUED)] == ["v100"]
