"""What every warehouse must do."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from video_manager.adapters.warehouse import SqlWarehouse, sqlite_url
from video_manager.analytics.warehouse_port import (
    DeletedVideoRow,
    Facts,
    PublicationRow,
    PublicationsQuery,
    ReviewRow,
    SnapshotRow,
    VersionRow,
    Warehouse,
)  # fmt: skip
from video_manager.domain.metrics import Metric
from video_manager.errors import SettingsError

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ALWAYS = (NOON - timedelta(days=100), NOON + timedelta(days=100))


def version(video: str, number: int = 1, **known: Any) -> Facts:
    return Facts(versions=(VersionRow(video, number, **known),))


def publication(id: str, video: str = "v1", number: int = 1, **known: Any) -> Facts:
    row = PublicationRow(id, video, number, known.pop("channel_id", "c1"), known.pop("platform", "site"), **known)
    return Facts(publications=(row,))


def stated(id: str, minutes: int, value: float, metric: Metric = Metric.VIEWS) -> Facts:
    return Facts(snapshots=(SnapshotRow(id, NOON + timedelta(minutes=minutes), metric, value),))


async def write(warehouse: Warehouse, *facts: Facts) -> None:
    for one in facts:
        await warehouse.write(one)


async def everything(warehouse: Warehouse) -> list[Any]:
    """All answers, to compare two states by."""
    return [
        await warehouse.counts(*ALWAYS), await warehouse.waiting_for_review(), await warehouse.origins(),
        await warehouse.peaks_before([ALWAYS[1]]), await warehouse.publications(PublicationsQuery(*ALWAYS)),
        await warehouse.samples(Metric.VIEWS), await warehouse.last_as_of(),
    ]  # fmt: skip


STORY = (
    version(
        "v1", title="One", generator="story", seed=str(2**64), created_by="ada", created_at=NOON,
        options=(("voice", "amy"), ("music.mood", "calm")),
    ),
    version("v1", ready_at=NOON + timedelta(minutes=1)),
    Facts(reviews=(ReviewRow("r1", "v1", 1, "approve", "rob", NOON + timedelta(minutes=2)),)),
    publication("p1", title="One!", external_id="x", url="/watch/x", published_at=NOON + timedelta(minutes=3)),
    stated("p1", 10, 5), stated("p1", 20, 7), stated("p1", 20, 3, Metric.LIKES),
    publication("p1", withdrawn_at=NOON + timedelta(minutes=30)),
)  # fmt: skip


async def test_starts_empty_and_knows_when_it_is_not(warehouse: SqlWarehouse) -> None:
    assert await warehouse.is_empty()
    await warehouse.write(stated("p1", 0, 1))
    assert not await warehouse.is_empty()


async def test_a_publication_stands_beside_what_made_it(warehouse: SqlWarehouse) -> None:
    await write(warehouse, *STORY)
    [row] = await warehouse.publications(PublicationsQuery(*ALWAYS))
    assert (row.publication_id, row.title, row.platform, row.url) == ("p1", "One!", "site", "/watch/x")
    assert (row.generator, row.seed, row.created_by) == ("story", str(2**64), "ada")
    assert row.options == {"voice": "amy", "music.mood": "calm"}
    assert row.values == {Metric.VIEWS: 7, Metric.LIKES: 3}
    assert row.published_at == NOON + timedelta(minutes=3)
    assert row.as_of == NOON + timedelta(minutes=20)
    assert row.withdrawn_at == NOON + timedelta(minutes=30)


async def test_any_text_is_taken(warehouse: SqlWarehouse) -> None:
    """What one payload holds must not keep the others out: no length, no letter."""
    long = "x" * 1000
    await write(
        warehouse, version(long, title="a\0b \U0001f3a8" * 10_000, generator=long, options=(("p" * 400, "v\0"),)),
        publication(long, long, channel_id=long, platform=long, published_at=NOON),
    )  # fmt: skip
    [row] = await warehouse.publications(PublicationsQuery(*ALWAYS))
    assert (row.publication_id, row.platform, row.generator) == (long, long, long)
    assert row.title.replace("\0", "") == "ab \U0001f3a8" * 10_000
    assert {value.replace("\0", "") for value in row.options.values()} == {"v"}


async def test_order_and_repetition_change_nothing(warehouse: SqlWarehouse) -> None:
    await write(warehouse, *STORY)
    expected = await everything(warehouse)
    for seed in range(4):
        shuffled = [*STORY, *STORY]
        random.Random(seed).shuffle(shuffled)
        await warehouse.rebuild(_batches(*shuffled))
        assert await everything(warehouse) == expected
    await write(warehouse, *STORY)
    assert await everything(warehouse) == expected


async def _batches(*facts: Facts) -> AsyncIterator[Facts]:
    for one in facts:
        yield one


async def test_a_rebuild_that_breaks_leaves_the_old(warehouse: SqlWarehouse) -> None:
    await write(warehouse, *STORY)
    expected = await everything(warehouse)

    async def broken() -> AsyncIterator[Facts]:
        yield stated("p9", 1, 1)
        raise ValueError("the process dies here")

    with pytest.raises(ValueError, match="dies here"):
        await warehouse.rebuild(broken())
    assert await everything(warehouse) == expected


async def test_counts_of_a_period(warehouse: SqlWarehouse) -> None:
    hour = timedelta(hours=1)
    await write(
        warehouse,
        version("a", created_at=NOON, ready_at=NOON + hour),
        version("a", 2, created_at=NOON + hour),
        version("b", created_at=NOON, failed_at=NOON + hour),
        version("c", created_at=NOON, failed_at=NOON, ready_at=NOON + hour),  # failed, tried again, ready
        version("old", created_at=NOON - 2 * hour),
        version("later", created_at=NOON + 3 * hour),
        Facts(reviews=(
            ReviewRow("1", "a", 1, "regenerate", "rob", NOON + hour),
            ReviewRow("2", "c", 1, "approve", "rob", NOON + hour),
            ReviewRow("3", "c", 1, "approve", "rob", NOON + 3 * hour),
        )),
        publication("p", "c", published_at=NOON + hour, failed_at=NOON),
        publication("q", "c", failed_at=NOON),
        publication("r", "c", published_at=NOON + 3 * hour),
    )  # fmt: skip
    counts = await warehouse.counts(NOON, NOON + 3 * hour)
    assert (counts.videos_created, counts.versions_created) == (3, 4)
    assert (counts.versions_ready, counts.versions_failed) == (2, 1)
    assert counts.decisions == {"regenerate": 1, "approve": 1}
    assert (counts.published, counts.publications_failed, counts.withdrawn) == (1, 1, 0)


async def test_waiting_for_review_is_ready_undecided_newest_and_not_deleted(warehouse: SqlWarehouse) -> None:
    await write(
        warehouse,
        version("waits", ready_at=NOON),
        version("decided", ready_at=NOON),
        version("deleted", ready_at=NOON),
        version("renders", created_at=NOON),
        version("again", ready_at=NOON),
        version("again", 2, created_at=NOON),
        Facts(
            reviews=(ReviewRow("r", "decided", 1, "reject", "rob", NOON),),
            deleted_videos=(DeletedVideoRow("deleted", NOON),),
        ),
    )
    assert await warehouse.waiting_for_review() == 1


async def test_peaks_sum_the_highest_so_far_of_each_publication(warehouse: SqlWarehouse) -> None:
    await write(
        warehouse, stated("p", 0, 10), stated("p", 10, 4), stated("p", 20, 12), stated("q", 5, 100),
        stated("q", 5, 7, Metric.LIKES),
    )  # fmt: skip
    moments = [NOON, NOON + timedelta(minutes=1), NOON + timedelta(minutes=11), NOON + timedelta(minutes=21)]
    assert await warehouse.peaks_before(moments) == {
        Metric.VIEWS: (0, 10, 110, 112),
        Metric.LIKES: (0, 0, 7, 7),
    }
    assert await warehouse.publication_peaks(Metric.VIEWS, moments[2]) == {"p": 10, "q": 100}
    assert await warehouse.last_as_of() == NOON + timedelta(minutes=20)


async def test_slots_are_quarters_of_an_hour(warehouse: SqlWarehouse) -> None:
    await write(
        warehouse, stated("p", 0, 1), stated("p", 14, 3), stated("p", 15, 2), stated("q", 16, 9), stated("p", 30, 8)
    )
    found = await warehouse.slot_peaks(Metric.VIEWS, NOON, NOON + timedelta(minutes=30))
    assert [(one.publication_id, one.start, one.peak) for one in found] == [
        ("p", NOON, 3),
        ("p", NOON + timedelta(minutes=15), 2),
        ("q", NOON + timedelta(minutes=15), 9),
    ]


async def test_the_last_stated_value_counts_even_when_it_is_lower(warehouse: SqlWarehouse) -> None:
    await write(warehouse, publication("p", published_at=NOON), stated("p", 20, 3), stated("p", 10, 8))
    [row] = await warehouse.publications(PublicationsQuery(*ALWAYS))
    assert row.values == {Metric.VIEWS: 3}


@pytest.mark.parametrize("sort", [None, Metric.VIEWS])
@pytest.mark.parametrize("descending", [True, False])
async def test_pages_show_each_publication_once(warehouse: SqlWarehouse, sort: Metric | None, descending: bool) -> None:
    views = [5, 3, 5, None, 0, 8, 5]
    for index, value in enumerate(views):
        at = NOON + timedelta(minutes=index // 2, microseconds=123456)
        await write(warehouse, publication(f"p{index}", published_at=at))
        if value is not None:
            await write(warehouse, stated(f"p{index}", 60, value))
    seen: list[str] = []
    after: tuple[float, str] | None = None
    for _ in range(10):
        rows = await warehouse.publications(PublicationsQuery(*ALWAYS, sort, descending, 2, after))
        if not rows:
            break
        seen += [row.publication_id for row in rows]
        last = rows[-1]
        value = last.published_at.timestamp() if sort is None else last.values.get(sort, 0.0)
        after = (value, last.publication_id)

    def key(index: int) -> tuple[float, str]:
        return (index // 2 if sort is None else views[index] or 0, f"p{index}")

    assert seen == [f"p{index}" for index in sorted(range(7), key=key, reverse=descending)]


async def test_samples_have_numbers_and_a_generator(warehouse: SqlWarehouse) -> None:
    await write(
        warehouse,
        version("a", generator="story", options=(("voice", "amy"),)), version("b", generator="slideshow"),
        version("c", ready_at=NOON),
        publication("p1", "a", published_at=NOON), publication("p2", "b", published_at=NOON),
        publication("p3", "c", published_at=NOON), publication("p4", "a", published_at=NOON),
        stated("p1", 1, 5), stated("p2", 1, 6), stated("p3", 1, 7), stated("p4", 1, 8, Metric.LIKES),
    )  # fmt: skip
    assert [(one.publication_id, one.value) for one in await warehouse.samples(Metric.VIEWS)] == [("p1", 5), ("p2", 6)]
    [only] = await warehouse.samples(Metric.VIEWS, "story")
    assert (only.generator, only.options) == ("story", {"voice": "amy"})


async def test_origins(warehouse: SqlWarehouse) -> None:
    await write(
        warehouse, version("a", generator="story"), publication("p", "a"), publication("q", "z", platform="youtube")
    )
    origins = await warehouse.origins()
    assert (origins["p"].platform, origins["p"].channel_id, origins["p"].generator) == ("site", "c1", "story")
    assert origins["q"].generator is None


async def test_many_writers_and_readers_at_once(warehouse: SqlWarehouse) -> None:
    writes = [warehouse.write(stated(f"p{index % 5}", index, index)) for index in range(40)]
    reads = [warehouse.peaks_before([ALWAYS[1]]) for _ in range(20)]
    await asyncio.gather(*itertools.chain.from_iterable(zip(writes, reads, strict=False)), *writes[20:])
    assert sum((await warehouse.publication_peaks(Metric.VIEWS, ALWAYS[1])).values()) == 35 + 36 + 37 + 38 + 39


async def test_what_was_written_is_there_after_opening_again(warehouse: SqlWarehouse, warehouse_url: str) -> None:
    await write(warehouse, *STORY)
    second = SqlWarehouse(warehouse_url)
    await second.open()
    assert await everything(second) == await everything(warehouse)
    await second.close()


# ---- settings -------------------------------------------------------------------------------------------


async def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    warehouse = SqlWarehouse(sqlite_url(tmp_path / "missing" / "w.sqlite"))
    with pytest.raises(SettingsError, match=r"w\.sqlite cannot be opened: there is no folder .*missing"):
        await warehouse.open()
    await warehouse.close()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "w.sqlite").write_text("this is a letter, and a long one at that" * 100)
    warehouse = SqlWarehouse(sqlite_url(tmp_path / "w.sqlite"))
    with pytest.raises(SettingsError, match=r"w\.sqlite cannot be opened: file is not a database"):
        await warehouse.open()
    await warehouse.close()


@pytest.mark.parametrize("url", ["nonsense", "oracle+nothing://x", "mysql://u:secretword@h/x", "sqlite:///x.db"])
def test_a_wrong_address_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="VIDEO_MANAGER_WAREHOUSE_URL") as caught:
        SqlWarehouse(url)
    assert "secretword" not in str(caught.value)
