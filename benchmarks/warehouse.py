"""The dashboard's questions on SQLite and on PostgreSQL, with two floors beside them: an empty statement, and a bare
SELECT over all snapshots by the driver alone.

    PYTHONPATH=src python benchmarks/warehouse.py [POSTGRESQL [PUBLICATIONS]]

POSTGRESQL is the address of a server (postgresql://user:password@host/postgres) where databases may be made; without
one only SQLite is measured. 1000 publications have 100 000 snapshots.
"""

import asyncio
import random
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from sqlalchemy.engine import make_url

from video_manager.adapters.warehouse import SqlWarehouse, sqlite_url
from video_manager.analytics.warehouse_port import (
    Facts,
    PublicationRow,
    PublicationsQuery,
    ReviewRow,
    SnapshotRow,
    VersionRow,
)  # fmt: skip
from video_manager.domain.metrics import Metric

RUNS = 30
MOMENTS = 20
END = datetime(2026, 11, 22, tzinfo=UTC)
MONTH = timedelta(days=28)
Question = Callable[[], Awaitable[object]]


def facts_of(number: int) -> Facts:
    """One video, its review and its publication, whose five metrics were taken twenty times."""
    dice = random.Random(number)  # noqa: S311 - no secret
    made = END - timedelta(hours=dice.uniform(1, 24 * 80))
    video, id = f"v{number}", str(uuid.UUID(int=number))
    options = tuple((f"option.{name}", dice.choice("abcd")) for name in range(8))
    return Facts(
        versions=(VersionRow(video, 1, f"Video {number}", dice.choice(["story", "slideshow", "cards"]), str(number),
                             "ada", made, made, None, options),),
        reviews=(ReviewRow(f"r{number}", video, 1, "approve", "rob", made),),
        publications=(PublicationRow(id, video, 1, f"c{number % 5}", "site", published_at=made),),
        snapshots=tuple(
            SnapshotRow(id, made + timedelta(hours=6 * moment), metric, dice.uniform(0, 100) + 50 * moment)
            for metric in Metric for moment in range(MOMENTS)
        ),
    )  # fmt: skip


async def all_facts(publications: int) -> AsyncIterator[Facts]:
    batch = Facts()
    for number in range(publications):
        batch += facts_of(number)
        if len(batch.versions) == 100:
            yield batch
            batch = Facts()
    yield batch


async def show(name: str, ask: Question) -> None:
    await ask()
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - start) * 1000)
    p95 = statistics.quantiles(taken, n=20)[-1]
    print(f"  {name:<52}{statistics.median(taken):>9.1f}{p95:>9.1f} ms")


def questions(warehouse: SqlWarehouse) -> dict[str, Question]:
    start, before = END - MONTH, END - 2 * MONTH

    async def summary() -> None:
        await warehouse.peaks_before((before, start, END))
        await warehouse.counts(start, END)
        await warehouse.counts(before, start)
        await warehouse.waiting_for_review()
        await warehouse.last_as_of()

    async def series() -> None:
        await warehouse.origins()
        await warehouse.publication_peaks(Metric.VIEWS, start)
        await warehouse.slot_peaks(Metric.VIEWS, start, END)

    return {
        "summary of 28 days, and of the 28 before": summary,
        "views of 28 days by channel": series,
        "50 newest publications with numbers and options": lambda: warehouse.publications(
            PublicationsQuery(start, END)
        ),
        "50 most seen publications": lambda: warehouse.publications(PublicationsQuery(start, END, Metric.VIEWS)),
        "samples of attribution and suggestions": lambda: warehouse.samples(Metric.VIEWS),
        "write what one publication states": lambda: warehouse.write(Facts(snapshots=facts_of(7).snapshots[:5])),
    }


async def measure(name: str, address: str, publications: int, scan: Question) -> None:
    warehouse = SqlWarehouse(address)
    await warehouse.open()
    start = time.perf_counter()
    await warehouse.rebuild(all_facts(publications))
    rows = publications * MOMENTS * len(Metric)
    taken = time.perf_counter() - start
    print(f"{name}: {rows} snapshots of {publications} publications loaded in {taken:.1f} s ({rows / taken:.0f}/s)")
    print(f"  {'':<52}{'p50':>9}{'p95':>9}")
    await show("floor: an empty question", lambda: warehouse.publications(PublicationsQuery(END + MONTH, END + MONTH)))
    await show("floor: bare SELECT max, count of all snapshots", scan)
    for title, ask in questions(warehouse).items():
        await show(title, ask)
    await warehouse.close()


SCAN = "select metric, max(value), count(*) from metric_snapshots group by metric"


async def measure_sqlite(publications: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.sqlite"
        bare = sqlite3.connect(path)

        async def scan() -> None:
            bare.execute(SCAN).fetchall()

        await measure("SQLite", sqlite_url(path), publications, scan)
        bare.close()


async def measure_postgresql(server: str, publications: int) -> None:
    name = f"vm_bench_{uuid.uuid4().hex[:8]}"
    url = make_url(server).set(drivername="postgresql")
    main = await asyncpg.connect(url.render_as_string(hide_password=False))
    await main.execute(f"create database {name}")
    address = url.set(database=name).render_as_string(hide_password=False)
    try:
        bare = await asyncpg.connect(address)
        await measure("PostgreSQL", address, publications, lambda: bare.fetch(SCAN))
        await bare.close()
    finally:
        await main.execute(f"drop database {name} with (force)")
        await main.close()


async def run() -> None:
    server = sys.argv[1] if len(sys.argv) > 1 else None
    publications = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    await measure_sqlite(publications)
    if server is not None:
        await measure_postgresql(server, publications)


if __name__ == "__main__":
    asyncio.run(run())
