"""Killed publishers and consumers."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

import pytest
from tests.contract.bus.backends import Backend
from tests.contract.bus.inbox import Inbox, until
from tests.contract.bus.test_delivery import until_empty
from tests.contract.bus.worker import PREFETCH
from tests.contract.messages import message

from video_manager.ports import Subscription


@pytest.mark.slow
async def test_kill_9_of_a_publisher_loses_no_acknowledged_message(
    backend: Backend, backend_name: str, place: str, kill_after: Callable[..., list[str]], kills: int
) -> None:
    acknowledged: list[str] = []
    for run in range(kills):
        lines = await asyncio.to_thread(
            kill_after, "tests.contract.bus.worker", "publish", backend_name, place, str(run)
        )
        acknowledged += [id for line in lines for id in line.split()]
    bus = backend.connect(place)
    await bus.open()
    try:
        inbox = Inbox()
        await bus.consume(Subscription("q", ("version.created",), inbox, prefetch=100))
        await until(lambda: set(acknowledged) <= set(inbox.ids), timeout_seconds=60)
        await until_empty(bus, "q")
    finally:
        await bus.close()
    assert len(acknowledged) > kills
    assert max(Counter(inbox.ids).values()) == 1


@pytest.mark.slow
async def test_kill_9_of_a_consumer_redelivers_what_it_had_and_loses_nothing(
    backend: Backend, backend_name: str, place: str, kill_after: Callable[..., list[str]], kills: int,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.CRITICAL, logger="asyncio")
    ids = [f"m{n}" for n in range(2000)]
    bus = backend.connect(place)
    await bus.open()
    await bus.declare("q", ["version.created"])
    await bus.publish([message(id) for id in ids])
    await bus.close()

    handled: Counter[str] = Counter()
    for run in range(kills):
        lines = await asyncio.to_thread(
            kill_after, "tests.contract.bus.worker", "consume", backend_name, place, str(run)
        )
        handled.update(line for line in lines if not line.startswith("started"))
    assert handled, "the consumers never handled anything before they were killed"

    bus = backend.connect(place)
    await bus.open()
    try:
        inbox = Inbox()
        await bus.consume(Subscription("q", ("version.created",), inbox, prefetch=50))
        await until(lambda: set(ids) <= set(handled) | set(inbox.ids), timeout_seconds=60)
        await until_empty(bus, "q")
    finally:
        await bus.close()
    handled.update(inbox.ids)
    assert set(handled) == set(ids)
    again = sum(count - 1 for count in handled.values())
    assert again <= kills * PREFETCH, f"{again} messages were handled again"
