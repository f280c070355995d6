"""The dashboard's questions."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from tests.integration.analytics.conftest import ADMIN, VIEWER, WORKER, Lab

from video_manager.analytics.handlers import subscription
from video_manager.analytics.service import AnalyticsService
from video_manager.analytics.views import Bucket, GroupBy
from video_manager.contracts import events
from video_manager.contracts.envelope import envelope
from video_manager.domain.access import Actor
from video_manager.domain.metrics import Metric
from video_manager.errors import Forbidden, InvalidInput


async def published(lab: Lab, number: int, views: float, colour: str = "red", channel: str = "c1") -> None:
    await lab.request(f"v{number}", colour)
    await lab.publish(f"p{number}", f"v{number}", channel=channel)
    lab.counter.pages[f"page-p{number}"] = {"views": views}


async def test_summary_counts_the_range_and_the_one_before(lab: Lab) -> None:
    await published(lab, 1, 10)
    await lab.clock.advance(1)
    await lab.collect()
    middle = lab.clock.now() + timedelta(hours=1)
    await lab.clock.advance(7200)
    await published(lab, 2, 5)
    lab.counter.pages["page-p1"] = {"views": 12, "likes": 2}
    for index, decision in enumerate(["approve", "approve", "reject", "regenerate"]):
        body = events.ReviewDecided(video_id="v2", version=1, decision=decision, author="rob")
        await lab.hear(body, "v2", id=f"r{index}")
    ready = events.VersionReady(video_id="v1", version=1, title="One", created_by="u", findings=0)
    await lab.hear(ready, "v1")
    await lab.clock.advance(61)
    await lab.collect()
    as_of = lab.clock.now()
    await lab.clock.advance(1)
    summary = await lab.analytics.service.summary(VIEWER, start=middle)
    assert (summary.totals.videos_created, summary.previous.videos_created) == (1, 1)
    assert (summary.totals.published, summary.previous.published) == (1, 1)
    assert (summary.totals.approvals, summary.totals.rejections, summary.totals.regenerations) == (2, 1, 1)
    assert (summary.totals.approval_rate, summary.previous.approval_rate) == (0.5, None)
    assert (summary.totals.metrics[Metric.VIEWS], summary.previous.metrics[Metric.VIEWS]) == (7, 10)
    assert summary.totals.metrics[Metric.LIKES] == 2
    assert summary.waiting_for_review == 1
    assert summary.as_of == as_of


async def test_the_same_event_twice_counts_once(lab: Lab) -> None:
    body = events.ReviewDecided(video_id="v", version=1, decision="approve", author="rob")
    event = envelope(body, source="test", subject="v", now=lab.clock.now())
    handle = subscription(lab.analytics.service).handler
    await handle(event)
    await handle(event)
    await lab.clock.advance(1)
    assert (await lab.analytics.service.summary(VIEWER)).totals.approvals == 1
    assert await lab.analytics.raw.count() == 1


async def test_series_by_channel_never_fall(lab: Lab) -> None:
    start = lab.clock.now()
    await published(lab, 1, 10, channel="a")
    await published(lab, 2, 1, channel="b")
    for value in (10, 4, 13):
        lab.counter.pages["page-p1"] = {"views": value}
        await lab.clock.advance(3601)
        await lab.collect()
    found = await lab.analytics.service.timeseries(
        VIEWER, Metric.VIEWS, start=start, bucket=Bucket.HOUR, group_by=GroupBy.CHANNEL
    )
    assert [series.key for series in found.series] == ["a", "b"]
    assert [point.increment for point in found.series[0].points] == [0, 10, 0, 3]
    assert [point.cumulative for point in found.series[0].points] == [0, 10, 10, 13]


async def test_a_series_without_numbers_is_zero_and_not_missing(lab: Lab) -> None:
    found = await lab.analytics.service.timeseries(VIEWER, Metric.VIEWS)
    [series] = found.series
    assert len(series.points) == 29
    assert {point.increment for point in series.points} == {0}


async def test_publications_page_by_page(lab: Lab) -> None:
    for number, views in enumerate([3, 9, 5]):
        await published(lab, number, views)
    await lab.clock.advance(1)
    await lab.collect()
    service = lab.analytics.service
    first = await service.publications(VIEWER, sort=Metric.VIEWS, limit=2)
    second = await service.publications(VIEWER, sort=Metric.VIEWS, limit=2, cursor=first.next)
    assert [row.values[Metric.VIEWS] for row in (*first.items, *second.items)] == [9, 5, 3]
    assert second.next is None
    with pytest.raises(InvalidInput, match="cursor"):
        await service.publications(VIEWER, sort=Metric.LIKES, cursor=first.next)


async def test_attribution_compares_the_values_of_an_option(lab: Lab) -> None:
    for number in range(6):
        await published(lab, number, 100 + number, "green")
    for number in range(6, 8):
        await published(lab, number, 10, "red")
    await lab.clock.advance(1)
    await lab.collect()
    found = await lab.analytics.service.attribution(VIEWER, Metric.VIEWS, "colour")
    [colour] = found.options
    green, red = colour.values
    assert (green.value, green.publications, green.median, green.too_few) == ("green", 6, 102.5, False)
    assert (red.value, red.publications, red.mean, red.too_few) == ("red", 2, 10, True)
    assert green.low is not None
    assert green.high is not None
    assert 100 <= green.low < green.mean < green.high <= 105
    everything = await lab.analytics.service.attribution(VIEWER, Metric.VIEWS)
    assert [option.option for option in everything.options] == ["colour"]


async def test_suggestions_prefer_what_did_well(lab: Lab) -> None:
    numbers = iter(range(100))
    for colour, views in (("green", 500), ("red", 5), ("blue", 5)):
        for extra in range(6):
            await published(lab, next(numbers), views + extra, colour)
    await lab.clock.advance(1)
    await lab.collect()
    found = await lab.analytics.service.suggestions(VIEWER, "paint")
    assert found.enough_data
    assert found.next_options == {"colour": "green"}
    best = found.options[0].suggestions[0]
    assert (best.value, best.evidence) == ("green", 6)
    assert best.chance > 0.9
    assert "tried 6 times" in best.reason


async def test_suggestions_say_when_they_know_nothing(lab: Lab) -> None:
    found = await lab.analytics.service.suggestions(VIEWER, "paint")
    assert not found.enough_data
    assert "as good as a draw by chance" in found.note
    assert {one.evidence for one in found.options[0].suggestions} == {0}
    with pytest.raises(InvalidInput, match="nope"):
        await lab.analytics.service.suggestions(VIEWER, "nope")


async def test_wrong_ranges_are_refused(lab: Lab) -> None:
    service, now = lab.analytics.service, lab.clock.now()
    with pytest.raises(InvalidInput, match="before the end"):
        await service.summary(VIEWER, start=now, end=now)
    with pytest.raises(InvalidInput, match="no time zone"):
        await service.timeseries(VIEWER, Metric.VIEWS, zone="Mars/Olympus")
    with pytest.raises(InvalidInput, match="more than 1000"):
        await service.timeseries(VIEWER, Metric.VIEWS, start=now - timedelta(days=300), bucket=Bucket.HOUR)


Use = Callable[[AnalyticsService, Actor], Awaitable[object]]
VIEWING: list[Use] = [
    lambda service, actor: service.summary(actor),
    lambda service, actor: service.timeseries(actor, Metric.VIEWS),
    lambda service, actor: service.publications(actor),
    lambda service, actor: service.attribution(actor, Metric.VIEWS),
    lambda service, actor: service.suggestions(actor, "paint"),
    lambda service, actor: service.health(actor),
]
ADMINISTERING: list[Use] = [
    lambda service, actor: service.reload(actor),
    lambda service, actor: service.load(actor, []),
]  # fmt: skip


@pytest.mark.parametrize("use", VIEWING)
async def test_looking_needs_the_right_to_view(lab: Lab, use: Use) -> None:
    await use(lab.analytics.service, VIEWER)
    with pytest.raises(Forbidden):
        await use(lab.analytics.service, WORKER)


@pytest.mark.parametrize("use", ADMINISTERING)
async def test_changing_needs_an_administrator(lab: Lab, use: Use) -> None:
    await use(lab.analytics.service, ADMIN)
    with pytest.raises(Forbidden):
        await use(lab.analytics.service, VIEWER)
