"""Live events over a real connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from tests.integration.gateway.server import served, until
from tests.integration.gateway.world import World

from video_manager.contracts.envelope import Envelope, envelope
from video_manager.contracts.events import JobProgress, VideoDeleted
from video_manager.domain.access import SYSTEM, Actor, Role
from video_manager.gateway.events import QUEUE_SIZE


def progress(value: float) -> Envelope:
    body = JobProgress(job_id="j", video_id="v", version=1, kind="render", progress=value, stage="frames")
    return envelope(body, source="test", subject="v")


@asynccontextmanager
async def listening(world: World, base: str, role: Role = Role.VIEWER) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
    headers = {"Authorization": f"Bearer {world.keys[role]}"}
    async with (
        httpx.AsyncClient(base_url=base, headers=headers) as client,
        client.stream("GET", "/api/v1/events", timeout=10) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = parsed(answer.aiter_lines())
        assert (await anext(events))["retry"] == "2000"
        await until(lambda: world.parts.events.clients > 0)
        yield events


async def parsed(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, str]]:
    event: dict[str, str] = {}
    async for line in lines:
        if not line:
            yield event
            event = {}
        else:
            name, _, value = line.partition(": ")
            event[name] = value


async def test_events_and_hints_arrive(world: World) -> None:
    async with served(world) as base, listening(world, base) as events:
        sent = progress(0.5)
        await world.bus.hint(sent)
        event = await anext(events)
        assert (event["event"], event["id"]) == ("job.progress", sent.id)
        data: dict[str, Any] = json.loads(event["data"])
        assert data["data"]["progress"] == 0.5
        deleted = envelope(VideoDeleted(video_id="v", deleted_by="u"), source="test", subject="v")
        await world.bus.publish([deleted])
        assert (await anext(events))["event"] == "video.deleted"


async def test_the_end_of_a_connection_is_noticed(world: World) -> None:
    async with served(world) as base:
        async with listening(world, base):
            pass
        await until(lambda: world.parts.events.clients == 0)


async def test_a_slow_client_is_dropped_and_the_others_go_on(world: World) -> None:
    feed = world.parts.events

    async def recheck() -> Actor | None:
        return SYSTEM

    slow, quick = feed.events(recheck), feed.events(recheck)
    first = [asyncio.ensure_future(anext(slow)), asyncio.ensure_future(anext(quick))]
    await until(lambda: feed.clients == 2)
    seen = 0
    for number in range(QUEUE_SIZE + 5):
        await feed._deliver(progress(number / 1000))
        if number == 0:
            await asyncio.gather(*first)
        else:
            await anext(quick)
        seen += 1
    assert seen == QUEUE_SIZE + 5
    assert feed.clients == 1
    with pytest.raises(StopAsyncIteration):
        await anext(slow)
    await quick.aclose()  # type: ignore[attr-defined]


async def test_who_loses_the_right_loses_the_stream(world: World) -> None:
    actor: Actor | None = SYSTEM

    async def recheck() -> Actor | None:
        return actor

    stream = world.parts.events.events(recheck, heartbeat_seconds=0.05)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.12)
    assert not waiting.done()
    actor = None
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_closing_ends_the_streams(world: World) -> None:
    async with served(world) as base, listening(world, base) as events:
        await world.parts.events.close()
        with pytest.raises(StopAsyncIteration):
            await anext(events)


async def test_a_shutdown_of_the_server_ends_the_streams_before_the_lifespan_does(world: World) -> None:
    async with served(world) as base, listening(world, base) as events:
        world.parts.events.stopping.set()
        with pytest.raises(StopAsyncIteration):
            await anext(events)
        await until(lambda: world.parts.events.clients == 0)
