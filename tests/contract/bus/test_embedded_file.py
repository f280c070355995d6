"""What only the embedded bus has: one consuming process, unreadable rows, a full disk, a quiet idle."""

import asyncio
import os
import sqlite3
import time
from pathlib import Path

import pytest
from tests.contract.bus.inbox import Inbox, until
from tests.contract.bus.test_delivery import until_empty
from tests.contract.messages import message

from video_manager.adapters.embedded.bus import SqliteBus
from video_manager.errors import SettingsError, StorageFull
from video_manager.ports import Subscription

EVENTS = ("version.created",)


async def test_only_one_process_consumes(tmp_path: Path) -> None:
    first, second = SqliteBus(tmp_path / "bus.db"), SqliteBus(tmp_path / "bus.db")
    await first.open()
    await second.open()
    try:
        await first.consume(Subscription("q", EVENTS, Inbox()))
        with pytest.raises(SettingsError, match="another process"):
            await second.consume(Subscription("q", EVENTS, Inbox()))
        await first.close()
        await second.consume(Subscription("q", EVENTS, Inbox()))
    finally:
        await first.close()
        await second.close()


async def test_an_unreadable_message_becomes_a_dead_letter(tmp_path: Path) -> None:
    bus = SqliteBus(tmp_path / "bus.db")
    await bus.open()
    try:
        await bus.declare("q", EVENTS)
        with sqlite3.connect(tmp_path / "bus.db") as other:
            for text in ("no json", '{"id": 1}', '["list"]'):
                other.execute("INSERT INTO messages (queue, priority, envelope) VALUES ('q', 5, ?)", (text,))
        other.close()
        inbox = Inbox()
        await bus.consume(Subscription("q", EVENTS, inbox))
        await bus.publish([message("good")])
        await until(lambda: inbox.ids == ["good"])
        await until_empty(bus, "q")
        # What is being settled is no longer counted as waiting.
        async with asyncio.timeout(10):
            while len(dead := await bus.dead_letters()) < 3:  # noqa: ASYNC110 - nobody sets an event
                await asyncio.sleep(0.01)
        assert all("unreadable" in one.reason for one in dead)
        assert sorted(str(one.envelope) for one in dead) == [
            "{'id': 1}", "{'unreadable': '[\"list\"]'}", "{'unreadable': 'no json'}",
        ]  # fmt: skip
    finally:
        await bus.close()


async def test_handlers_that_do_not_end_are_cancelled_and_their_messages_stay(tmp_path: Path) -> None:
    bus = SqliteBus(tmp_path / "bus.db", drain_seconds=0.05)
    await bus.open()
    started = asyncio.Event()

    async def endless(_: object) -> None:
        started.set()
        await asyncio.Event().wait()

    await bus.consume(Subscription("q", EVENTS, endless))
    await bus.publish([message("m")])
    await started.wait()
    await bus.close()
    again = SqliteBus(tmp_path / "bus.db")
    await again.open()
    try:
        assert await again.depth() == {"q": 1}
    finally:
        await again.close()


async def test_a_full_disk_is_said_to_the_publisher_and_passes(small_disk: Path) -> None:
    bus = SqliteBus(small_disk / "bus.db")
    await bus.open()
    ballast = small_disk / "ballast"
    published: list[str] = []

    async def fill() -> None:
        for n in range(10_000):
            await bus.publish([message(f"{n}-{part}" + "x" * 1000) for part in range(20)])
            published.append(str(n))

    try:
        inbox = Inbox()
        await bus.declare("q", EVENTS)
        await asyncio.to_thread(ballast.write_bytes, bytes(4 << 20))
        with pytest.raises(StorageFull, match="full"):
            await fill()
        assert published
        ballast.unlink()
        await bus.consume(Subscription("q", EVENTS, inbox))
        await until_empty(bus, "q")
        assert len(set(inbox.ids)) == 20 * len(published)
    finally:
        await bus.close()


async def test_nothing_spins_while_idle(tmp_path: Path) -> None:
    bus = SqliteBus(tmp_path / "bus.db")
    await bus.open()
    try:
        for n in range(10):
            await bus.consume(Subscription(f"q{n}", EVENTS, Inbox()))
        await asyncio.sleep(0.1)
        before, start = sum(os.times()[:2]), time.monotonic()
        await asyncio.sleep(1.0)
        share = (sum(os.times()[:2]) - before) / (time.monotonic() - start)
        # The port asks for 1 %; this clock ticks in hundredths of a second, and a busy loop would show 100 %.
        assert share < 0.05
    finally:
        await bus.close()
