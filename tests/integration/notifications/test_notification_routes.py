"""The HTTP side."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from tests.integration.notifications.conftest import ADMIN, VIEWER, Desk

from video_manager.domain.access import Actor
from video_manager.errors import VideoManagerError
from video_manager.notifications.routes import router


@asynccontextmanager
async def client_of(desk: Desk, actor: Actor) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(router(desk.service))

    @app.middleware("http")
    async def sign_in(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        request.state.actor = actor
        return await call_next(request)

    @app.exception_handler(VideoManagerError)
    async def explain(_request: Request, error: VideoManagerError) -> Response:
        return JSONResponse({"detail": error.detail}, error.status)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        yield client


@pytest.fixture
async def admin(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(desk, ADMIN) as client:
        yield client


async def test_reading(desk: Desk) -> None:
    await desk.ready()
    async with client_of(desk, VIEWER) as viewer:
        page = (await viewer.get("/notifications")).json()
        assert (page["unread"], page["items"][0]["kind"], page["items"][0]["read"]) == (1, "ready", False)
        assert (await viewer.post(f"/notifications/{page['items'][0]['id']}/read")).status_code == 204
        assert (await viewer.get("/notifications")).json()["unread"] == 0
        assert (await viewer.post("/notifications/read-all")).status_code == 204
        assert (await viewer.post("/notifications/nope/read")).status_code == 404
        assert (await viewer.get("/webhooks")).status_code == 403
        assert (await viewer.get("/notification-targets")).status_code == 403


async def test_a_webhook_from_making_to_removing(admin: httpx.AsyncClient) -> None:
    body = {"url": "https://hooks.example.com/x", "events": ["version.*"]}
    made = await admin.post("/webhooks", json=body, headers={"Idempotency-Key": "k1"})
    again = await admin.post("/webhooks", json=body, headers={"Idempotency-Key": "k1"})
    assert (made.status_code, made.json()) == (201, again.json())
    assert made.json()["secret"].startswith("whsec_")
    path = f"/webhooks/{made.json()['id']}"
    shown = await admin.get(path)
    assert (shown.json()["secret"], shown.headers["etag"]) == (None, made.headers["etag"])
    changed = await admin.patch(path, json={"enabled": False}, headers={"If-Match": made.headers["etag"]})
    assert changed.json()["enabled"] is False
    stale = await admin.patch(path, json={"enabled": True}, headers={"If-Match": made.headers["etag"]})
    assert stale.status_code == 412
    assert (await admin.get(f"{path}/deliveries")).json() == {"items": [], "next": None}
    assert len((await admin.get("/webhooks")).json()["items"]) == 1
    assert (await admin.delete(path)).status_code == 204
    assert (await admin.get(path)).status_code == 404


async def test_a_target_from_making_to_removing(admin: httpx.AsyncClient) -> None:
    made = await admin.post("/notification-targets", json={"name": "Chat", "url": "json://hooks.example.com/token12"})
    assert (made.status_code, made.json()["url"]) == (201, "json://****")
    path = f"/notification-targets/{made.json()['id']}"
    changed = await admin.patch(path, json={"kinds": ["failed"]}, headers={"If-Match": made.headers["etag"]})
    assert changed.json()["kinds"] == ["failed"]
    everything = (await admin.get("/notification-targets")).text + (await admin.get(path)).text
    assert "token12" not in everything
    assert (await admin.delete(path)).status_code == 204


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/webhooks", {"url": "https://x.example.com", "events": ["nope"]}),
        ("/webhooks", {"url": "https://x.example.com", "events": ["version.*"], "extra": 1}),
        ("/webhooks", {"events": ["version.*"]}),
        ("/notification-targets", {"name": "x", "url": "json://x.example.com", "kinds": ["nope"]}),
        ("/notification-targets", {"name": "x", "url": "nonsense://x"}),
    ],
)
async def test_wrong_bodies_are_422(admin: httpx.AsyncClient, path: str, body: dict[str, object]) -> None:
    assert (await admin.post(path, json=body)).status_code == 422
