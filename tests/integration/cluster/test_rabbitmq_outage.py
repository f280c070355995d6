"""A RabbitMQ that cuts connections, dies, stands still, closes channels, runs out of memory, and comes back."""

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from tests.contract.bus.inbox import Inbox, quiet, until
from tests.contract.messages import message
from tests.integration.cluster.private_rabbitmq import PrivateRabbitMQ, private_rabbitmq
from tests.integration.cluster.rabbitmq_clients import bare_channel, eventually, letters, new_prefix, opened

from video_manager.adapters.cluster import broker_answers
from video_manager.adapters.cluster.bus import RabbitBus
from video_manager.adapters.cluster.topology import Topology
from video_manager.contracts.envelope import Envelope
from video_manager.errors import NotFound, PermanentError, RetryableError, Unavailable
from video_manager.ports import Subscription

CREATED = "version.created"
KINDS = {"q": CREATED, "render.story": "render.story"}
"""A queue of each type: quorum and classic."""


@pytest.fixture(scope="module")
def server() -> Iterator[PrivateRabbitMQ]:
    with private_rabbitmq() as server:
        yield server


@pytest.fixture
def short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that wait for answers which do not come."""
    monkeypatch.setattr(broker_answers, "ANSWER_SECONDS", 1.0)


@pytest.fixture
def prefix() -> str:
    return new_prefix()


@pytest.fixture
async def bus(server: PrivateRabbitMQ, prefix: str) -> AsyncIterator[RabbitBus]:
    async with opened(server.address(), prefix) as bus:
        yield bus


class Traffic:
    """Publishes without a pause, again what was refused, and counts what two consuming processes handle. Every tenth
    message fails once, every hundredth for good: it is found among the dead letters."""

    def __init__(self, sender: RabbitBus) -> None:
        self.handled: Counter[str] = Counter()
        self.acknowledged: set[str] = set()
        self.refused = 0
        self.longest_seconds = 0.0
        self._failed: set[str] = set()
        self._sender = sender

    async def handle(self, envelope: Envelope) -> None:
        await asyncio.sleep(0.001)
        if envelope.id.endswith("99"):
            raise PermanentError("poison")
        if envelope.id.endswith("5") and envelope.id not in self._failed:
            self._failed.add(envelope.id)
            raise RetryableError("once")
        self.handled[envelope.id] += 1

    async def publish(self, type: str) -> None:
        n = 0
        while True:
            ids = [f"{type}-{n + part}" for part in range(5)]
            began = time.monotonic()
            try:
                await self._sender.publish([message(id, type) for id in ids])
            except (Unavailable, NotFound):  # NotFound: a broker that lost its disk, until a consumer binds again
                self.refused += 1
                await asyncio.sleep(0.05)
                continue
            finally:
                self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)
            self.acknowledged.update(ids)
            n += len(ids)
            await asyncio.sleep(0.005)

    async def flows(self) -> None:
        """Wait until something new of each type is confirmed and handled."""
        before = set(self.acknowledged)
        for kind in KINDS.values():
            await until(partial(self._has_handled_more, kind, before), timeout_seconds=60)

    def _has_handled_more(self, kind: str, before: set[str]) -> bool:
        return any(id.startswith(kind) for id in (self.acknowledged - before) & set(self.handled))

    async def nothing_is_lost(self) -> None:
        async def complete() -> bool:
            dead = {letter.envelope["id"] for letter in await self._sender.dead_letters(100_000)}
            return self.acknowledged <= set(self.handled) | dead

        await eventually(complete, timeout_seconds=60)


@asynccontextmanager
async def traffic(address: str, prefix: str) -> AsyncIterator[Traffic]:
    """Between three processes' worth of buses; everything that was confirmed must have arrived at the end."""
    async with opened(address, prefix) as sender, opened(address, prefix) as first, opened(address, prefix) as second:
        flow = Traffic(sender)
        for queue, type in KINDS.items():
            for bus in (first, second):
                await bus.consume(Subscription(queue, (type,), flow.handle))
        tasks = [asyncio.create_task(flow.publish(type)) for type in KINDS.values()]
        try:
            await flow.flows()
            yield flow
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends
        await flow.nothing_is_lost()


async def test_cut_connections_lose_nothing(server: PrivateRabbitMQ, prefix: str) -> None:
    async with traffic(server.address(), prefix) as flow:
        for _ in range(3):
            await asyncio.to_thread(server.cut_connections)
            await flow.flows()
    assert flow.longest_seconds < broker_answers.ANSWER_SECONDS


async def test_a_killed_broker_loses_nothing_it_confirmed(server: PrivateRabbitMQ, prefix: str) -> None:
    async with traffic(server.address(), prefix) as flow:
        await asyncio.to_thread(server.kill)
        await until(lambda: flow.refused > 0, timeout_seconds=60)  # never said to be published while nobody was there
        await asyncio.to_thread(server.restart)
        await flow.flows()
    assert flow.refused
    assert max(flow.handled.values()) < 5


async def test_a_queue_survives_a_broker_that_dies_right_after_it_was_made(
    server: PrivateRabbitMQ, prefix: str
) -> None:
    async with opened(server.address(), prefix) as bus:
        await bus.declare("q", [CREATED])
        await bus.publish([message("m")])
        await asyncio.to_thread(server.restart)
    inbox = Inbox()
    async with opened(server.address(), prefix) as bus:
        await bus.consume(Subscription("q", (CREATED,), inbox))
        await until(lambda: inbox.ids == ["m"])


@pytest.mark.long
async def test_a_queue_that_was_being_made_when_the_broker_died_is_made_anew(
    server: PrivateRabbitMQ, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(server.address(), prefix), bare_channel(server.address()) as channel:
        # As it is left by a process that ends half-way: nothing is bound to it yet.
        await Topology(prefix).declare_queue(channel, "q", [CREATED])
        await asyncio.to_thread(server.restart)
    inbox = Inbox()
    async with opened(server.address(), prefix) as bus:
        await bus.consume(Subscription("q", (CREATED,), inbox))
        await bus.publish([message("m")])
        await until(lambda: inbox.ids == ["m"])
    assert "made anew" in caplog.text


async def test_two_processes_that_find_a_dead_queue_make_it_anew_once(
    server: PrivateRabbitMQ, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(server.address(), prefix) as first, opened(server.address(), prefix) as second:
        inboxes = {bus: Inbox(*[RetryableError("not yet", 1)] * 2) for bus in (first, second)}
        for (bus, inbox), (queue, type) in zip(inboxes.items(), KINDS.items(), strict=True):
            await bus.consume(Subscription(queue, (type,), inbox))
        async with bare_channel(server.address()) as channel:
            await Topology(prefix).declare_delay(channel, 1024)
            await asyncio.to_thread(server.restart)
        for bus, type in zip(inboxes, KINDS.values(), strict=True):
            await eventually(partial(_published, bus, message(type, type)))
        await until(lambda: all(len(inbox.got) >= 3 for inbox in inboxes.values()), timeout_seconds=60)
    assert caplog.text.count("made anew") == 1


async def _published(bus: RabbitBus, envelope: Envelope) -> bool:
    try:
        await bus.publish([envelope])
    except Unavailable:
        return False
    return True


@pytest.mark.long
async def test_a_broker_that_lost_its_disk_gets_everything_again(server: PrivateRabbitMQ, prefix: str) -> None:
    async with traffic(server.address(), prefix) as flow:
        await asyncio.to_thread(server.kill)
        shutil.rmtree(server.folder / "data")
        await asyncio.to_thread(server.start)
        await flow.flows()
        flow.acknowledged.clear()  # those before are lost with the disk


async def test_a_broker_that_stands_still_is_waited_for(server: PrivateRabbitMQ, prefix: str) -> None:
    async with traffic(server.address(), prefix) as flow:
        server.pause()
        await asyncio.sleep(1)
        server.resume()
        await flow.flows()


@pytest.mark.long
async def test_a_broker_that_stands_still_for_a_minute_is_given_up_and_found_again(
    server: PrivateRabbitMQ, prefix: str
) -> None:
    async with traffic(server.address(), prefix) as flow:
        server.pause()
        await asyncio.sleep(60)
        server.resume()
        await flow.flows()
    assert flow.refused
    assert flow.longest_seconds < broker_answers.ANSWER_SECONDS + 3


@pytest.mark.long
async def test_ten_kills_lose_nothing(server: PrivateRabbitMQ, prefix: str) -> None:
    async with traffic(server.address(), prefix) as flow:
        for _ in range(10):
            await asyncio.to_thread(server.restart)
            await flow.flows()
    assert flow.refused


@pytest.mark.usefixtures("short_answers")
async def test_publishing_while_the_broker_is_down_is_refused_in_time_and_handlers_go_on(
    server: PrivateRabbitMQ, prefix: str
) -> None:
    started, gate, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(envelope: Envelope) -> None:
        started.set()
        await gate.wait()
        ended.set()

    async with opened(server.address(), prefix) as bus:
        await bus.consume(Subscription("q", (CREATED,), slow, prefetch=1))
        await bus.publish([message("m")])
        await started.wait()
        await asyncio.to_thread(server.kill)
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await bus.publish([message("m2")])
        await bus.hint(message("h", "job.progress"))
        with pytest.raises(Unavailable):
            await bus.depth()
        assert time.monotonic() - began < 2 * broker_answers.ANSWER_SECONDS + 3
        gate.set()
        await asyncio.wait_for(ended.wait(), 5)
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(server.wait_ready)

        async def empty() -> bool:
            try:
                return (await bus.depth())["q"] == 0
            except Unavailable:
                return False

        await eventually(empty)


async def test_watchers_and_pauses_survive(server: PrivateRabbitMQ, prefix: str, bus: RabbitBus) -> None:
    watching, paused = Inbox(), Inbox()
    await bus.watch(["version.*", "job.progress"], watching)
    consumer = await bus.consume(Subscription("q", (CREATED,), paused))
    await consumer.pause()
    await asyncio.to_thread(server.cut_connections)
    late = Inbox()
    await bus.watch(["review.*"], late)

    async def seen() -> bool:
        try:
            await bus.publish([message("e"), message("r", "review.decided")])
        except Unavailable:
            return False
        await bus.hint(message("h", "job.progress"))
        await asyncio.sleep(0.05)
        return {"e", "h"} <= set(watching.ids) and "r" in late.ids

    await eventually(seen)
    await quiet()
    assert paused.got == []
    await consumer.resume()
    await until(lambda: "e" in paused.ids)


async def test_a_consumer_that_is_too_slow_for_the_broker_gets_its_message_again(
    server: PrivateRabbitMQ, prefix: str
) -> None:
    server.give_up_slow_consumers_after(300)
    try:
        async with opened(server.address(), prefix) as bus:
            got: list[str] = []

            async def slow_once(envelope: Envelope) -> None:
                got.append(envelope.id)
                if len(got) == 1:
                    await asyncio.sleep(2)

            await bus.consume(Subscription("render.story", ("render.story",), slow_once, prefetch=2))
            await bus.publish([message("m", "render.story")])
            await until(lambda: got == ["m", "m"])
            await bus.publish([message("n", "render.story")])
            await until(lambda: got[2:] == ["n"])
    finally:
        server.give_up_slow_consumers_after(1_800_000)


async def test_no_more_than_prefetch_at_once_even_when_the_channel_is_lost(
    server: PrivateRabbitMQ, prefix: str, bus: RabbitBus
) -> None:
    most, busy, done = 0, 0, Counter[str]()
    gate = asyncio.Event()

    async def handle(envelope: Envelope) -> None:
        nonlocal most, busy
        busy += 1
        most = max(most, busy)
        await gate.wait()
        busy -= 1
        done[envelope.id] += 1

    await bus.consume(Subscription("q", (CREATED,), handle, prefetch=2))
    await bus.publish([message(f"m{n}") for n in range(4)])
    await until(lambda: busy == 2)
    await asyncio.to_thread(server.cut_connections)
    await until(lambda: not bus.is_connected)
    await until(lambda: bus.is_connected)
    await quiet()
    gate.set()
    await until(lambda: len(done) == 4)
    assert most == 2


@pytest.mark.usefixtures("short_answers")
async def test_a_broker_without_memory_refuses_publishers_and_lets_consumers_go_on(
    server: PrivateRabbitMQ, bus: RabbitBus
) -> None:
    inbox = Inbox()
    consumer = await bus.consume(Subscription("q", (CREATED,), inbox))
    await consumer.pause()
    await bus.publish([message("before")])
    server.run_out_of_memory()
    try:
        await consumer.resume()
        await until(lambda: inbox.ids == ["before"])
        with pytest.raises(Unavailable):
            await bus.publish([message("refused")])
        with pytest.raises(Unavailable):
            await bus.ping()
    finally:
        server.have_memory_again()

    async def goes_on() -> bool:
        await bus.ping()
        await bus.publish([message("after")])
        return "after" in inbox.ids

    await eventually(goes_on)


@pytest.mark.usefixtures("short_answers")
async def test_closing_while_the_broker_stands_still_ends(server: PrivateRabbitMQ, prefix: str) -> None:
    async with opened(server.address(), prefix) as bus:
        await bus.consume(Subscription("q", (CREATED,), Inbox()))
        await bus.watch(["version.*"], Inbox())
        server.pause()
        try:
            async with asyncio.timeout(40):
                await bus.close()
        finally:
            server.resume()


async def test_a_resend_whose_answer_is_lost_loses_nothing(
    server: PrivateRabbitMQ, prefix: str, bus: RabbitBus
) -> None:
    inbox = Inbox(PermanentError("no"))
    await bus.consume(Subscription("q", (CREATED,), inbox))
    await bus.publish([message("m")])
    (letter,) = await letters(bus)
    async with opened(server.address(), prefix) as other:
        await asyncio.gather(asyncio.to_thread(server.cut_connections), other.resend(letter.id), return_exceptions=True)

    async def there() -> bool:
        try:
            return bool(await bus.dead_letters()) or len(inbox.ids) >= 2
        except Unavailable:
            return False

    await eventually(there)
