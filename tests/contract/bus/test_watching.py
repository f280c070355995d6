"""Hints and live listening."""

import asyncio

import pytest
from tests.contract.bus.inbox import Inbox, quiet, until
from tests.contract.messages import message

from video_manager.contracts.envelope import Envelope
from video_manager.ports import MessageBus, Subscription


async def test_every_watcher_sees_what_is_published(bus: MessageBus) -> None:
    first, second, other = Inbox(), Inbox(), Inbox()
    await bus.watch(["version.*"], first)
    await bus.watch(["version.created"], second)
    await bus.watch(["review.*"], other)
    await bus.publish([message("m1"), message("m2")])
    await until(lambda: first.ids == ["m1", "m2"] == second.ids)
    await quiet()
    assert other.got == []


async def test_a_hint_reaches_watchers_and_is_never_stored(bus: MessageBus) -> None:
    watching, consuming = Inbox(), Inbox()
    await bus.watch(["job.*"], watching)
    await bus.consume(Subscription("q", ("job.*",), consuming))
    await bus.hint(message("p", "job.progress"))
    await until(lambda: watching.ids == ["p"])
    await quiet()
    assert consuming.got == []
    assert (await bus.depth())["q"] == 0


async def test_stopping_ends_it(bus: MessageBus) -> None:
    inbox = Inbox()
    stop = await bus.watch(["version.*"], inbox)
    await stop()
    await stop()
    await bus.publish([message("m")])
    await quiet()
    assert inbox.got == []


async def test_a_watcher_may_stop_itself(bus: MessageBus) -> None:
    got = []

    async def once(envelope: Envelope) -> None:
        got.append(envelope.id)
        await stop()

    stop = await bus.watch(["version.*"], once)
    await bus.publish([message("m1"), message("m2")])
    await until(lambda: bool(got))
    await quiet()
    assert got == ["m1"]


async def test_a_failing_watcher_goes_on_and_harms_nobody(bus: MessageBus) -> None:
    failing, good = Inbox(RuntimeError("page is gone")), Inbox()
    await bus.watch(["version.*"], failing)
    await bus.watch(["version.*"], good)
    await bus.publish([message("m1")])
    await bus.publish([message("m2")])
    await until(lambda: good.ids == ["m1", "m2"] == failing.ids)


async def test_a_slow_watcher_holds_up_neither_publish_nor_memory(bus: MessageBus) -> None:
    gate, got = asyncio.Event(), []

    async def slow(envelope: Envelope) -> None:
        await gate.wait()
        got.append(envelope.id)

    await bus.watch(["job.*"], slow)
    async with asyncio.timeout(10):
        for n in range(5000):
            await bus.hint(message(str(n), "job.progress"))
    await asyncio.sleep(0.05)
    gate.set()
    await until(lambda: "4999" in got)


@pytest.mark.parametrize("watchers", [0, 1])
async def test_an_event_without_queues_needs_no_consumer(bus: MessageBus, watchers: int) -> None:
    inbox = Inbox()
    for _ in range(watchers):
        await bus.watch(["version.*"], inbox)
    await bus.publish([message("m")])
    await until(lambda: len(inbox.got) == watchers)
