"""Jobs for workers outside our package: list, claim, renew, finish, fail, give back, and their source files."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, StringConstraints

from video_manager.domain.job import Job, JobState
from video_manager.manager.requests import RequestBody
from video_manager.manager.sent_results import OneLine, Printable, RenderResult
from video_manager.manager.worker_desk import WorkerDesk
from video_manager.ports import FileStore
from video_manager.web import CurrentActor, Items, Limit
from video_manager.web_files import file_response

SOURCE_TYPE = "application/octet-stream"


class Claim(RequestBody):
    worker: Annotated[str, StringConstraints(min_length=1, max_length=200), OneLine] = Field(
        description="Which process of yours, for people."
    )


class Attempt(RequestBody):
    attempt: int = Field(ge=1, le=2**31, description="As the claimed job says; another one is refused.")


class Renewal(Attempt):
    progress: float = Field(0.0, ge=0, le=1)
    stage: Annotated[str, StringConstraints(max_length=200), OneLine] = Field("", description="For people.")


class Finish(Attempt):
    result: RenderResult


class Failure(Attempt):
    error: Annotated[str, StringConstraints(min_length=1, max_length=4000), Printable] = Field(
        description="What happened and what to do, for people."
    )


def router(desk: WorkerDesk, files: FileStore) -> APIRouter:
    """409 with code `lease_lost` tells the worker to stop: cancelled, or taken over."""
    routes = APIRouter(tags=["jobs"])
    _add_reading(routes, desk, files)
    _add_working(routes, desk)
    return routes


def _add_reading(routes: APIRouter, desk: WorkerDesk, files: FileStore) -> None:
    @routes.get("/jobs")
    async def list_jobs(
        actor: CurrentActor,
        generator: Annotated[
            str | None, Query(max_length=41, description="Only of this one of your generators.")
        ] = None,
        state: Annotated[JobState, Query(description="`queued` jobs are there to be claimed.")] = JobState.QUEUED,
        limit: Limit = 20,
    ) -> Items[Job]:
        """Jobs of the generators that this key registered, the most urgent first: for workers that do not listen to
        the broker. Ask every few seconds."""
        return Items(items=await desk.waiting(actor, generator, state, limit))

    @routes.get("/jobs/{id}")
    async def get_job(id: str, actor: CurrentActor) -> Job:
        return await desk.get(actor, id)

    @routes.get("/jobs/{id}/sources/{file_id}", response_class=Response)
    async def get_source(id: str, file_id: str, request: Request, actor: CurrentActor) -> Response:
        """The bytes of one of the job's `input.sources`, whole or by `Range`, while this key has claimed the job."""
        await desk.require_source(actor, id, file_id)
        return await file_response(files, file_id, request, SOURCE_TYPE)


def _add_working(routes: APIRouter, desk: WorkerDesk) -> None:
    @routes.post("/jobs/{id}/claim")
    async def claim(id: str, body: Claim, actor: CurrentActor) -> Job:
        """Take the job; 409 when it is not to be had (taken, paused, ended): forget the message then. The answer's
        `attempt` goes into every further call, `input` holds options, seed, title and the ids of source files."""
        return await desk.claim(actor, id, body.worker)

    @routes.post("/jobs/{id}/renew", status_code=204)
    async def renew(id: str, body: Renewal, actor: CurrentActor) -> None:
        """Keep the job and show its progress, every few seconds. 409 `lease_lost`: a person cancelled it, or another
        worker has it; stop at once. After any other failure go on and try again."""
        await desk.renew(actor, id, body.attempt, body.progress, body.stage)

    @routes.post("/jobs/{id}/finish", status_code=204)
    async def finish(id: str, body: Finish, actor: CurrentActor) -> None:
        """The files are named by the ids of their uploads (by this key). Repeat it after a lost answer."""
        await desk.finish(actor, id, body.attempt, body.result)

    @routes.post("/jobs/{id}/fail", status_code=204)
    async def fail(id: str, body: Failure, actor: CurrentActor) -> None:
        """It cannot be made; a person sees the words and may try again."""
        await desk.fail(actor, id, body.attempt, body.error)

    @routes.post("/jobs/{id}/give-back", status_code=204)
    async def give_back(id: str, body: Attempt, actor: CurrentActor) -> None:
        """Back into the queue, unharmed: the worker is shutting down."""
        await desk.give_back(actor, id, body.attempt)
