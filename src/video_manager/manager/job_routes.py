"""Jobs for workers outside our package: claim, renew, finish, fail."""

from fastapi import APIRouter
from pydantic import Field

from video_manager.domain.access import Right
from video_manager.domain.job import Job, JobResult
from video_manager.errors import Conflict
from video_manager.manager.jobs import JobService
from video_manager.manager.requests import RequestBody
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


def router(jobs: JobService) -> APIRouter:
    """409 with code `lease_lost` tells the worker to stop: cancelled, or taken over."""
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
        actor.require(Right.WORK)
        await jobs.finish(id, body.attempt, body.result)

    @routes.post("/jobs/{id}/fail", status_code=204)
    async def fail(id: str, body: Failure, actor: CurrentActor) -> None:
        actor.require(Right.WORK)
        await jobs.fail(id, body.attempt, body.error)

    return routes
