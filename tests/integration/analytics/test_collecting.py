"""From a publication to numbers on the dashboard, through failures and crashes."""

# ruff: noqa: ASYNC221, ASYNC240 - these tests kill a process of their own, and wait for it

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from tests.fakes.clock import VirtualClock
from tests.integration.analytics.conftest import ADMIN, VIEWER, Counter, Lab, open_lab

from video_manager.domain.metrics import Metric
from video_manager.errors import PermanentError, RetryableError
from video_manager.ports import Op, Where


async def views(lab: Lab) -> list[float]:
    page = await lab.analytics.service.publications(VIEWER, sort=Metric.VIEWS)
    return [row.values.get(Metric.VIEWS, 0.0) for row in page.items]


async def test_numbers_come_back_beside_the_options(lab: Lab) -> None:
    await lab.request("v1", "green")
    await lab.publish("p1", "v1")
    lab.counter.pages["page-p1"] = {"views": 3, "watch_seconds": 41.5, "likes": 1}
    await lab.clock.advance(1)
    await lab.collect()
    [row] = (await lab.analytics.service.publications(VIEWER)).items
    assert row.values == {Metric.VIEWS: 3, Metric.WATCH_SECONDS: 41.5, Metric.LIKES: 1}
    assert row.options == {"colour": "green", "nested.deep": "[1, 2]", "recipe.trim.start": "1.5"}
    assert (row.generator, row.title, row.as_of) == ("paint", "Video v1", lab.clock.now())


async def test_the_raw_answer_is_kept_with_the_word_of_it(lab: Lab) -> None:
    await lab.publish("p1", "v1")
    lab.counter.pages["page-p1"] = {"views": 3}
    await lab.clock.advance(1)
    await lab.analytics.loop.run_once()
    raw = await lab.analytics.raw.first(Where("kind", Op.EQ, "metrics"))
    assert raw is not None
    assert raw.value.payload == {"page_id": "page-p1", "views": 3}
    assert (raw.value.source, raw.value.subject, raw.value.loaded) == ("site", "p1", False)
    [unsent] = await lab.store.unsent()
    assert [message.type for message in unsent.messages] == ["metrics.collected"]
    assert unsent.messages[0].data["payload_ids"] == [raw.value.id]


async def test_young_posts_are_asked_each_minute_and_old_ones_seldom(lab: Lab) -> None:
    await lab.publish("p1", "v1")
    lab.counter.pages["page-p1"] = {"views": 0}
    asked = []
    for _ in range(3):
        await lab.clock.advance(61)
        await lab.analytics.loop.run_once()
        asked.append(lab.counter.asked)
    assert asked == [1, 2, 3]
    await lab.clock.advance(timedelta(days=20).total_seconds())
    await lab.analytics.loop.run_once()
    await lab.clock.advance(1800)
    await lab.analytics.loop.run_once()
    assert lab.counter.asked == 4
    await lab.clock.advance(1900)
    await lab.analytics.loop.run_once()
    assert lab.counter.asked == 5


async def test_unchanged_numbers_are_kept_once_an_hour(lab: Lab) -> None:
    await lab.publish("p1", "v1")
    lab.counter.pages["page-p1"] = {"views": 5}
    for _ in range(125):
        await lab.clock.advance(61)
        await lab.analytics.loop.run_once()
    assert lab.counter.asked == 125
    assert await lab.analytics.raw.count(Where("kind", Op.EQ, "metrics")) == 3
    lab.counter.pages["page-p1"] = {"views": 6}
    await lab.clock.advance(61)
    await lab.collect()
    assert await views(lab) == [6]


@pytest.mark.parametrize("error", [RetryableError("busy", 500), PermanentError("gone wrong"), KeyError("likes")])
async def test_a_failing_collector_backs_off_and_is_seen(lab: Lab, error: Exception) -> None:
    await lab.publish("p1", "v1")
    lab.counter.broken = error
    for _ in range(30):
        await lab.clock.advance(61)
        await lab.collect()
    assert 1 < lab.counter.asked < 7
    [site] = (await lab.analytics.service.health(VIEWER)).platforms
    assert (site.platform, site.tracked, site.failing) == ("site", 1, 1)
    assert site.last_error is not None
    assert str(error).strip("'") in site.last_error
    lab.counter.broken = None
    lab.counter.pages["page-p1"] = {"views": 2}
    await lab.clock.advance(7200)
    await lab.collect()
    [site] = (await lab.analytics.service.health(VIEWER)).platforms
    assert (site.failing, site.last_error, site.last_collected_at) == (0, None, lab.clock.now())
    assert await views(lab) == [2]


async def test_a_withdrawn_post_is_left_alone_in_whatever_order_it_is_heard(lab: Lab) -> None:
    await lab.publish("p1", "v1")
    await lab.withdraw("p1", "v1")
    await lab.withdraw("p2", "v2")
    await lab.publish("p2", "v2")
    await lab.clock.advance(120)
    await lab.collect()
    assert lab.counter.asked == 0


async def test_a_platform_without_a_collector_is_no_failure(lab: Lab) -> None:
    from video_manager.contracts.events import PublicationPublished

    await lab.hear(PublicationPublished(**{**lab.publication("p", "v"), "platform": "folder"}), "p")
    await lab.clock.advance(120)
    await lab.collect()
    [folder] = (await lab.analytics.service.health(VIEWER)).platforms
    assert (folder.platform, folder.failing) == ("folder", 0)


async def test_a_post_that_is_gone_does_not_keep_the_others(lab: Lab) -> None:
    await lab.publish("p1", "v1")
    await lab.publish("p2", "v2")
    lab.counter.pages["page-p2"] = {"views": 9}
    await lab.clock.advance(1)
    await lab.collect()
    assert await views(lab) == [9, 0]
    [site] = (await lab.analytics.service.health(VIEWER)).platforms
    assert site.failing == 1


# ---- crashes --------------------------------------------------------------------------------------------

KILLED_BEFORE_LOADING = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.fakes.clock import VirtualClock
from tests.integration.analytics.conftest import Counter, open_lab

async def main():
    counter = Counter({"page-p1": {"views": 11}})
    async with open_lab(Path(sys.argv[1]), VirtualClock(), counter) as lab:
        await lab.request("v1")
        await lab.publish("p1", "v1")
        await lab.clock.advance(1)
        await lab.analytics.loop.run_once()
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_a_kill_between_the_raw_answer_and_the_warehouse_loses_nothing(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE_LOADING, str(tmp_path)], cwd=root, check=False, capture_output=True,
        env={**os.environ, "PYTHONPATH": f"{root}:{root / 'src'}"},
    )  # fmt: skip
    assert killed.returncode == -9, killed.stderr.decode()
    async with open_lab(tmp_path, VirtualClock(), Counter()) as lab:
        await lab.clock.advance(2)
        assert await views(lab) == [0]
        assert (await lab.analytics.service.health(VIEWER)).waiting_payloads == 1
        await lab.analytics.start()
        try:
            async with asyncio.timeout(10):
                while (await lab.analytics.service.health(VIEWER)).waiting_payloads:
                    await lab.clock.advance(0.1)
        finally:
            await lab.analytics.stop()
        assert await views(lab) == [11]


async def test_a_lost_warehouse_is_made_again_at_the_start(tmp_path: Path) -> None:
    clock, counter = VirtualClock(), Counter({"page-p1": {"views": 4}})
    async with open_lab(tmp_path, clock, counter) as lab:
        await lab.request("v1")
        await lab.publish("p1", "v1")
        await clock.advance(1)
        await lab.collect()
        before = await lab.analytics.service.publications(VIEWER)
    for path in tmp_path.glob("warehouse.sqlite*"):
        path.unlink()
    async with open_lab(tmp_path, clock, counter) as lab:
        assert await lab.analytics.service.publications(VIEWER) == before


async def test_reloading_gives_the_same_numbers(lab: Lab) -> None:
    await lab.request("v1")
    await lab.publish("p1", "v1")
    for value in (1, 5, 3):
        lab.counter.pages["page-p1"] = {"views": value}
        await lab.clock.advance(61)
        await lab.collect()
    service = lab.analytics.service
    before = [await service.publications(VIEWER), await service.summary(VIEWER)]
    assert (await service.reload(ADMIN)).payloads == 5
    assert [await service.publications(VIEWER), await service.summary(VIEWER)] == before


async def test_an_unreadable_payload_keeps_nobody_else(lab: Lab) -> None:
    from video_manager.domain.metrics import RawPayload

    bad = RawPayload(
        id="bad", kind="metrics", source="site", subject="p1", received_at=lab.clock.now(),
        payload={"views": "many"},
    )  # fmt: skip
    await lab.analytics.raw.add(bad)
    await lab.publish("p1", "v1")
    lab.counter.pages["page-p1"] = {"views": 4}
    await lab.clock.advance(1)
    await lab.collect()
    await lab.collect()
    assert await views(lab) == [4]
    assert (await lab.analytics.service.health(VIEWER)).waiting_payloads == 1
    assert (await lab.analytics.service.reload(ADMIN)).payloads == 3
    assert await views(lab) == [4]
