"""What waits to be worked on: the figures that show stuck work while every process answers."""

from dataclasses import dataclass, field
from datetime import datetime

from video_manager.domain.job import OPEN_JOB_STATES, Job, JobState
from video_manager.ports import Op, Query, Where
from video_manager.repository import Repository


@dataclass(frozen=True)
class OpenJobs:
    """How many jobs are open by (topic, state), and since when the oldest unclaimed one waits (None: none does).
    Paused jobs are counted, but they wait because a person wants it."""

    counts: dict[tuple[str, JobState], int] = field(default_factory=dict)
    oldest_unclaimed_since: datetime | None = None


async def look_at_open_jobs(jobs: Repository[Job]) -> OpenJobs:
    counts = {}
    for state in sorted(OPEN_JOB_STATES):
        for topic, count in (await jobs.count_by("topic", Where("state", Op.EQ, state))).items():
            counts[str(topic), state] = count
    unclaimed = (Where("state", Op.EQ, JobState.QUEUED), Where("paused", Op.EQ, value=False))
    oldest = await jobs.find(Query(unclaimed, order_by="created_at", limit=1))
    return OpenJobs(counts, oldest[0].value.created_at if oldest else None)
