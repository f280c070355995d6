"""The API of channels and publications over HTTP, with ETags and If-Match."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.integration.publishing.conftest import FOLDER, RITA, World

from video_manager.gateway.problems import install_problems
from video_manager.publishing.routes import api_router

P = "p" * 32


class SignedIn:
    """As the gateway's guard does it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            Request(scope).state.actor = RITA
        await self._app(scope, receive, send)


@pytest.fixture
async def api(world: World) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install_problems(app)
    app.include_router(api_router(world.publishing.service, world.publishing.connecting))
    app.add_middleware(SignedIn)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        yield client


async def test_channels(api: httpx.AsyncClient) -> None:
    body = {"platform": "folder", "name": "Sub", "options": {"path": "sub"}}
    made = await api.post("/channels", json=body, headers={"Idempotency-Key": "k"})
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    again = await api.post("/channels", json=body, headers={"Idempotency-Key": "k"})
    assert again.json()["id"] == made.json()["id"]
    assert [item["name"] for item in (await api.get("/channels")).json()["items"]] == [
        "Published folder", "Sub", "Watch page",
    ]  # fmt: skip
    path = f"/channels/{made.json()['id']}"
    paused = await api.patch(path, json={"paused": True}, headers={"If-Match": '"1"'})
    assert (paused.json()["paused"], paused.headers["etag"]) == (True, '"2"')
    assert (await api.patch(path, json={"paused": False}, headers={"If-Match": '"1"'})).status_code == 412
    assert (await api.get(path)).json()["paused_reason"] == "paused by Rita"
    wrong = await api.post("/channels", json={**body, "options": {"path": "../.."}})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["field"] == "options.path"
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(path)).status_code == 404


async def test_the_schedule(api: httpx.AsyncClient, world: World) -> None:
    await world.create(await world.command(publish_at=datetime.now(UTC) + timedelta(days=1)))
    channel, path = f"/channels/{FOLDER}", f"/publications/{P}"
    none = await api.patch(path, json={"publish_at": "next_slot"})
    assert (none.status_code, none.json()["errors"][0]["field"]) == (422, "publish_at")
    assert (await api.patch(path, json={"publish_at": "next_year"})).status_code == 422
    slots = [{"weekday": "mon", "time": "18:00"}, {"weekday": "mon", "time": "25:00"}]
    wrong = await api.patch(channel, json={"schedule": {"zone": "Europe/Berlin", "slots": slots}})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "schedule.slots.1.time")
    kept = await api.patch(channel, json={"schedule": {"zone": "Europe/Berlin", "slots": slots[:1]}})
    assert kept.json()["schedule"]["slots"] == slots[:1]
    moved = (await api.patch(path, json={"publish_at": "next_slot"})).json()
    assert moved["requested_local"].endswith("T18:00 Europe/Berlin")
    assert moved["publish_at"] == moved["due_at"]
    plan = (await api.get("/publications/plan", params={"days": 8})).json()
    assert [(item["publication_id"], item["expected_at"]) for item in plan["items"]] == [(P, moved["due_at"])]
    assert (await api.get("/publications/plan", params={"days": 0})).status_code == 422


async def test_publications(api: httpx.AsyncClient, world: World) -> None:
    await world.create(await world.command(publish_at=datetime.now(UTC) + timedelta(days=1)))
    listed = (await api.get("/publications", params={"state": "scheduled", "video_id": "v1"})).json()["items"]
    assert [item["id"] for item in listed] == [P]
    path = f"/publications/{P}"
    moved = await api.patch(path, json={"publish_at": {"local": "2036-10-26T02:30", "zone": "Europe/Berlin"}})
    assert moved.json()["publish_at"] == "2036-10-26T00:30:00Z"
    assert (await api.patch(path, json={"publish_at": "2036-10-26T02:30"})).status_code == 422
    assert (await api.patch(path, json={"publish_at": None}, headers={"If-Match": '"1"'})).status_code == 412
    assert (await api.patch(path, json={"publish_at": None})).status_code == 200
    await world.run()
    shown = await api.get(path)
    assert shown.headers["etag"] == f'"{shown.json()["revision"]}"'
    found = shown.json()
    assert (found["state"], found["video_id"], found["version"], found["channel_id"]) == ("published", "v1", 1, FOLDER)
    assert found["external_url"].startswith("file:///")
    assert [attempt["outcome"] for attempt in found["attempts"]] == ["published"]
    assert "handle" not in found["attempts"][0]
    for action, body in (("cancel", None), ("retry", None), ("resolve", {"published": False})):
        answer = await api.post(f"{path}/{action}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")
    assert (await api.post(f"{path}/resolve", json={"published": True})).status_code == 422
    assert (await api.get("/publications/none")).status_code == 404
