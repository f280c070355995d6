"""Slots: bounded, in order of arrival, and none is ever lost."""

import asyncio

import pytest

from video_manager.errors import RetryableError
from video_manager.worker.slots import Slots


async def test_waiting_work_gets_slots_in_the_order_of_arrival() -> None:
    slots, order = Slots(1), []
    assert await slots.take(1)

    async def wait(name: str) -> None:
        assert await slots.take(5)
        order.append(name)
        slots.release()

    tasks = [asyncio.create_task(wait(name)) for name in "abc"]
    await asyncio.sleep(0)
    assert slots.free == 0
    slots.release()
    await asyncio.gather(*tasks)
    assert (order, slots.free) == (["a", "b", "c"], 1)


async def test_patience_ends() -> None:
    slots = Slots(1)
    await slots.take(1)
    assert not await slots.take(0.01)
    slots.release()
    assert slots.free == 1


async def test_a_cancelled_wait_loses_no_slot() -> None:
    slots = Slots(1)
    await slots.take(1)
    waiting = asyncio.create_task(slots.take(5))
    await asyncio.sleep(0)
    slots.release()  # handed over, and in the same moment the waiter is cancelled
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert slots.free == 1


async def test_closing_sends_the_waiting_away() -> None:
    slots = Slots(1)
    await slots.take(1)
    waiting = asyncio.create_task(slots.take(5))
    await asyncio.sleep(0)
    slots.close()
    with pytest.raises(RetryableError):
        await waiting
    with pytest.raises(RetryableError):
        await slots.take(1)


def test_a_worker_needs_a_slot() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Slots(0)
