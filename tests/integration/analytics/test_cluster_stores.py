"""Analytics on MongoDB and PostgreSQL, by several processes at once: each of them has connections of its own here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.clock import VirtualClock
from tests.integration.analytics.conftest import ADMIN, VIEWER, ClusterStores, Counter, Lab, open_lab

from video_manager.analytics.views import Bucket, GroupBy
from video_manager.contracts import events
from video_manager.domain.metrics import Metric
from video_manager.ports import Op, Where


async def answers(lab: Lab) -> list[Any]:
    """Everything the dashboard can ask."""
    ask = lab.analytics.service
    return [
        await ask.summary(VIEWER),
        *[await ask.timeseries(VIEWER, Metric.VIEWS, bucket=Bucket.DAY, group_by=by) for by in (None, *GroupBy)],
        *[await ask.publications(VIEWER, sort=sort, descending=down)
          for sort in (None, Metric.VIEWS, Metric.LIKES) for down in (True, False)],
        await ask.attribution(VIEWER, Metric.VIEWS), await ask.suggestions(VIEWER, "paint"), await ask.health(VIEWER),
    ]  # fmt: skip


async def tell_a_story(lab: Lab) -> None:
    """With names that databases order in different ways, and letters that some cannot hold."""
    names = ["a-1", "A-2", "ä_3", "Z.4", "b 5", "_6", "0-7", "ß8"]
    for number, name in enumerate(names):
        await lab.request(f"v{name}", ("red", "green", "blue")[number % 3])
        body = events.VersionReady(
            video_id=f"v{name}", version=1, title=f"\0 \U0001f3a8 {name}", created_by="u", findings=0
        )
        await lab.hear(body, name)
        if number % 4:
            decided = events.ReviewDecided(video_id=f"v{name}", version=1, decision="approve", author="rob")
            await lab.hear(decided, name, id=f"r{name}")
            await lab.publish(f"p{name}", f"v{name}", channel=f"c{number % 2}")
    for step in range(3):
        for number, name in enumerate(names):
            lab.counter.pages[f"page-p{name}"] = {"views": number % 3 * 10 + step, "likes": step, "watch_seconds": 0.1}
        await lab.clock.advance(3601)
        await lab.collect()
    await lab.withdraw("pA-2", "vA-2")
    await lab.hear(events.VideoDeleted(video_id="vß8", deleted_by="ada"), "vß8")
    await lab.clock.advance(1)


async def test_both_profiles_give_the_same_answers(tmp_path: Path, cluster_stores: ClusterStores) -> None:
    given = []
    for store, address in ((None, None), (cluster_stores.documents(), cluster_stores.warehouse)):
        async with open_lab(tmp_path, VirtualClock(), Counter(), store, address) as lab:
            await tell_a_story(lab)
            told = await answers(lab)
            assert (await lab.analytics.service.reload(ADMIN)).payloads == await lab.analytics.raw.count()
            assert await answers(lab) == told
            given.append(told)
    assert given[0] == given[1]


# ---- several processes ----------------------------------------------------------------------------------


@pytest.fixture
async def labs(tmp_path: Path, cluster_stores: ClusterStores) -> AsyncIterator[tuple[Lab, Lab]]:
    clock, counter = VirtualClock(), Counter()
    async with AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(
                open_lab(tmp_path, clock, counter, cluster_stores.documents(), cluster_stores.warehouse)
            )
            for _ in range(2)
        ]
        yield one, two


async def test_two_collect_and_load_nothing_twice(labs: tuple[Lab, Lab]) -> None:
    posts, rounds = [f"p{number}" for number in range(12)], 5
    one, two = labs
    for number, post in enumerate(posts):
        lab = labs[number % 2]
        await lab.request(f"v{post}")
        await lab.publish(post, f"v{post}", channel=f"c{number % 3}")
    for step in range(1, rounds + 1):
        one.counter.pages.update({f"page-{post}": {"views": step} for post in posts})
        await one.clock.advance(61)
        await asyncio.gather(*(lab.analytics.loop.run_once() for lab in labs))
        await asyncio.gather(*(lab.analytics.loader.load_waiting() for lab in labs))
    assert one.counter.asked == len(posts) * rounds
    assert await one.analytics.raw.count(Where("kind", Op.EQ, "metrics")) == len(posts) * rounds
    assert await two.analytics.loader.waiting() == 0
    await one.clock.advance(1)
    for lab in labs:
        summary = await lab.analytics.service.summary(VIEWER)
        assert summary.totals.metrics[Metric.VIEWS] == len(posts) * rounds
        assert (summary.totals.published, summary.totals.videos_created) == (len(posts), len(posts))


async def test_an_event_that_reaches_both_counts_once(labs: tuple[Lab, Lab]) -> None:
    for number in range(10):
        body = events.ReviewDecided(video_id=f"v{number}", version=1, decision="approve", author="rob")
        await asyncio.gather(*(lab.hear(body, f"v{number}", id=f"r{number}") for lab in labs))
        await asyncio.gather(*(lab.publish(f"p{number}", f"v{number}") for lab in labs))
    await labs[0].clock.advance(1)
    totals = (await labs[1].analytics.service.summary(VIEWER)).totals
    assert (totals.approvals, totals.published) == (10, 10)
    assert await labs[1].analytics.tracked.count() == 10


async def test_two_that_find_the_warehouse_empty_make_it_again(
    labs: tuple[Lab, Lab], tmp_path: Path, cluster_stores: ClusterStores
) -> None:
    await tell_a_story(labs[0])
    told = await answers(labs[0])
    for lab in labs:
        await lab.analytics.warehouse.rebuild(_nothing())
    await asyncio.gather(*(lab.analytics.open() for lab in labs))
    assert [await answers(lab) for lab in labs] == [told, told]
    await labs[0].analytics.loader.rebuild()
    assert await answers(labs[1]) == told


async def test_two_reloads_at_once_give_the_same_numbers(labs: tuple[Lab, Lab]) -> None:
    await tell_a_story(labs[0])
    told = await answers(labs[0])
    await asyncio.gather(*(lab.analytics.service.reload(ADMIN) for lab in labs))
    assert [await answers(lab) for lab in labs] == [told, told]


async def _nothing() -> AsyncIterator[Any]:
    return
    yield
