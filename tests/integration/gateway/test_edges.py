"""Health, metrics, websockets, other origins, proxies, and public routes."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import APIRouter, WebSocket
from starlette.responses import PlainTextResponse, Response
from tests.integration.gateway.server import served
from tests.integration.gateway.world import World, sign_in, started_world

from video_manager.domain.access import SYSTEM, Role
from video_manager.gateway.health import WorkFigures
from video_manager.settings import Settings


async def test_health_names_the_dependency_that_is_gone(settings: Settings) -> None:
    async def fine() -> None: ...

    async def gone() -> None:
        raise ConnectionError("password=hunter2 refused")

    async with started_world(settings, probes={"documents": fine, "messages": gone}) as world, world.client() as client:
        assert (await client.get("/health/live")).json() == {"status": "ok"}
        ready = await client.get("/health/ready")
        assert ready.status_code == 503
        assert ready.json()["dependencies"] == {"documents": "ok", "messages": "unavailable"}
        assert "hunter2" not in ready.text
        assert (await client.head("/health/ready")).status_code == 503


async def test_ready_when_all_is_well(world: World) -> None:
    async with world.client() as client:
        assert (await client.get("/health/ready")).status_code == 200


async def test_work_that_stands_still_is_told(settings: Settings) -> None:
    figures = [
        WorkFigures(0.0, None, None, None),
        WorkFigures(75.0, 12.0, 3.0, datetime(2026, 11, 22, tzinfo=UTC), late=("outbox",)),
    ]  # fmt: skip

    async def look() -> WorkFigures:
        if not figures:
            raise ConnectionError("password=hunter2 refused")
        return figures.pop(0)

    async with started_world(settings, work=look) as world, world.client() as client:
        assert (await client.get("/health/work")).json() == {
            "status": "ok", "outbox_lag_seconds": 0.0, "oldest_unclaimed_job_seconds": None,
            "most_overdue_publication_seconds": None,
            "last_message_handled_at": None, "late": [],
        }  # fmt: skip
        late = await client.get("/health/work")
        assert (late.status_code, late.json()["status"], late.json()["late"]) == (503, "late", ["outbox"])
        assert late.json()["last_message_handled_at"] == "2026-11-22T00:00:00+00:00"
        gone = await client.get("/health/work")
        assert (gone.status_code, gone.json()) == (503, {"status": "unavailable"})


def local(world: World, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(world.app, client=("127.0.0.1", 4711))
    return httpx.AsyncClient(transport=transport, base_url=world.settings.base_url, headers=headers)


async def test_metrics_are_for_this_machine_and_administrators(world: World) -> None:
    async with local(world) as here, world.client() as far, world.client(Role.VIEWER) as viewer:
        answer = await here.get("/metrics")
        assert answer.status_code == 200
        assert (await far.get("/metrics")).status_code == 401
        assert (await viewer.get("/metrics")).status_code == 403
        for headers in ({"X-Forwarded-For": "198.51.100.1"}, {"Host": "rebound.example"}):
            assert (await here.get("/metrics", headers=headers)).status_code == 401
        await viewer.get("/api/v1/users/some-user")
        text = (await here.get("/metrics")).text
    line = 'video_manager_http_requests_total{method="GET",route="/api/v1/users/{user_id}",status="403"} 1.0'
    assert line in text
    assert "some-user" not in text


def public_routes() -> APIRouter:
    router = APIRouter()

    @router.get("/watch/{id}")
    async def watch(id: str) -> Response:
        return PlainTextResponse(id)

    @router.post("/watch/{id}/like")
    async def like(id: str) -> Response:
        return PlainTextResponse("liked")

    return router


async def test_public_routes_are_exactly_those(settings: Settings) -> None:
    async with started_world(settings, public_routers=[public_routes()]) as world, world.client() as client:
        assert (await client.get("/watch/7")).text == "7"
        assert (await client.post("/watch/7/like", headers={"Origin": "https://elsewhere.example"})).text == "liked"
        for method, path in (("POST", "/watch/7"), ("GET", "/watch/7/stats"), ("GET", "/watch"), ("GET", "/")):
            assert (await client.request(method, path)).status_code == 401, path
        for path in ("/watch/../api/v1/me", "/%61pi/v1/me", "/api//v1/me", "/API/v1/me", "/login/../api/v1/me"):
            assert (await client.get(path)).status_code == 401, path


async def test_names_of_attributes_are_no_way_around(world: World) -> None:
    """Everything the framework serves by itself is behind the guard too."""
    async with world.client() as client:
        for path in (
            "/docs",
            "/redoc",
            "/openapi.json",
            "/api/openapi.json",
            "/api/asyncapi.json",
            "/api/docs",
            "/_nicegui/x",
            "/favicon.ico",
        ):
            assert (await client.get(path)).status_code == 401, path


async def handshake(world: World, **headers: str) -> int:
    """The status of a websocket handshake, by hand: 101 or the refusal."""
    head = {
        "Host": f"127.0.0.1:{world.settings.port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    } | headers
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{world.settings.port}") as client,
        client.stream("GET", "/_nicegui_ws/socket", headers=head) as answer,
    ):
        return answer.status_code


def socket_routes() -> APIRouter:
    router = APIRouter()

    @router.websocket("/_nicegui_ws/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(websocket.state.actor.name)
        await websocket.close()

    return router


@pytest.fixture
async def with_socket(settings: Settings) -> AsyncIterator[World]:
    async with started_world(settings) as world:
        world.app.include_router(socket_routes())
        yield world


async def test_websockets_need_a_session_and_one_of_our_pages(with_socket: World) -> None:
    world = with_socket
    own = world.settings.base_url
    async with served(world), world.client() as browser:
        await sign_in(browser, "viewer")
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        assert await handshake(world, Origin=own) == 403, "no session"
        assert await handshake(world, Cookie=cookie, Origin="https://evil.example") == 403
        assert await handshake(world, Cookie=cookie) == 403, "no origin"
        assert await handshake(world, Cookie=cookie, Origin=own) == 101
        assert await handshake(world, Cookie=cookie, Origin=f"http://localhost:{world.settings.port}") == 101
        await browser.post("/logout", headers={"Origin": own})
        assert await handshake(world, Cookie=cookie, Origin=own) == 403, "signed out"


async def test_other_allowed_origins_may_read_answers(settings: Settings) -> None:
    settings = settings.model_copy(update={"allowed_origins": ("https://studio.example.org",)})
    asking = {"Origin": "https://studio.example.org", "Access-Control-Request-Method": "PATCH"}
    async with started_world(settings) as world, world.client() as client:
        answer = await client.options("/api/v1/uploads/1", headers=asking)
        assert answer.headers["access-control-allow-origin"] == "https://studio.example.org"
        foreign = await client.options("/api/v1/uploads/1", headers=asking | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in foreign.headers
        async with world.browser() as browser:
            key = {"name": "x", "role": "viewer"}
            there = {"Origin": "https://studio.example.org"}
            assert (await browser.post("/api/v1/keys", json=key, headers=there)).status_code == 201


async def test_only_trusted_proxies_are_believed(settings: Settings) -> None:
    """The address that throttling counts."""
    for trusted, address in ((("192.0.2.7",), "198.51.100.9"), ((), "192.0.2.7")):
        changed = settings.model_copy(
            update={"trusted_proxies": trusted, "data_dir": settings.data_dir / str(len(trusted))}
        )
        changed.data_dir.mkdir()
        async with started_world(changed) as world, world.client() as client:
            client.headers["X-Forwarded-For"] = "198.51.100.9"
            await sign_in(client, "viewer", "wrong")
            entry = (await world.access.audit.page(SYSTEM, action="sign-in.failed")).items[0]
            assert entry.detail.endswith(f"from {address}")
