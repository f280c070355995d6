"""The HTTP side."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from tests.integration.analytics.conftest import ADMIN, VIEWER, Lab

from video_manager.analytics.routes import router
from video_manager.domain.access import Actor
from video_manager.errors import VideoManagerError


def app_for(lab: Lab, actor: Actor) -> FastAPI:
    app = FastAPI()
    app.include_router(router(lab.analytics.service))

    @app.middleware("http")
    async def sign_in(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        request.state.actor = actor
        return await call_next(request)

    @app.exception_handler(VideoManagerError)
    async def explain(_request: Request, error: VideoManagerError) -> Response:
        return JSONResponse({"detail": error.detail}, error.status)

    return app


@pytest.fixture
async def client(lab: Lab) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app_for(lab, VIEWER))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as opened:
        yield opened


async def publish(lab: Lab, title: str = "v1") -> None:
    await lab.request(title)
    await lab.publish("p1", title)
    lab.counter.pages["page-p1"] = {"views": 3}
    await lab.clock.advance(1)
    await lab.collect()
    await lab.clock.advance(1)


@pytest.mark.parametrize(
    "path",
    [
        "summary",
        "timeseries?metric=likes&bucket=hour&zone=Europe/Berlin&group_by=generator&start=2026-11-22T00:00:00Z",
        "publications?sort=views&order=asc", "attribution?option=colour", "suggestions?generator=paint", "health",
    ],
)  # fmt: skip
async def test_every_question_is_answered(lab: Lab, client: httpx.AsyncClient, path: str) -> None:
    await publish(lab)
    answer = await client.get(f"/analytics/{path}")
    assert answer.status_code == 200, answer.text


async def test_publications_beside_their_options(lab: Lab, client: httpx.AsyncClient) -> None:
    await publish(lab)
    [item] = (await client.get("/analytics/publications")).json()["items"]
    assert (item["title"], item["values"]["views"], item["options"]["colour"]) == ("Video v1", 3, "red")


async def test_publications_as_csv(lab: Lab, client: httpx.AsyncClient) -> None:
    await publish(lab)
    answer = await client.get("/analytics/publications?format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    header, line = answer.text.splitlines()
    assert header.startswith("publication_id,video_id,version,title,platform")
    assert line.startswith("p1,v1,1,Video v1,site,c1,/watch/p1,2026-11-22T12:00:00Z")


@pytest.mark.parametrize(
    "path", ["summary?start=yesterday", "summary?start=2026-01-01T00:00:00", "timeseries?zone=Mars", "suggestions"]
)
async def test_wrong_questions_are_422(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"/analytics/{path}")).status_code == 422


async def test_only_administrators_reload(lab: Lab, client: httpx.AsyncClient) -> None:
    await publish(lab)
    assert (await client.post("/analytics/reload")).status_code == 403
    transport = httpx.ASGITransport(app_for(lab, ADMIN))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as admin:
        answer = await admin.post("/analytics/reload")
    assert answer.json() == {"payloads": 3}
