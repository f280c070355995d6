"""The document stores side by side, each beside its floor: what the bare driver gives for the same in the same run.

    PYTHONPATH=src python benchmarks/documents.py [MONGODB_URL [FOLDER]]

MONGODB_URL names a server (default: VIDEO_MANAGER_TEST_MONGODB_URL); a database is made there and dropped. FOLDER is
where the SQLite file goes (default: a temporary folder).
"""

import asyncio
import itertools
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from pymongo import AsyncMongoClient

from video_manager.adapters.cluster.documents import MongoDocuments
from video_manager.adapters.cluster.mongo import READ_CONCERN, WRITE_CONCERN, MongoConnection
from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.contracts.envelope import Envelope
from video_manager.ports import CollectionSpec, DocumentStore, Op, Query, Where

SECONDS = 2.0
"""How long each rate is measured."""

ITEMS = CollectionSpec("items", indexed=("state", "n"))
OTHERS = tuple(CollectionSpec(f"others_{n}", indexed=("state",)) for n in range(23))
"""As many collections as the product has: the outbox is looked for in all of them."""

Work = Callable[[int], Awaitable[object]]


def body(id: str, n: int) -> dict[str, Any]:
    """An aggregate of the usual size."""
    return {"id": id, "state": f"s{n % 40}", "n": n, "nested": {"a": [1, 2, {"b": None}]}, "text": "x" * 800}


def message(id: str) -> Envelope:
    now = datetime.now(UTC)
    return Envelope(
        id=id, type="version.created", source="bench", time=now, subject=id, correlation_id=id, data={"n": 1}
    )


def show(name: str, value: float) -> None:
    print(f"{name:<58}{value:>10,.0f} /s")


async def rate(work: Work, tasks: int = 1) -> float:
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


async def measure_store(name: str, store: DocumentStore) -> None:
    await store.open()
    for spec in (ITEMS, *OTHERS):
        await store.register(spec)

    async def claim(n: int) -> None:
        """What a worker's claim is: load, decide, save with the message's id in the inbox and one more to send."""
        read = await store.get("items", f"a{n}")
        assert read is not None  # noqa: S101 - a figure of work that was not done is worth nothing
        await store.replace(
            "items", read.id, read.revision, {**read.body, "state": "claimed"}, outbox=[message(f"m{n}")], handled="h"
        )
        await store.mark_sent("items", read.id, [f"m{n}"])

    show(f"{name}: insert", await rate(lambda n: store.insert("items", f"a{n}", body(f"a{n}", n))))
    show(f"{name}: get", await rate(lambda n: store.get("items", f"a{n % 500}")))
    revisions = itertools.count(1)
    show(f"{name}: replace", await rate(lambda n: store.replace("items", "a0", next(revisions), body("a0", n))))
    claims = itertools.count(1)
    show(f"{name}: claim (get, replace with messages, sent)", await rate(lambda _: claim(next(claims))))
    query = Query((Where("state", Op.EQ, "s7"),), order_by="n", descending=True, limit=50)
    show(f"{name}: find, a page of 50", await rate(lambda _: store.find("items", query)))
    show(f"{name}: unsent over 24 collections, none waits", await rate(lambda _: store.unsent()))
    show(f"{name}: insert, 8 tasks", await rate(lambda n: store.insert("items", f"b{n}", body(f"b{n}", n)), 8))
    show(f"{name}: get, 8 tasks", await rate(lambda n: store.get("items", f"a{n % 500}"), 8))
    await store.close()


async def measure_bare_mongodb(url: str) -> None:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(url)
    items = client.get_default_database(write_concern=WRITE_CONCERN, read_concern=READ_CONCERN)["bare"]
    await items.create_index("body.state")
    await items.create_index("body.n")

    def document(n: int) -> dict[str, Any]:
        return {"_id": f"a{n}", "revision": 1, "body": body(f"a{n}", n)}

    show("bare PyMongo: insert_one", await rate(lambda n: items.insert_one(document(n))))
    show("bare PyMongo: find_one", await rate(lambda n: items.find_one({"_id": f"a{n % 500}"})))
    show(
        "bare PyMongo: find_one_and_update",
        await rate(lambda n: items.find_one_and_update({"_id": "a0"}, {"$set": {"body": body("a0", n)}})),
    )
    show(
        "bare PyMongo: find, a page of 50",
        await rate(lambda _: items.find({"body.state": "s7"}).sort("body.n", -1).limit(50).to_list()),
    )
    await client.close()


def measure_bare_sqlite(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE t (id TEXT PRIMARY KEY, body TEXT)")

    def repeat(statement: str, values: Callable[[int], tuple[str, ...]]) -> float:
        done, start = 0, time.perf_counter()
        while time.perf_counter() - start < SECONDS:
            connection.execute(statement, values(done)).fetchall()
            done += 1
        return done / SECONDS

    show("bare sqlite3: insert", repeat("INSERT INTO t VALUES (?, ?)", lambda n: (f"a{n}", "x" * 900)))
    show("bare sqlite3: select by id", repeat("SELECT body FROM t WHERE id = ?", lambda n: (f"a{n % 500}",)))
    connection.close()


async def measure(server: str, folder: Path) -> None:
    measure_bare_sqlite(folder / "bare.sqlite")
    await measure_store("SQLite", SqliteDocuments(folder / "documents.sqlite"))
    base, _, options = server.partition("?")
    url = f"{base.rstrip('/')}/vm_bench_{uuid4().hex[:8]}?{options}"
    try:
        await measure_bare_mongodb(url)
        await measure_store("MongoDB", MongoDocuments(MongoConnection(url)))
        await measure_bare_mongodb(url.replace("vm_bench", "vm_bench_2"))
    finally:
        for name in (url, url.replace("vm_bench", "vm_bench_2")):
            client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(name)
            await client.drop_database(client.get_default_database().name)
            await client.close()


def main() -> None:
    server = sys.argv[1] if len(sys.argv) > 1 else os.environ["VIDEO_MANAGER_TEST_MONGODB_URL"]
    parent = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        asyncio.run(measure(server, Path(folder)))


if __name__ == "__main__":
    main()
