"""Jobs for workers outside our package: claim, renew, finish, fail."""

from fastapi import APIRouter
from pydantic import Field

from video_manager.domain.access import Right
from video_manager.domain.job import Job, JobResult, JobState
from video_manager.errors import Conflict, InvalidInput, NotFound
from video_manager.manager.jobs import JobService
from video_manager.manager.requests import RequestBody
from video_manager.manager.service import SourceFiles
from video_manager.web import CurrentActor


class Claim(RequestBody):
    worker: str = Field(min_length=1, max_length=200)


class Renewal(RequestBody):
    attempt: int
    progress: float = Field(0.0, ge=0, le=1)
    stage: str = Field("", max_length=200)


class Finish(RequestBody):
    attempt: int
    result: JobResult


class Failure(RequestBody):
    attempt: int
    error: str = Field(min_length=1, max_length=10_000)


def router(jobs: JobService, sent: SourceFiles) -> APIRouter:
    """`sent` are the files that workers have sent in by /uploads.

    409 with code `lease_lost` tells the worker to stop: cancelled, or taken over."""
    routes = APIRouter(tags=["jobs"])

    @routes.get("/jobs/{id}")
    async def get_job(id: str, actor: CurrentActor) -> Job:
        if not actor.may(Right.WORK):
            actor.require(Right.VIEW)
        return await jobs.get(id)

    @routes.post("/jobs/{id}/claim")
    async def claim(id: str, body: Claim, actor: CurrentActor) -> Job:
        actor.require(Right.WORK)
        job = await jobs.claim(id, f"{actor.name}/{body.worker}")
        if job is None:
            found = await jobs.get(id)
            raise Conflict(f"job {id} is not to be had: it is {'paused' if found.paused else found.state}")
        return job

    @routes.post("/jobs/{id}/renew", status_code=204)
    async def renew(id: str, body: Renewal, actor: CurrentActor) -> None:
        actor.require(Right.WORK)
        await jobs.renew(id, body.attempt, body.progress, body.stage)

    @routes.post("/jobs/{id}/finish", status_code=204)
    async def finish(id: str, body: Finish, actor: CurrentActor) -> None:
        """Its files are named by the ids of their uploads; what is stored is measured here, whatever `result` says."""
        actor.require(Right.WORK)
        job = await jobs.get(id)
        if (job.state, job.attempt) == (JobState.FINISHED, body.attempt) and _same_files(job.result, body.result):
            return  # the first answer was lost; the files may have gone their way since
        await jobs.finish(id, body.attempt, await _taken_over(sent, body.result))

    @routes.post("/jobs/{id}/fail", status_code=204)
    async def fail(id: str, body: Failure, actor: CurrentActor) -> None:
        actor.require(Right.WORK)
        await jobs.fail(id, body.attempt, body.error)

    return routes


def _same_files(one: JobResult | None, other: JobResult) -> bool:
    return one is not None and [file.id for file in one.files] == [file.id for file in other.files]


async def _taken_over(sent: SourceFiles, result: JobResult) -> JobResult:
    """The result with the files as they were sent in. From now on they belong to the version: their uploads do not
    expire any more. Raises InvalidInput for a file that nobody sent, such as one of another video."""
    files = []
    for index, file in enumerate(result.files):
        try:
            stored = await sent.completed_file(file.id)
        except (NotFound, Conflict) as error:
            raise InvalidInput.field(f"result.files.{index}.id", error.detail) from error
        files.append(file.with_(size_bytes=stored.size_bytes, sha256=stored.sha256))
    return result.with_(files=tuple(files))
