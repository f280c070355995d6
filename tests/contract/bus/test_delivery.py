"""Who gets what: queues, prefixes, priorities, prefetch, pausing, closing."""

import asyncio

import pytest
from tests.contract.bus.backends import Backend
from tests.contract.bus.inbox import Inbox, quiet, until
from tests.contract.messages import message

from video_manager.contracts.envelope import Envelope
from video_manager.errors import NotFound
from video_manager.ports import MessageBus, Subscription


async def test_a_message_arrives_as_it_was(bus: MessageBus) -> None:
    inbox = Inbox()
    await bus.consume(Subscription("q", ("version.created",), inbox))
    sent = message("m", priority=7)
    await bus.publish([sent])
    await until(lambda: len(inbox.got) == 1)
    assert inbox.got == [sent]
    await quiet()
    assert len(inbox.got) == 1


async def test_every_queue_gets_it_once_however_many_consume(bus: MessageBus) -> None:
    first, second, other = Inbox(), Inbox(), Inbox()
    await bus.consume(Subscription("shared", ("version.*",), first))
    await bus.consume(Subscription("shared", ("version.*",), second))
    await bus.consume(Subscription("other", ("version.*",), other))
    ids = {f"m{n}" for n in range(50)}
    await bus.publish([message(id) for id in ids])
    await until(lambda: len(first.got) + len(second.got) >= 50 and len(other.got) >= 50)
    await quiet()
    assert sorted(first.ids + second.ids) == sorted(ids)
    assert sorted(other.ids) == sorted(ids)


async def test_prefixes_match_whole_words(bus: MessageBus) -> None:
    inbox = Inbox()
    await bus.consume(Subscription("q", ("publication.*", "review.decided"), inbox))
    types = ["publication.published", "publication.failed", "publications.x", "review.decided", "review.decided2", "x"]
    await bus.publish([message(type, type) for type in types])
    await until(lambda: len(inbox.got) == 3)
    await quiet()
    assert sorted(inbox.ids) == ["publication.failed", "publication.published", "review.decided"]


async def test_a_type_that_matches_twice_arrives_once(bus: MessageBus) -> None:
    inbox = Inbox()
    await bus.consume(Subscription("q", ("version.*", "version.created"), inbox))
    await bus.publish([message("m")])
    await until(lambda: bool(inbox.got))
    await quiet()
    assert inbox.ids == ["m"]


async def test_a_declared_queue_keeps_messages_for_later(bus: MessageBus) -> None:
    await bus.declare("q", ["version.created"])
    await bus.publish([message("m1"), message("m2")])
    assert (await bus.depth())["q"] == 2
    inbox = Inbox()
    await bus.consume(Subscription("q", ("version.created",), inbox))
    await until(lambda: inbox.ids == ["m1", "m2"])
    await until_empty(bus, "q")


async def test_declaring_again_replaces_the_types(bus: MessageBus) -> None:
    await bus.declare("q", ["version.created", "review.decided"])
    await bus.declare("q", ["version.ready", "review.decided"])
    await bus.publish([message("old"), message("new", "version.ready"), message("kept", "review.decided")])
    assert await bus.depth() == {"q": 2}


async def test_messages_of_one_priority_come_in_order(bus: MessageBus) -> None:
    inbox = Inbox()
    await bus.declare("q", ["version.created"])
    ids = [f"m{n:03}" for n in range(100)]
    for id in ids:
        await bus.publish([message(id)])
    await bus.consume(Subscription("q", ("version.created",), inbox, prefetch=1))
    await until(lambda: len(inbox.got) == 100)
    assert inbox.ids == ids


async def test_higher_priorities_come_first_where_work_waits(bus: MessageBus) -> None:
    inbox = Inbox()
    await bus.declare("render.story", ["render.story"])
    priorities = [5, 0, 9, 3, 9, 5]
    await bus.publish([message(f"{n}-{p}", "render.story", priority=p) for n, p in enumerate(priorities)])
    await bus.consume(Subscription("render.story", ("render.story",), inbox, prefetch=1))
    await until(lambda: len(inbox.got) == len(priorities))
    assert [envelope.priority for envelope in inbox.got] == sorted(priorities, reverse=True)


async def test_no_more_than_prefetch_at_once(bus: MessageBus) -> None:
    running = most = 0
    done = 0

    async def handle(envelope: Envelope) -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        done += 1

    await bus.consume(Subscription("q", ("version.created",), handle, prefetch=3))
    await bus.publish([message(f"m{n}") for n in range(20)])
    await until(lambda: done == 20)
    assert most == 3


async def test_an_open_bus_gives_a_sign_of_life(bus: MessageBus) -> None:
    await bus.declare("q", ["version.created"])
    await bus.ping()
    assert await bus.depth() == {"q": 0}, "it leaves nothing behind"


async def test_depth_counts_what_waits(bus: MessageBus) -> None:
    await bus.declare("empty", ["review.decided"])
    gate = asyncio.Event()

    async def handle(envelope: Envelope) -> None:
        await gate.wait()

    await bus.consume(Subscription("q", ("version.created",), handle, prefetch=2))
    await bus.publish([message(f"m{n}") for n in range(5)])
    await _until_depth(bus, "q", 3)
    assert (await bus.depth())["empty"] == 0
    gate.set()
    await until_empty(bus, "q")


async def test_a_command_that_nobody_handles_is_said(bus: MessageBus) -> None:
    await bus.declare("q", ["version.created"])
    for command in ("render.story", "job.open", "publication.create", "processing"):
        with pytest.raises(NotFound, match=command.replace(".", r"\.")):
            await bus.publish([message("m", command)])
    await bus.publish([message("m", "review.decided")])
    await bus.publish([message("m", "render.finished")])


async def test_pause_stops_taking_and_resume_goes_on(bus: MessageBus) -> None:
    inbox = Inbox()
    consumer = await bus.consume(Subscription("q", ("version.created",), inbox))
    await consumer.pause()
    await bus.publish([message("m1")])
    await quiet()
    assert inbox.got == []
    await consumer.resume()
    await until(lambda: inbox.ids == ["m1"])


async def test_what_is_being_handled_goes_on_while_paused(bus: MessageBus) -> None:
    started, gate, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handle(envelope: Envelope) -> None:
        started.set()
        await gate.wait()
        ended.set()

    consumer = await bus.consume(Subscription("q", ("version.created",), handle, prefetch=1))
    await bus.publish([message("m1")])
    await started.wait()
    await consumer.pause()
    gate.set()
    await asyncio.wait_for(ended.wait(), 5)
    await until_empty(bus, "q")


async def test_close_lets_handlers_end_and_gives_back_the_rest(backend: Backend, place: str) -> None:
    bus = backend.connect(place)
    await bus.open()
    started, handled = asyncio.Event(), []

    async def slow(envelope: Envelope) -> None:
        started.set()
        await asyncio.sleep(0.1)
        handled.append(envelope.id)

    await bus.consume(Subscription("q", ("version.created",), slow, prefetch=1))
    await bus.publish([message("m1"), message("m2")])
    await started.wait()
    await bus.close()
    assert handled == ["m1"]

    again = backend.connect(place)
    await again.open()
    try:
        inbox = Inbox()
        await again.consume(Subscription("q", ("version.created",), inbox))
        await until(lambda: inbox.ids == ["m2"])
        await quiet()
        assert inbox.ids == ["m2"]
    finally:
        await again.close()


async def test_queues_outlive_the_process_that_declared_them(backend: Backend, place: str) -> None:
    bus = backend.connect(place)
    await bus.open()
    await bus.declare("workers", ["render.story"])
    await bus.close()
    again = backend.connect(place)
    await again.open()
    try:
        await again.publish([message("m", "render.story")])
        assert (await again.depth())["workers"] == 1
    finally:
        await again.close()


async def test_another_process_publishes_and_declares(backend: Backend, place: str, bus: MessageBus) -> None:
    inbox = Inbox()
    await bus.consume(Subscription("q", ("version.created",), inbox))
    other = backend.connect(place)
    await other.open()
    try:
        await other.declare("elsewhere", ["review.decided"])
        await other.publish([message("m")])
        await until(lambda: inbox.ids == ["m"])
        await bus.publish([message("r", "review.decided")])
        assert (await other.depth())["elsewhere"] == 1
    finally:
        await other.close()


async def test_publishing_nothing_is_nothing(bus: MessageBus) -> None:
    await bus.publish([])


async def _until_depth(bus: MessageBus, queue: str, expected: int) -> None:
    for _ in range(1000):
        if (await bus.depth())[queue] == expected:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{queue} holds {(await bus.depth())[queue]}, not {expected}")


async def until_empty(bus: MessageBus, queue: str) -> None:
    await _until_depth(bus, queue, 0)
