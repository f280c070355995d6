"""A repeated POST with the same Idempotency-Key."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from fastapi import APIRouter
from pydantic import BaseModel
from tests.integration.gateway.server import until
from tests.integration.gateway.world import World, started_world

from video_manager.domain.access import Role
from video_manager.domain.model import derived_id
from video_manager.errors import Conflict
from video_manager.gateway import idempotency
from video_manager.settings import Settings
from video_manager.web import CurrentActor, RequestIds


class Made(BaseModel):
    id: str
    number: int


class Counter:
    """Routes that count what really happened."""

    def __init__(self) -> None:
        self.made = 0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.fails = False
        self.router = APIRouter()

        @self.router.post("/things", status_code=202)
        async def make(actor: CurrentActor, new_id: RequestIds, body: dict[str, str]) -> Made:
            self.made += 1
            await self.go_on.wait()
            if self.fails:
                raise Conflict("not now")
            return Made(id=new_id("thing"), number=self.made)


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
async def world(settings: Settings, counter: Counter) -> AsyncIterator[World]:
    async with started_world(settings, api_routers=[counter.router]) as world:
        yield world


KEY = {"Idempotency-Key": "k1"}
URL = "/api/v1/things"


async def test_the_second_time_nothing_happens(world: World, counter: Counter) -> None:
    async with world.client(Role.PRODUCER) as client:
        first = await client.post(URL, json={"a": "b"}, headers=KEY)
        again = await client.post(URL, json={"a": "b"}, headers=KEY)
    assert (first.status_code, counter.made) == (202, 1)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["content-type"] == first.headers["content-type"]


async def test_another_body_actor_path_or_key_is_another_request(world: World, counter: Counter) -> None:
    async with world.client(Role.PRODUCER) as client, world.client(Role.ADMIN) as other:
        await client.post(URL, json={"a": "b"}, headers=KEY)
        answer = await client.post(URL, json={"a": "c"}, headers=KEY)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert (await client.post(URL, json={"a": "c"}, headers={"Idempotency-Key": "k2"})).status_code == 202
        assert (await other.post(URL, json={"a": "c"}, headers=KEY)).status_code == 202
        assert (await client.post(URL, json={"a": "c"})).status_code == 202
    assert counter.made == 4


async def test_while_the_first_one_runs(world: World, counter: Counter) -> None:
    counter.go_on.clear()
    async with world.client(Role.PRODUCER) as client:
        first = asyncio.create_task(client.post(URL, json={}, headers=KEY))
        await until(lambda: counter.made == 1)
        early = await client.post(URL, json={}, headers=KEY)
        assert (early.status_code, early.json()["code"]) == (409, "request_running")
        assert early.headers["retry-after"] == "1"
        counter.go_on.set()
        assert (await first).status_code == 202
        assert (await client.post(URL, json={}, headers=KEY)).headers["idempotency-replayed"] == "true"
    assert counter.made == 1


async def test_a_failure_is_not_kept(world: World, counter: Counter) -> None:
    async with world.client(Role.PRODUCER) as client:
        counter.fails = True
        assert (await client.post(URL, json={}, headers=KEY)).status_code == 409
        counter.fails = False
        answer = await client.post(URL, json={}, headers=KEY)
    assert (answer.status_code, answer.json()["number"]) == (202, 2)


async def test_a_cancelled_request_may_be_repeated(world: World, counter: Counter) -> None:
    counter.go_on.clear()
    async with world.client(Role.PRODUCER) as client:
        first = asyncio.create_task(client.post(URL, json={}, headers=KEY))
        await until(lambda: counter.made == 1)
        first.cancel()
        await asyncio.wait([first])
        counter.go_on.set()
        assert (await client.post(URL, json={}, headers=KEY)).json()["number"] == 2


async def test_a_request_that_died_with_its_process_is_taken_over(
    world: World, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed process leaves behind: a record without an answer."""
    records = world.parts.idempotency
    id = derived_id("idempotency-record", f"key-{Role.PRODUCER}", URL, "k1")
    body = b'{"a":"b"}'
    assert await records.begin(id, records.fingerprint(b"", b"application/json", body)) is None
    async with world.client(Role.PRODUCER) as client:

        async def send() -> int:
            headers = KEY | {"Content-Type": "application/json"}
            return (await client.post(URL, content=body, headers=headers)).status_code

        assert await send() == 409
        monkeypatch.setattr(idempotency, "TAKEOVER", timedelta(0))
        assert await send() == 202
        assert await send() == 202
    assert counter.made == 1


async def test_secrets_are_not_kept(world: World) -> None:
    async with world.client(Role.ADMIN) as client:
        key = {"name": "ci", "role": "viewer"}
        first = await client.post("/api/v1/keys", json=key, headers=KEY)
        again = await client.post("/api/v1/keys", json=key, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 409)
    assert "new Idempotency-Key" in again.json()["detail"]
    assert again.headers["idempotency-replayed"] == "true"
    documents = b"".join(path.read_bytes() for path in world.settings.data_dir.glob("documents.db*"))
    assert first.json()["key"].encode() not in documents


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_impossible_keys(world: World, key: str) -> None:
    async with world.client(Role.PRODUCER) as client:
        answer = await client.post(URL, json={}, headers={"Idempotency-Key": key})
    assert answer.status_code == 422


async def test_records_are_swept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    records = world.parts.idempotency
    await records.begin("fresh", "f")
    monkeypatch.setattr(idempotency, "LIFETIME", timedelta(0))
    await records.begin("old", "f")
    assert await records.sweep() == 1
    assert await records.sweep() == 0
