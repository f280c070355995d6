"""Every error is a problem document, whoever makes it."""

from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import StreamingResponse
from tests.integration.gateway.world import World, started_world

from video_manager.domain.access import Role
from video_manager.errors import LeaseLost, PermanentError, StorageFull, TooManyRequests, Unavailable, VideoManagerError
from video_manager.settings import Settings


class Options(BaseModel):
    text: str
    size: int = 1


class Body(BaseModel):
    title: str
    options: Options


def odd_routes() -> APIRouter:
    router = APIRouter(prefix="/odd")

    @router.post("/body")
    async def body(body: Body) -> Body:
        return body

    @router.get("/query")
    async def query(limit: Annotated[int, Query(ge=1)]) -> int:
        return limit

    @router.get("/raise/{kind}")
    async def fail(kind: str) -> None:
        raise {
            "full": StorageFull("no space left for x"),
            "busy": TooManyRequests("too many open jobs"),
            "away": Unavailable("MongoDB does not answer (mongodb-0.inside:27017: timed out)"),
            "work": PermanentError("a handler's error that must not reach people", "secret log"),
            "lease": LeaseLost("job 7 is gone; stop"),
            "ours": VideoManagerError("inner words"),
        }.get(kind, RuntimeError("the database password is hunter2"))

    @router.get("/half")
    async def half() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            raise RuntimeError("in the middle")

        return StreamingResponse(parts())

    return router


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with started_world(settings, api_routers=[odd_routes()]) as world:
        yield world


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert {"type", "title", "status", "detail", "code", "instance", "correlation_id"} <= set(body)
    assert (body["status"], body["code"]) == (status, code)
    assert body["correlation_id"] == answer.headers["x-request-id"]
    assert body["title"]
    return body


async def test_wrong_fields_are_named_by_their_path(world: World) -> None:
    async with world.client(Role.ADMIN) as client:
        answer = await client.post("/api/v1/odd/body", json={"title": "a", "options": {"size": "big"}})
        fields = {item["field"]: item["reason"] for item in problem(answer, 422, "invalid_input")["errors"]}  # type: ignore[attr-defined]
        assert set(fields) == {"options.text", "options.size"}
        assert fields["options.text"] == "Field required"
        body = problem(await client.get("/api/v1/odd/query?limit=0"), 422, "invalid_input")
        assert body["errors"][0]["field"] == "limit"  # type: ignore[index]


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"", b"[1]", b'"\\ud800"', b"{" * 5000])
async def test_bodies_that_are_no_json(world: World, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    async with world.client(Role.ADMIN) as client:
        answer = await client.post("/api/v1/odd/body", content=content, headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_unknown_paths_and_methods(world: World) -> None:
    async with world.client(Role.VIEWER) as client:
        for path in ("/api/v1/nothing", "/api/v2/videos", "/api", "/api/", "/health/other", "/api/v1/users/"):
            problem(await client.get(path), 404, "not_found")
        answer = await client.put("/api/v1/users")
        problem(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, POST"
        answer = await client.post("/health/live")
        problem(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, HEAD"


async def test_unknown_paths_stay_so_with_the_studio_mounted(world: World) -> None:
    async def studio(scope: object, receive: object, send: object) -> None:
        raise AssertionError("the studio must not see API paths")

    world.app.mount("/", studio)
    async with world.client(Role.VIEWER) as client:
        problem(await client.get("/api/v1/nothing"), 404, "not_found")
        problem(await client.put("/api/v1/users"), 405, "method_not_allowed")


async def test_our_errors_keep_their_status(world: World) -> None:
    async with world.client(Role.VIEWER) as client:
        problem(await client.get("/api/v1/odd/raise/full"), 507, "storage_full")
        problem(await client.get("/api/v1/odd/raise/busy"), 429, "too_many_requests")
        problem(await client.get("/api/v1/odd/raise/lease"), 409, "lease_lost")


async def test_a_store_that_is_away_says_when_to_come_again_and_not_where_it_is(world: World) -> None:
    async with world.client(Role.VIEWER) as client:
        answer = await client.get("/api/v1/odd/raise/away")
    body = problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert "try again" in body["detail"]
    assert "27017" not in answer.text


@pytest.mark.logs_errors("GET /api/v1/odd/raise/.* failed")
@pytest.mark.parametrize("kind", ["surprise", "work", "ours"])
async def test_surprises_tell_an_id_and_nothing_else(world: World, kind: str, error_log: list[str]) -> None:
    async with world.client(Role.VIEWER) as client:
        answer = await client.get(f"/api/v1/odd/raise/{kind}", headers={"X-Request-Id": "find-me"})
    body = problem(answer, 500, "internal_error")
    assert body["correlation_id"] == "find-me"
    assert "find-me" in str(body["detail"])
    for secret in ("hunter2", "handler's", "inner words", "secret"):
        assert secret not in answer.text
    assert error_log
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.logs_errors("GET /api/v1/odd/half failed")
async def test_half_an_answer_is_not_taken_for_a_whole_one(world: World) -> None:
    async with world.client(Role.VIEWER) as client:
        with pytest.raises(RuntimeError, match="in the middle"):
            await client.get("/api/v1/odd/half")


async def test_bodies_that_are_too_large(world: World) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 50_000

    json = {"Content-Type": "application/json"}
    async with world.client(Role.ADMIN) as client:
        answer = await client.post("/api/v1/odd/body", content=b" " * (2**20 + 1), headers=json)
        problem(answer, 413, "too_large")
        problem(await client.post("/api/v1/odd/body", content=endless(), headers=json), 413, "too_large")
        keyed = json | {"Idempotency-Key": "k"}
        problem(await client.post("/api/v1/odd/body", content=endless(), headers=keyed), 413, "too_large")
        fits = b'{"title": "a", "options": {"text": "b"}}'
        assert (await client.post("/api/v1/odd/body", content=fits, headers=json)).status_code == 200


async def test_request_ids_are_taken_over_only_when_harmless(world: World) -> None:
    async with world.client(Role.VIEWER) as client:
        assert (await client.get("/api/v1/me", headers={"X-Request-Id": "a-1"})).headers["x-request-id"] == "a-1"
        for odd in ("x" * 65, "two words", "<script>"):
            answer = await client.get("/api/v1/me", headers={"X-Request-Id": odd})
            assert len(answer.headers["x-request-id"]) == 32


async def test_the_openapi_document_describes_errors_as_they_are(world: World) -> None:
    async with world.client(Role.VIEWER) as client:
        document = (await client.get("/api/openapi.json")).json()
    assert "HTTPValidationError" not in str(document)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            content = operation["responses"]["default"]["content"]
            assert "application/problem+json" in content, (method, path)
    assert document["components"]["schemas"]["Problem"]["properties"]["correlation_id"]


async def test_a_worker_reads_the_description_of_the_messages(world: World) -> None:
    async with world.client(Role.WORKER) as client:
        document = (await client.get("/api/asyncapi.json")).json()
        assert (await client.get("/api/openapi.json")).status_code == 200
    assert document["asyncapi"] == "3.0.0"
    assert document["channels"]["render.queue"]["address"] == "video-manager.render.{generator}"


async def test_the_documentation_page_needs_nothing_from_elsewhere(world: World) -> None:
    async with world.client(Role.VIEWER) as client:
        page = (await client.get("/api/docs")).text
    assert "<code>/api/v1/users/{user_id}</code>" in page
    assert "current_password: string" in page
    assert "role: admin | producer | reviewer | viewer | worker" in page
    for foreign in ("<script", "http://", "https://", "//cdn"):
        assert foreign not in page


async def test_every_answer_is_strict_with_browsers(world: World) -> None:
    async with world.client() as client:
        for path in ("/login", "/api/v1/me", "/health/live", "/nowhere"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert (await client.get("/api/v1/me")).headers["cache-control"] == "no-store"
