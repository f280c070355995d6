"""The relay between the real document store and the real bus."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.contract.conftest import lines_until_killed
from tests.contract.messages import message
from tests.fakes.clock import VirtualClock
from tests.integration.outbox_process import STEPS, Ring

from video_manager.adapters.backoff import Backoff
from video_manager.adapters.clock import SystemClock
from video_manager.adapters.embedded.bus import SqliteBus
from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.contracts.envelope import Body, Envelope
from video_manager.contracts.events import RenderFinished, VersionReady
from video_manager.errors import PermanentError
from video_manager.messaging import HandlerTable
from video_manager.outbox import OutboxRelay
from video_manager.ports import CollectionSpec, Op, Subscription, Unsent, Where

KILLS = 8
WRITES = 150


class FlakyBus(SqliteBus):
    """Its disk or broker fails as often as told."""

    failures = 0
    published: list[list[str]]

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        self.published.append([envelope.id for envelope in envelopes])
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the broker is away")
        await super().publish(envelopes)


@dataclass
class System:
    store: SqliteDocuments
    bus: FlakyBus
    relay: OutboxRelay
    got: list[str]

    async def handle(self, envelope: Envelope) -> None:
        self.got.append(envelope.id)

    async def consume(self, *types: str) -> None:
        await self.bus.consume(Subscription("q", types, self.handle, prefetch=1))


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    store = SqliteDocuments(tmp_path / "documents.db")
    bus = FlakyBus(tmp_path / "bus.db", Backoff(0.02, 0.1))
    bus.published = []
    await store.open()
    await store.register(CollectionSpec("things"))
    await bus.open()
    relay = OutboxRelay(store, bus, SystemClock(), sweep_seconds=0.05)
    yield System(store, bus, relay, [])
    await relay.stop()
    await bus.close()
    await store.close()


async def until(holds: Callable[[], bool], timeout_seconds: float = 10) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.005)


async def until_empty(store: SqliteDocuments, but: Sequence[str] = ()) -> None:
    for _ in range(1000):
        if [one.id for document in await store.unsent() for one in document.messages] == list(but):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"still waiting: {await store.unsent()}")


async def test_a_write_is_relayed_at_once_and_in_order(system: System) -> None:
    await system.consume("version.*")
    await system.relay.start()
    await system.store.insert("things", "a", {"id": "a"}, outbox=[message("m1"), message("m2")])
    await system.store.replace("things", "a", 1, {"id": "a"}, outbox=[message("m3")])
    await until(lambda: len(system.got) == 3)
    assert system.got == ["m1", "m2", "m3"]
    await until_empty(system.store)


async def test_what_a_crash_left_is_relayed_at_start(system: System) -> None:
    await system.consume("version.*")
    for n in range(250):
        await system.store.insert("things", str(n), {"id": str(n)}, outbox=[message(f"m{n}")])
    await system.relay.start()
    await until_empty(system.store)
    await until(lambda: len(system.got) == 250)
    assert sorted(system.got) == sorted(f"m{n}" for n in range(250))


async def test_what_another_process_writes_is_swept(system: System, tmp_path: Path) -> None:
    await system.consume("version.*")
    await system.relay.start()
    other = SqliteDocuments(tmp_path / "documents.db")
    await other.open()
    try:
        await other.register(CollectionSpec("things"))
        await other.insert("things", "a", {"id": "a"}, outbox=[message("m")])
        await until(lambda: system.got == ["m"])
    finally:
        await other.close()


async def test_a_message_that_nobody_handles_holds_up_nobody(system: System) -> None:
    await system.consume("version.*")
    await system.relay.start()
    stuck = message("stuck", "render.story")
    await system.store.insert("things", "a", {"id": "a"}, outbox=[message("m1"), stuck, message("m2")])
    for n in range(130):
        await system.store.insert("things", f"b{n}", {"id": f"b{n}"}, outbox=[message(f"n{n}")])
    await until(lambda: len(set(system.got)) == 132)
    await until_empty(system.store, but=["stuck"])

    await system.bus.declare("workers", ["render.story"])
    await until_empty(system.store)
    assert (await system.bus.depth())["workers"] == 1


async def test_many_stuck_messages_do_not_hide_the_others(system: System) -> None:
    await system.consume("version.*")
    for n in range(150):
        await system.store.insert("things", f"a{n}", {"id": f"a{n}"}, outbox=[message(f"s{n}", "render.story")])
    await system.store.insert("things", "z", {"id": "z"}, outbox=[message("m")])
    await system.relay.start()
    await until(lambda: "m" in system.got)


async def test_a_held_message_is_tried_less_and_less_often(system: System) -> None:
    await system.relay.start()
    await system.store.insert("things", "a", {"id": "a"}, outbox=[message("stuck", "render.story")])
    await asyncio.sleep(1.0)
    tries = sum(batch == ["stuck"] for batch in system.bus.published)
    # In batch and singly at each try; at 0, 0.05, 0.15, 0.35, 0.75 s rather than every 0.05 s.
    assert 4 <= tries <= 14


async def test_a_bus_that_is_away_for_a_moment_loses_nothing(system: System) -> None:
    await system.consume("version.*")
    system.bus.failures = 3
    await system.relay.start()
    await system.store.insert("things", "a", {"id": "a"}, outbox=[message("m1"), message("m2")])
    await until(lambda: system.got == ["m1", "m2"])
    await until_empty(system.store)


async def test_lag_is_the_age_of_the_longest_waiting_message(system: System) -> None:
    clock = VirtualClock()
    relay = OutboxRelay(system.store, system.bus, clock)
    assert await relay.lag_seconds() == 0
    await system.store.insert("things", "a", {"id": "a"}, outbox=[message("m", time=clock.now())])
    await clock.advance(42)
    assert await relay.lag_seconds() == 42


async def test_after_stop_nothing_is_sent_and_start_goes_on(system: System) -> None:
    await system.consume("version.*")
    await system.relay.start()
    await system.relay.stop()
    await system.store.insert("things", "a", {"id": "a"}, outbox=[message("m")])
    await asyncio.sleep(0.15)
    assert system.got == []
    await system.relay.start()
    await until(lambda: system.got == ["m"])


async def test_what_stops_is_sent_first(system: System) -> None:
    await system.consume("version.*")
    await system.relay.start()
    for n in range(300):
        await system.store.insert("things", f"{n}", {"id": f"{n}"}, outbox=[message(f"m{n}")])
    await system.relay.stop()
    assert await system.store.unsent() == []
    await until(lambda: len(system.got) == 300)


async def test_what_is_written_is_published_once_and_from_memory(system: System) -> None:
    await system.consume("version.*")
    await system.relay.start()
    for n in range(100):
        await system.store.insert("things", f"{n}", {"id": f"{n}"}, outbox=[message(f"m{n}"), message(f"n{n}")])
    await until_empty(system.store)
    published = [id for batch in system.bus.published for id in batch]
    assert sorted(published) == sorted(f"{letter}{n}" for letter in "mn" for n in range(100))


class MarkedStore(SqliteDocuments):
    """Remembers how many documents each write marked; the first ones fail, as often as told."""

    failures = 0
    marks: list[int]

    async def mark_all_sent(self, sent: Sequence[Unsent]) -> None:
        self.marks.append(len(sent))
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the store is away")
        await super().mark_all_sent(sent)


@pytest.fixture
async def marked(tmp_path: Path) -> AsyncIterator[MarkedStore]:
    store = MarkedStore(tmp_path / "marked.db")
    store.marks = []
    await store.open()
    await store.register(CollectionSpec("things"))
    yield store
    await store.close()


async def test_what_was_sent_is_marked_together(system: System, marked: MarkedStore) -> None:
    clock = VirtualClock()
    await system.consume("version.*")
    relay = OutboxRelay(marked, system.bus, clock)
    await relay.start()
    for n in range(20):
        await marked.insert("things", f"{n}", {"id": f"{n}"}, outbox=[message(f"m{n}", time=clock.now())])
        await until(lambda sent=n: len(system.got) > sent)  # type: ignore[misc]  # each published by itself
    assert marked.marks == []
    await clock.advance(0.3)  # more was sent since the first
    assert marked.marks == []
    await clock.advance(0.3)
    await until_empty(marked)
    assert marked.marks == [20]
    assert not relay._in_hand
    await relay.stop()


async def test_a_document_that_goes_on_is_marked_for_several_messages_and_not_too_late(
    system: System, marked: MarkedStore
) -> None:
    clock = VirtualClock()
    await system.consume("version.*")
    relay = OutboxRelay(marked, system.bus, clock)
    await relay.start()
    await marked.insert("things", "a", {"id": "a"}, outbox=[message("m1", time=clock.now())])
    for n in range(1, 12):
        await until(lambda sent=n: len(system.got) >= sent)  # type: ignore[misc]
        await clock.advance(0.2)
        await marked.replace("things", "a", n, {"id": "a"}, outbox=[message(f"m{n + 1}", time=clock.now())])
    assert marked.marks[:1] == [1], "one document, though it never rested"
    assert len(marked.marks) == 2, "once a second"
    await until(lambda: len(system.got) == 12)
    for _ in range(2):
        await clock.advance(0.3)
    await until_empty(marked)
    await relay.stop()


async def test_what_could_not_be_marked_is_sent_again(system: System, marked: MarkedStore) -> None:
    await system.consume("version.*")
    marked.failures = 1
    relay = OutboxRelay(marked, system.bus, SystemClock(), sweep_seconds=0.05)
    await relay.start()
    await marked.insert("things", "a", {"id": "a"}, outbox=[message("m1")])
    await until_empty(marked)
    await marked.replace("things", "a", 1, {"id": "a"}, outbox=[message("m2")])
    await until_empty(marked)
    await until(lambda: system.got == ["m1", "m1", "m2"])
    await relay.stop()


async def test_a_stop_marks_what_was_sent(system: System, marked: MarkedStore) -> None:
    clock = VirtualClock()
    await system.consume("version.*")
    relay = OutboxRelay(marked, system.bus, clock)
    await relay.start()
    await marked.insert("things", "a", {"id": "a"}, outbox=[message("m", time=clock.now())])
    await until(lambda: system.got == ["m"])
    await relay.stop()
    assert await marked.unsent() == []


class GatedBus(SqliteBus):
    """Publishes when it is let."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.gate = asyncio.Event()
        self.asked = 0

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        self.asked += len(envelopes)
        await self.gate.wait()
        await super().publish(envelopes)


async def test_processes_leave_each_others_fresh_messages_alone(system: System, tmp_path: Path) -> None:
    """The other one's are taken only when they have waited too long: then it has died."""
    clock = VirtualClock()
    ours, others = GatedBus(tmp_path / "ours.db"), GatedBus(tmp_path / "others.db")
    store = SqliteDocuments(tmp_path / "documents.db")
    relays = [OutboxRelay(system.store, ours, clock), OutboxRelay(store, others, clock)]
    for part in (store, ours, others):
        await part.open()
    others.gate.set()
    try:
        await store.register(CollectionSpec("things"))
        for relay in relays:
            await relay.start()
        await system.store.insert("things", "a", {"id": "a"}, outbox=[message("m", time=clock.now())])
        for _ in range(29):
            await clock.advance(0.1)
            await asyncio.sleep(0.01)
        assert (ours.asked, others.asked) == (1, 0)
        for _ in range(100):
            await clock.advance(0.1)
            await asyncio.sleep(0.01)
            if others.asked:
                break
        assert others.asked == 1
        ours.gate.set()
        for relay in relays:
            await relay.stop()
        assert ours.asked == 1
    finally:
        for part in (store, ours, others):
            await part.close()


async def test_after_a_failure_memory_is_bounded_and_nothing_is_lost(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("video_manager.outbox.MOST_IN_HAND", 10)
    await system.consume("version.*")
    await system.relay.start()
    system.bus.failures = 2
    for n in range(60):
        await system.store.insert("things", f"{n}", {"id": f"{n}"}, outbox=[message(f"m{n}")])
        assert len(system.relay._in_hand) <= 10
    await until(lambda: set(system.got) == {f"m{n}" for n in range(60)})
    await until_empty(system.store)
    assert not system.relay._in_hand


@pytest.mark.slow
async def test_many_processes_publish_every_message_once(tmp_path: Path) -> None:
    """Each start sweeps; it must not take what the processes before it are just publishing."""
    bus, got = SqliteBus(tmp_path / "bus.db"), []

    async def handle(envelope: Envelope) -> None:
        got.append(envelope.id)

    await bus.open()
    await bus.consume(Subscription("q", ("version.*",), handle))
    writers = []
    try:
        for n in range(3):
            module = ("-m", "tests.integration.outbox_writer", str(tmp_path), f"w{n}", str(WRITES))
            writers.append(await asyncio.create_subprocess_exec(sys.executable, *module))
        assert [await writer.wait() for writer in writers] == [0, 0, 0]
        await until(lambda: len(set(got)) == 3 * WRITES)
        assert len(got) == 3 * WRITES
    finally:
        await bus.close()


@pytest.mark.slow
async def test_kill_9_loses_no_message_and_doubles_no_effect(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    for run in range(KILLS):
        acknowledged |= set(
            await asyncio.to_thread(
                lines_until_killed, "tests.integration.outbox_process", str(tmp_path), str(run),
                after_seconds=0.05 * (run % 4),
            )
        )  # fmt: skip
    ring = Ring(tmp_path)
    await ring.start()
    try:
        for _ in range(1000):
            resting = await ring.tokens.count(Where("steps", Op.EQ, STEPS))
            if resting >= len(acknowledged) and resting == await ring.tokens.count():
                break
            await asyncio.sleep(0.02)
        await until_empty(ring.store)
        await asyncio.sleep(0.2)
        assert await ring.tokens.count_by("steps") == {STEPS: await ring.tokens.count()}
        assert len(await ring.tokens.load_many(sorted(acknowledged))) == len(acknowledged)
        assert await ring.bus.dead_letters() == []
    finally:
        await ring.stop()
    assert len(acknowledged) > KILLS


# ---- the handler table ------------------------------------------------------------------------------------


class Methods:
    def __init__(self) -> None:
        self.bodies: list[Body] = []

    async def finished(self, _: Envelope, body: RenderFinished) -> None:
        self.bodies.append(body)


def _finished(**data: object) -> Envelope:
    fields = {"job_id": "j", "video_id": "v", "version": 1, "attempt": 1, **data}
    return message("m", "render.finished").model_copy(update={"data": fields})


async def test_the_method_gets_the_typed_body() -> None:
    methods = Methods()
    table = HandlerTable({RenderFinished: methods.finished})
    assert table.types == ("render.finished",)
    await table(_finished(field_of_tomorrow=1))
    assert methods.bodies == [RenderFinished(job_id="j", video_id="v", version=1, attempt=1)]


async def test_a_body_that_does_not_fit_is_permanent() -> None:
    with pytest.raises(PermanentError, match="does not fit"):
        await HandlerTable({RenderFinished: Methods().finished})(_finished(version="many"))


async def test_a_type_that_is_not_in_the_table_is_permanent() -> None:
    with pytest.raises(PermanentError, match="does not handle"):
        await HandlerTable({VersionReady: Methods().finished})(_finished())
    with pytest.raises(PermanentError, match="unknown message type"):
        await HandlerTable({})(message("m", "nothing.known"))
