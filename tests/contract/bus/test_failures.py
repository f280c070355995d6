"""Handlers that fail: retries, delays, dead letters."""

import asyncio
import time

import pytest
from tests.contract.bus.backends import FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, Backend
from tests.contract.bus.inbox import Inbox, quiet, until
from tests.contract.messages import message

from video_manager.errors import NotFound, PermanentError, RetryableError, StorageFull, Unavailable
from video_manager.ports import DeadLetter, MessageBus, Subscription


async def _dead(bus: MessageBus) -> list[DeadLetter]:
    for _ in range(1000):
        if found := await bus.dead_letters():
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("no dead letter came")


@pytest.mark.parametrize("failure", [RetryableError("busy"), RuntimeError("a bug"), NotFound("not yet")])
async def test_a_failed_message_comes_again_with_the_same_id(bus: MessageBus, failure: Exception) -> None:
    inbox = Inbox(failure, failure)
    await bus.consume(Subscription("q", ("version.created",), inbox))
    await bus.publish([message("m")])
    await until(lambda: len(inbox.got) == 3)
    await quiet(2 * LONGEST_DELAY_SECONDS)
    assert inbox.ids == ["m"] * 3
    assert await bus.dead_letters() == []
    assert (await bus.depth())["q"] == 0


async def test_delays_grow_up_to_the_longest(bus: MessageBus) -> None:
    inbox = Inbox(*[RetryableError("busy")] * 6)
    await bus.consume(Subscription("q", ("version.created",), inbox))
    await bus.publish([message("m")])
    await until(lambda: len(inbox.got) == 7)
    delays = [later - earlier for earlier, later in zip(inbox.times, inbox.times[1:], strict=False)]
    assert delays[0] >= FIRST_DELAY_SECONDS / 2
    assert delays[-1] >= LONGEST_DELAY_SECONDS / 2 > 2 * FIRST_DELAY_SECONDS


async def test_a_named_delay_is_kept(bus: MessageBus) -> None:
    inbox = Inbox(RetryableError("quota", retry_after_seconds=0.6))
    await bus.consume(Subscription("q", ("version.created",), inbox))
    await bus.publish([message("m")])
    await until(lambda: len(inbox.got) == 2)
    assert 0.55 <= inbox.times[1] - inbox.times[0] < 3


async def test_a_delayed_message_holds_up_nobody(bus: MessageBus) -> None:
    inbox = Inbox(RetryableError("quota", retry_after_seconds=0.8))
    await bus.consume(Subscription("q", ("version.created",), inbox, prefetch=1))
    await bus.publish([message("first")])
    await until(lambda: inbox.ids == ["first"])
    await bus.publish([message("second")])
    await until(lambda: len(inbox.got) == 3)
    assert inbox.ids == ["first", "second", "first"]
    assert inbox.times[1] - inbox.times[0] < 0.7


async def test_a_delay_outlives_the_process(backend: Backend, place: str) -> None:
    bus = backend.connect(place)
    await bus.open()
    inbox = Inbox(RetryableError("quota", retry_after_seconds=0.7))
    await bus.consume(Subscription("q", ("version.created",), inbox))
    await bus.publish([message("m")])
    await until(lambda: len(inbox.got) == 1)
    await bus.close()
    again = backend.connect(place)
    await again.open()
    try:
        later = Inbox()
        await again.consume(Subscription("q", ("version.created",), later))
        await until(lambda: later.ids == ["m"])
        assert later.times[0] - inbox.times[0] >= 0.65
    finally:
        await again.close()


async def test_a_permanent_error_makes_a_dead_letter_at_once(bus: MessageBus) -> None:
    inbox = Inbox(PermanentError("no such generator: install the plugin"))
    await bus.consume(Subscription("q", ("version.created",), inbox))
    before = time.time()
    await bus.publish([message("m")])
    (dead,) = await _dead(bus)
    assert (dead.queue, dead.envelope["id"], dead.envelope["data"]) == ("q", "m", {"n": 1})
    assert dead.reason == "no such generator: install the plugin"
    assert dead.attempts == 1
    assert before - 1 < dead.died_at.timestamp() < time.time() + 1
    await quiet()
    assert inbox.ids == ["m"]
    assert (await bus.depth())["q"] == 0


@pytest.mark.parametrize("failure", [RetryableError("busy"), RuntimeError("a bug")])
async def test_too_many_attempts_make_a_dead_letter(bus: MessageBus, failure: Exception) -> None:
    inbox = Inbox(*[failure] * 10)
    await bus.consume(Subscription("q", ("version.created",), inbox, max_attempts=3))
    await bus.publish([message("m")])
    (dead,) = await _dead(bus)
    assert str(failure) in dead.reason
    assert dead.attempts == 3
    await quiet()
    assert inbox.ids == ["m"] * 3


@pytest.mark.parametrize("failure", [Unavailable("MongoDB does not answer"), StorageFull("the disk is full")])
async def test_a_store_that_is_away_for_long_costs_a_message_none_of_its_attempts(
    bus: MessageBus, failure: Exception
) -> None:
    inbox = Inbox(RetryableError("busy"), *[failure] * 5)
    await bus.consume(Subscription("q", ("version.created",), inbox, max_attempts=3))
    await bus.publish([message("m")])
    await until(lambda: len(inbox.got) == 7)
    await quiet(2 * LONGEST_DELAY_SECONDS)
    assert inbox.ids == ["m"] * 7
    assert await bus.dead_letters() == []
    assert (await bus.depth())["q"] == 0


async def test_one_queue_failing_leaves_the_other_alone(bus: MessageBus) -> None:
    bad, good = Inbox(*[PermanentError("no")] * 5), Inbox()
    await bus.consume(Subscription("bad", ("version.created",), bad))
    await bus.consume(Subscription("good", ("version.created",), good))
    await bus.publish([message(f"m{n}") for n in range(5)])
    await until(lambda: len(good.got) == 5)
    for _ in range(500):
        if len(await bus.dead_letters()) == 5:
            break
        await asyncio.sleep(0.01)
    assert {dead.queue for dead in await bus.dead_letters()} == {"bad"}
    assert len(await bus.dead_letters(limit=2)) == 2


async def test_resend_puts_it_back_into_its_queue_only(bus: MessageBus) -> None:
    bad, other = Inbox(PermanentError("no")), Inbox()
    await bus.consume(Subscription("q", ("version.created",), bad))
    await bus.consume(Subscription("other", ("version.created",), other))
    await bus.publish([message("m")])
    (dead,) = await _dead(bus)
    await bus.resend(dead.id)
    await until(lambda: bad.ids == ["m", "m"])
    await quiet()
    assert other.ids == ["m"]
    assert await bus.dead_letters() == []
    with pytest.raises(NotFound, match=dead.id):
        await bus.resend(dead.id)


async def test_a_resent_message_has_all_its_attempts_again(bus: MessageBus) -> None:
    inbox = Inbox(*[RetryableError("busy")] * 3)
    await bus.consume(Subscription("q", ("version.created",), inbox, max_attempts=2))
    await bus.publish([message("m")])
    (dead,) = await _dead(bus)
    await bus.resend(dead.id)
    await until(lambda: len(inbox.got) == 4)
    await quiet()
    assert await bus.dead_letters() == []


async def test_drop_forgets_it(bus: MessageBus) -> None:
    await bus.consume(Subscription("q", ("version.created",), Inbox(PermanentError("no"))))
    await bus.publish([message("m")])
    (dead,) = await _dead(bus)
    await bus.drop(dead.id)
    assert await bus.dead_letters() == []
    with pytest.raises(NotFound, match=dead.id):
        await bus.drop(dead.id)


async def test_dead_letters_outlive_the_process(backend: Backend, place: str) -> None:
    bus = backend.connect(place)
    await bus.open()
    await bus.consume(Subscription("q", ("version.created",), Inbox(PermanentError("no"))))
    await bus.publish([message("m")])
    before = await _dead(bus)
    await bus.close()
    again = backend.connect(place)
    await again.open()
    try:
        assert await again.dead_letters() == before
    finally:
        await again.close()
