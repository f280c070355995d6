"""Jobs as a worker outside our package sees them: a key works on jobs of the generators that it registered, and on
nothing else."""

from video_manager.contracts.topology import render_type
from video_manager.domain import job as rules
from video_manager.domain.access import Actor, Right
from video_manager.domain.job import Job, JobResult, JobState
from video_manager.errors import Conflict, NotFound
from video_manager.manager.generators import GeneratorService
from video_manager.manager.jobs import JobService
from video_manager.manager.sent_results import RenderResult, SentResults

_RENDER = render_type("")


class WorkerDesk:
    """Everything but `claim` and the reading raises LeaseLost (409 `lease_lost`) when the attempt is not the current
    one any more: cancelled by a person, or taken over. The worker stops then and reports nothing."""

    def __init__(self, jobs: JobService, generators: GeneratorService, results: SentResults) -> None:
        self._jobs = jobs
        self._generators = generators
        self._results = results

    async def get(self, actor: Actor, id: str) -> Job:
        """Raises NotFound, also for jobs that are none of this key's."""
        if actor.may(Right.VIEW):
            return await self._jobs.get(id)
        return await self._own(actor, id)

    async def waiting(self, actor: Actor, generator: str | None, state: JobState, limit: int) -> list[Job]:
        """Jobs of this key's generators, the most urgent first; paused ones are left out."""
        actor.require(Right.WORK)
        names = await self._generators.names_of(actor)
        if generator is not None:
            names = [name for name in names if name == generator]
        found = await self._jobs.of_topics([render_type(name) for name in names], state)
        return sorted(found, key=lambda job: (-job.priority, job.created_at))[:limit]

    async def claim(self, actor: Actor, id: str, worker: str) -> Job:
        await self._own(actor, id)
        job = await self._jobs.claim(id, f"{actor.name}/{worker}")
        if job is None:
            found = await self._jobs.get(id)
            raise Conflict(f"job {id} is not to be had: it is {'paused' if found.paused else found.state}")
        return job

    async def renew(self, actor: Actor, id: str, attempt: int, progress: float, stage: str) -> None:
        await self._own(actor, id)
        await self._jobs.renew(id, attempt, progress, stage)

    async def finish(self, actor: Actor, id: str, attempt: int, result: RenderResult) -> None:
        """Saying it twice is harmless."""
        job = await self._own(actor, id)
        if (job.state, job.attempt) == (JobState.FINISHED, attempt) and _same_files(job, result):
            return  # the first answer was lost; the files may have gone their way since
        rules.finish(job, attempt, JobResult(), job.created_at)  # a refused attempt takes nothing over
        await self._jobs.finish(id, attempt, await self._results.take_over(actor, id, result))

    async def fail(self, actor: Actor, id: str, attempt: int, error: str) -> None:
        await self._own(actor, id)
        await self._jobs.fail(id, attempt, error)

    async def give_back(self, actor: Actor, id: str, attempt: int) -> None:
        await self._own(actor, id)
        await self._jobs.give_back(id, attempt)

    async def require_source(self, actor: Actor, id: str, file_id: str) -> None:
        """Raises NotFound unless the job names the file and this key has claimed the job."""
        job = await self._own(actor, id)
        if file_id not in job.input.get("sources", ()):
            raise NotFound(f"job {id} has no source file {file_id!r}; `input.sources` lists those it has")
        if job.state is not JobState.CLAIMED:
            raise Conflict(f"job {id} is {job.state}: its source files are for the worker that has claimed it")

    async def _own(self, actor: Actor, id: str) -> Job:
        actor.require(Right.WORK)
        missing = NotFound(f"there is no job {id!r} of your generators: a key works on those that it registered")
        try:
            job = await self._jobs.get(id)
        except NotFound:
            raise missing from None
        name = job.topic.removeprefix(_RENDER)
        if not job.topic.startswith(_RENDER) or not await self._generators.is_worker_of(actor, name):
            raise missing
        return job


def _same_files(job: Job, result: RenderResult) -> bool:
    return job.result is not None and [file.id for file in job.result.files] == [file.id for file in result.files]
