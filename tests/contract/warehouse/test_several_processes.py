"""Several processes on one warehouse: each has its own connections, and none of them knows of the others."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.contract.warehouse.test_warehouse_contract import ALWAYS, NOON, STORY, everything, stated, version, write

from video_manager.adapters.warehouse import SqlWarehouse
from video_manager.analytics.warehouse_port import Facts, PublicationRow, SnapshotRow
from video_manager.domain.metrics import Metric


@pytest.fixture
async def warehouses(warehouse_url: str) -> AsyncIterator[list[SqlWarehouse]]:
    opened = [SqlWarehouse(warehouse_url) for _ in range(3)]
    async with AsyncExitStack() as stack:
        for one in opened:
            stack.push_async_callback(one.close)
            await one.open()
        yield opened


def batch(seed: int) -> Facts:
    """The same payloads for everybody, each time in another order."""
    facts = Facts(
        versions=tuple(replace(version(f"v{n}").versions[0], title=f"t{n}", options=(("a", "1"), ("b", "2")))
                       for n in range(40)),
        publications=tuple(PublicationRow(f"p{n}", f"v{n}", 1, "c", "site", published_at=NOON) for n in range(40)),
        snapshots=tuple(SnapshotRow(f"p{n}", NOON + timedelta(minutes=minute), Metric.VIEWS, n + minute)
                        for n in range(40) for minute in range(3)),
    )  # fmt: skip

    def shuffled(rows: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(random.Random(seed).sample(rows, len(rows)))

    return Facts(
        shuffled(facts.versions), (), (), shuffled(facts.publications), shuffled(facts.snapshots)
    )  # fmt: skip


async def batches(*facts: Facts) -> AsyncIterator[Facts]:
    for one in facts:
        yield one


async def test_the_same_payloads_loaded_by_all_at_once(warehouses: list[SqlWarehouse]) -> None:
    await asyncio.gather(*(one.write(batch(seed)) for seed in range(5) for one in warehouses))
    peaks = await warehouses[0].publication_peaks(Metric.VIEWS, ALWAYS[1])
    assert peaks == {f"p{n}": n + 2 for n in range(40)}
    assert all(sample.options == {"a": "1", "b": "2"} for sample in await warehouses[1].samples(Metric.VIEWS))
    assert (await warehouses[2].counts(*ALWAYS)).published == 40


async def test_what_is_written_beside_a_rebuild_stays(warehouses: list[SqlWarehouse]) -> None:
    """Written before it began, it is among the raw payloads; written meanwhile, it comes after."""
    await write(warehouses[0], *STORY)
    writing: list[asyncio.Task[None]] = []

    async def all_facts() -> AsyncIterator[Facts]:
        yield STORY[0]
        writing.append(asyncio.create_task(warehouses[1].write(stated("p1", 40, 1000))))
        await asyncio.sleep(0.05)  # only to let it come as far as it can
        for one in STORY[1:]:
            yield one

    await warehouses[0].rebuild(all_facts())
    await asyncio.gather(*writing)
    assert await warehouses[2].publication_peaks(Metric.VIEWS, ALWAYS[1]) == {"p1": 1000}


async def test_readers_see_the_old_until_a_rebuild_ends(warehouses: list[SqlWarehouse]) -> None:
    await write(warehouses[0], *STORY)
    expected, seen = await everything(warehouses[1]), []

    async def all_facts() -> AsyncIterator[Facts]:
        yield stated("p9", 1, 1)
        seen.append(await everything(warehouses[1]))

    await warehouses[0].rebuild(all_facts())
    assert seen == [expected]
    assert await warehouses[1].publication_peaks(Metric.VIEWS, ALWAYS[1]) == {"p9": 1}


async def test_an_empty_warehouse_is_filled_once(warehouses: list[SqlWarehouse]) -> None:
    filled = await asyncio.gather(*(one.rebuild(batches(*STORY), if_empty=True) for one in warehouses))
    assert sorted(filled) == [False, False, True]
    assert await warehouses[0].publication_peaks(Metric.VIEWS, ALWAYS[1]) == {"p1": 7}


async def test_all_make_it_again_at_once(warehouses: list[SqlWarehouse]) -> None:
    await asyncio.gather(*(one.rebuild(batches(*STORY, batch(7))) for one in warehouses))
    assert len(await warehouses[0].publication_peaks(Metric.VIEWS, ALWAYS[1])) == 40
