"""Several processes between one database and one broker: messages go out once, and live pages hear of everything."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.replicas.conftest import Pair

from video_manager.adapters.clock import SystemClock
from video_manager.adapters.cluster.bus import RabbitBus
from video_manager.adapters.embedded.bus import SqliteBus
from video_manager.contracts.envelope import Envelope, envelope
from video_manager.contracts.events import JobProgress, VersionReady
from video_manager.domain.access import Actor, Role
from video_manager.gateway.events import EventFeed
from video_manager.outbox import OutboxRelay
from video_manager.ports import CollectionSpec, MessageBus, Subscription

WRITES = 60
VIC = Actor(id="vic", name="Vic", role=Role.VIEWER)


@dataclass
class Processes:
    """Each has its own store, bus and relay; `got` are the ids that the one consumer was given."""

    stores: Pair
    buses: tuple[MessageBus, ...]
    relays: tuple[OutboxRelay, ...]
    got: list[str]


def _ready(video_id: str) -> Envelope:
    body = VersionReady(video_id=video_id, version=1, title="A", created_by="u", findings=0)
    return envelope(body, source="manager", subject=video_id)


@asynccontextmanager
async def opened(*buses: MessageBus) -> AsyncIterator[tuple[MessageBus, ...]]:
    async with AsyncExitStack() as stack:
        for bus in buses:
            await bus.open()
            stack.push_async_callback(bus.close)
        yield buses


@pytest.fixture
async def processes(
    pair: Pair, mongodb: str | None, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Processes]:
    got: list[str] = []
    prefix = f"replicas-{uuid.uuid4().hex[:12]}"

    async def handle(message: Envelope) -> None:
        got.append(message.id)

    def bus() -> MessageBus:
        if mongodb is None:
            return SqliteBus(tmp_path / "bus.sqlite")
        return RabbitBus(str(request.getfixturevalue("module_rabbitmq_url")), prefix=prefix)

    async with opened(bus(), bus()) as buses:
        for store in pair:
            await store.register(CollectionSpec("things"))
        for one in buses:
            await one.declare("q", ("version.*",))
        await buses[0].consume(Subscription("q", ("version.*",), handle))
        # A sweep after a minute: a slow machine does not decide the test.
        relays = tuple(
            OutboxRelay(store, one, SystemClock(), sweep_seconds=60) for store, one in zip(pair, buses, strict=True)
        )
        yield Processes(pair, buses, relays, got)
        for relay in relays:
            await relay.stop()


async def _until_got(processes: Processes, count: int) -> None:
    async with asyncio.timeout(30):
        while len(set(processes.got)) < count:  # noqa: ASYNC110 - a broker delivers
            await asyncio.sleep(0.02)


async def test_two_processes_publish_what_they_wrote_once(processes: Processes) -> None:
    first, second = processes.relays
    await first.start()

    async def write(number: int, process: int) -> None:
        store = processes.stores[process]
        id = f"{process}-{number}"
        await store.insert("things", id, {"id": id}, outbox=[_ready(id), _ready(id)])
        await store.replace("things", id, 1, {"id": id}, outbox=[_ready(id)])

    for number in range(WRITES):
        if number == WRITES // 2:
            await second.start()  # it sweeps, while the first one's messages are on their way
        await asyncio.gather(*(write(number, process) for process in range(1 + (number >= WRITES // 2))))
    count = 3 * (WRITES + WRITES // 2)
    await _until_got(processes, count)
    for relay in processes.relays:
        await relay.stop()
    assert await processes.stores[0].unsent() == []
    assert len(processes.got) == count


async def test_what_a_dead_process_left_is_sent_by_another(processes: Processes) -> None:
    """It wrote, and was killed before it published."""
    for number in range(WRITES):
        await processes.stores[0].insert("things", f"{number}", {"id": f"{number}"}, outbox=[_ready(f"{number}")])
    relay = OutboxRelay(processes.stores[1], processes.buses[1], SystemClock(), sweep_seconds=0.2)
    await relay.start()
    await _until_got(processes, WRITES)
    await relay.stop()
    assert await processes.stores[0].unsent() == []


async def test_the_streams_of_two_gateways_get_events_and_hints_of_other_processes(module_rabbitmq_url: str) -> None:
    async def may_view() -> Actor:
        return VIC

    async with opened(*(RabbitBus(module_rabbitmq_url) for _ in range(3))) as (one, two, elsewhere):
        feeds = [EventFeed(one), EventFeed(two)]
        for feed in feeds:
            await feed.open()
        streams = [feed.events(may_view) for feed in feeds]
        first = [asyncio.ensure_future(anext(stream)) for stream in streams]
        while [feed.clients for feed in feeds] != [1, 1]:  # noqa: ASYNC110 - both streams are listening then
            await asyncio.sleep(0.01)
        event = _ready("v")
        progress = JobProgress(job_id="j", video_id="v", version=1, kind="render", progress=0.5, stage="half")
        hint = envelope(progress, source="generation", subject="j")
        async with asyncio.timeout(20):
            await elsewhere.publish([event])
            assert [message.id for message in await asyncio.gather(*first)] == [event.id] * 2
            await elsewhere.hint(hint)
            assert [(await anext(stream)).id for stream in streams] == [hint.id] * 2
        for stream in streams:
            await stream.aclose()
        for feed in feeds:
            await feed.close()
