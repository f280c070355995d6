"""A job desk in memory, built on the real rules of jobs: strict about attempts, like the manager's."""

import asyncio
from datetime import UTC, datetime

from video_manager.domain import job as rules
from video_manager.domain.job import Job, JobResult, JobState
from video_manager.errors import InvalidTransition, LeaseLost


class MemoryJobDesk:
    """`answers_to_lose` calls of finish and fail take effect, and then their answer is lost."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.calls: list[str] = []
        self.answers_to_lose = 0
        self._changed = asyncio.Condition()

    def add(self, job: Job) -> None:
        self.jobs[job.id] = job

    async def claim(self, job_id: str, worker: str) -> Job | None:
        self.calls.append(f"claim {job_id}")
        try:
            return await self._store(rules.claim(self.jobs[job_id], worker, datetime.now(UTC)))
        except (KeyError, InvalidTransition):
            return None

    async def renew(self, job_id: str, attempt: int, progress: float, stage: str) -> None:
        await self._store(rules.renew(self._job(job_id), attempt, progress, stage))

    async def finish(self, job_id: str, attempt: int, result: JobResult) -> None:
        self.calls.append(f"finish {job_id}")
        job = self._job(job_id)
        if not (job.state is JobState.FINISHED and (job.attempt, job.result) == (attempt, result)):
            await self._store(rules.finish(job, attempt, result, datetime.now(UTC)))
        self._lose_answer()

    async def fail(self, job_id: str, attempt: int, error: str) -> None:
        self.calls.append(f"fail {job_id}")
        await self._store(rules.fail(self._job(job_id), attempt, error, datetime.now(UTC)))
        self._lose_answer()

    async def give_back(self, job_id: str, attempt: int, *, failed: bool = False) -> None:
        self.calls.append(f"give_back {job_id}")
        await self._store(rules.give_back(self._job(job_id), attempt, failed=failed))

    async def cancel(self, job_id: str) -> None:
        job = self._job(job_id)
        await self._store(rules.cancel(job, job.round, datetime.now(UTC)))

    async def until(self, job_id: str, *states: JobState, seconds: float = 60) -> Job:
        """The job once it is in one of the states."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: self.jobs[job_id].state in states)
            return self.jobs[job_id]

    async def until_progress(self, job_id: str, above: float = 0.0, seconds: float = 60) -> Job:
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: self.jobs[job_id].progress > above)
            return self.jobs[job_id]

    def _job(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            raise LeaseLost(f"job {job_id} is gone; stop")
        return self.jobs[job_id]

    async def _store(self, job: Job) -> Job:
        async with self._changed:
            self.jobs[job.id] = job
            self._changed.notify_all()
        return job

    def _lose_answer(self) -> None:
        if self.answers_to_lose > 0:
            self.answers_to_lose -= 1
            raise ConnectionResetError("the answer was lost")
