"""The embedded stores and bus, with the floor beside them: what the disk gives a bare sqlite3 in the same run.

    PYTHONPATH=src python benchmarks/embedded_store.py [FOLDER]

FOLDER is where the files go (default: a temporary folder); use one on the disk whose speed matters.
"""

import asyncio
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from video_manager.adapters.clock import SystemClock
from video_manager.adapters.embedded.bus import SqliteBus
from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.adapters.embedded.files import FolderFiles
from video_manager.contracts.envelope import Envelope
from video_manager.domain.model import Frozen
from video_manager.outbox import OutboxRelay
from video_manager.ports import CollectionSpec, Op, Query, Subscription, Where
from video_manager.repository import Change, Repository

SECONDS = 2.0
"""How long each rate is measured."""


class Item(Frozen):
    """An aggregate of the usual size."""

    id: str
    state: str = "new"
    n: int = 0
    text: str = "x" * 800


ITEMS = CollectionSpec("items", indexed=("state", "n"))


def message(id: str, type: str = "version.created") -> Envelope:
    now = datetime.now(UTC)
    return Envelope(id=id, type=type, source="bench", time=now, subject=id, correlation_id=id, data={"n": 1})


def show(name: str, value: float, unit: str) -> None:
    print(f"{name:<58}{value:>12,.1f} {unit}")


async def rate(work: Callable[[int], Awaitable[object]], tasks: int = 1) -> float:
    """Calls per second of `work(n)` by so many tasks at once."""
    done = 0
    end = time.perf_counter() + SECONDS

    async def repeat() -> None:
        nonlocal done
        while time.perf_counter() < end:
            n, done = done, done + 1
            await work(n)

    start = time.perf_counter()
    await asyncio.gather(*(repeat() for _ in range(tasks)))
    return done / (time.perf_counter() - start)


def show_floor(folder: Path, when: str) -> None:
    """Shown several times: other programs on the same disk move it, and everything here with it."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        show(f"floor {when}: bare sqlite3, one row per commit", bare_commits(Path(own)), "/s")


def bare_commits(folder: Path) -> float:
    """The floor: one row per commit by the standard library, same settings, no event loop, no outbox."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE t (id TEXT PRIMARY KEY, body TEXT)")
    done = 0
    start = time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        connection.execute("INSERT INTO t VALUES (?, ?)", (str(done), "x" * 800))
        done += 1
    connection.close()
    return done / SECONDS


async def measure_documents(folder: Path) -> None:
    store = SqliteDocuments(folder / "documents.db")
    await store.open()
    items = Repository(store, ITEMS, Item)
    await items.register()

    async def handle_message(n: int) -> None:
        def decide(item: Item) -> Change[Item]:
            return Change(item.with_(n=item.n + 1), (message(f"r{n}"),))

        changed = await items.change("c1", decide, handled=f"h{n}")
        assert changed.value.n > 0  # noqa: S101 - a figure of work that was not done is worth nothing
        await store.mark_sent("items", "c1", [f"r{n}"])

    show("inserts, one task", await rate(lambda n: items.add(Item(id=f"a{n}"))), "/s")
    show(
        "inserts with a message, 8 tasks",
        await rate(lambda n: items.add(Item(id=f"b{n}"), [message(f"m{n}")]), 8),
        "/s",
    )
    for n in range(8):
        await items.add(Item(id=f"c{n}"))
    show("load + change, 8 tasks on 8 documents",
         await rate(lambda n: items.change(f"c{n % 8}", lambda item: item.with_(n=item.n + 1)), 8), "/s")  # fmt: skip
    show("load + change, 8 tasks on ONE document",
         await rate(lambda _: items.change("c0", lambda item: item.with_(n=item.n + 1)), 8), "/s")  # fmt: skip
    show("load + change + inbox + message + sent, one task", await rate(handle_message), "/s")
    show("get by id, one task", await rate(lambda n: items.get(f"a{n % 1000}")), "/s")
    query = Query((Where("state", Op.EQ, "new"),), order_by="n", descending=True, limit=50)
    show("page of 50 by state, one task", await rate(lambda _: items.find(query)), "/s")
    await store.close()


async def measure_bus(folder: Path) -> None:
    bus = SqliteBus(folder / "bus.db")
    await bus.open()
    hops: list[float] = []
    sent: dict[str, float] = {}
    handled, drained = asyncio.Event(), asyncio.Event()

    async def handle(envelope: Envelope) -> None:
        hops.append(time.perf_counter() - sent[envelope.id])
        handled.set()
        if len(hops) == 10_000:
            drained.set()

    consumer = await bus.consume(Subscription("q", ("version.*",), handle))
    for n in range(1000):
        handled.clear()
        sent[f"h{n}"] = time.perf_counter()
        await bus.publish([message(f"h{n}")])
        await handled.wait()
    show_hops("one hop, publish to handler", hops)

    await consumer.pause()
    batches = [[message(f"b{batch}-{n}") for n in range(100)] for batch in range(100)]
    start = time.perf_counter()
    for batch in batches:
        sent.update({one.id: start for one in batch})
        await bus.publish(batch)
    show("publish, 100 at once", 10_000 / (time.perf_counter() - start), "/s")
    hops.clear()
    start = time.perf_counter()
    await consumer.resume()
    await drained.wait()
    show("drain, prefetch 10", 10_000 / (time.perf_counter() - start), "/s")
    await consumer.pause()
    show("publish one by one, 8 tasks", await rate(lambda n: bus.publish([message(f"s{n}")]), 8), "/s")
    await bus.close()


async def measure_outbox(folder: Path) -> None:
    """The way of every message of the product: a change, its outbox, the relay, the bus, the handler."""
    store, bus = SqliteDocuments(folder / "outbox.db"), SqliteBus(folder / "outbox-bus.db")
    await store.open()
    await bus.open()
    items = Repository(store, ITEMS, Item)
    await items.register()
    relay = OutboxRelay(store, bus, SystemClock())
    hops: list[float] = []
    sent: dict[str, float] = {}
    handled = asyncio.Event()

    async def handle(envelope: Envelope) -> None:
        hops.append(time.perf_counter() - sent[envelope.id])
        handled.set()

    await bus.consume(Subscription("q", ("version.*",), handle))
    await relay.start()
    for n in range(500):
        handled.clear()
        sent[f"o{n}"] = time.perf_counter()
        await items.add(Item(id=str(n)), [message(f"o{n}")])
        await handled.wait()
    show_hops("insert + outbox + relay + handler", hops)
    await asyncio.sleep(0.5)
    used, start = sum(os.times()[:2]), time.perf_counter()
    await asyncio.sleep(10)
    share = (sum(os.times()[:2]) - used) / (time.perf_counter() - start)
    show("idle: share of one core, store + bus + relay", 100 * share, "%")
    await relay.stop()
    await bus.close()
    await store.close()


async def measure_files(folder: Path) -> None:
    files = FolderFiles(folder / "files")
    await files.open()
    megabytes = 200
    chunk = os.urandom(1 << 20)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(megabytes):
            yield chunk

    start = time.perf_counter()
    await files.put("large", chunks())
    show("file write (sha256, fsync), 200 MB", megabytes / (time.perf_counter() - start), "MB/s")
    start = time.perf_counter()
    async for _ in files.read("large"):
        pass
    show("file read, 200 MB", megabytes / (time.perf_counter() - start), "MB/s")

    async def small() -> AsyncIterator[bytes]:
        yield b"x" * 10_000

    show("small files, 8 tasks", await rate(lambda n: files.put(f"s{n}", small()), 8), "/s")
    await files.close()


def show_hops(name: str, seconds: list[float]) -> None:
    cuts = statistics.quantiles(seconds, n=100)
    show(f"{name}: p50", cuts[49] * 1000, "ms")
    show(f"{name}: p99", cuts[98] * 1000, "ms")


async def measure(folder: Path) -> None:
    show_floor(folder, "at first")
    await measure_documents(folder)
    show_floor(folder, "after the documents")
    await measure_bus(folder)
    show_floor(folder, "after the bus")
    await measure_outbox(folder)
    await measure_files(folder)


def main() -> None:
    parent = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
