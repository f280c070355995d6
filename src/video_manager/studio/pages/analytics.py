"""The dashboard: what was watched, over time and by publication, and which options went with it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from nicegui import ui

from video_manager.analytics.views import Bucket, GroupBy, PublicationRow, Summary, TimeSeries
from video_manager.domain.access import Right
from video_manager.domain.metrics import Metric
from video_manager.plugins.registry import PluginKind
from video_manager.repository import Page
from video_manager.studio.channel_choice import all_channels
from video_manager.studio.charts import time_chart
from video_manager.studio.elements import box, button, chip, empty, heading, link, link_button, text
from video_manager.studio.formats import age_text, count_text, time_text, watch_text, words
from video_manager.studio.insights import Insights
from video_manager.studio.layout import Frame
from video_manager.studio.live import gather
from video_manager.studio.session import Visit

_RANGES = {7: "7 days", 28: "28 days", 90: "90 days", 365: "A year"}
_PAGE = 20
_NO_GROUP = "all"
METRIC_TITLES = {
    Metric.VIEWS: "Views",
    Metric.WATCH_SECONDS: "Watch time",
    Metric.LIKES: "Likes",
    Metric.COMMENTS: "Comments",
    Metric.SHARES: "Shares",
}


async def build(visit: Visit, frame: Frame) -> None:
    page = Dashboard(visit)
    with frame.actions:
        page.draw_controls()
    page.draw()
    await page.refresh()
    gather(visit.live.metrics, 1.0, page.hear, visit.opened_at)


class Dashboard:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._cursors: list[str | None] = [None]

    def draw_controls(self) -> None:
        with box("vm-row vm-tight vm-wrap"):
            self._range = self._select("Range", _RANGES, 28)
            self._metric = self._select(
                "Number", {str(metric): title for metric, title in METRIC_TITLES.items()}, "views"
            )
            groups = {_NO_GROUP: "All together", **{str(group): f"By {group}" for group in GroupBy}}
            self._group = self._select("Grouping", groups, _NO_GROUP)

    def _select(self, label: str, options: Mapping[Any, str], value: Any) -> ui.select:
        made = ui.select(dict(options), value=value, on_change=self._changed).props("outlined dense options-dense")
        made.props["aria-label"] = label
        return made.classes("vm-control")

    def draw(self) -> None:
        self._tiles = box("vm-summary vm-six")
        with box("vm-card vm-chart-card"):
            self._chart = box()
        with box("vm-card vm-flush vm-above-wide"):
            self._table = box()
        self._insights = Insights(self._visit)

    async def _changed(self) -> None:
        self._cursors = [None]
        await self._visit.attempt(lambda _actor: self.refresh())

    async def hear(self, _ids: set[str]) -> None:
        await self.refresh()

    async def refresh(self) -> None:
        actor = await self._visit.current_actor()
        end = self._visit.parts.clock.now()
        start = end - timedelta(days=int(self._range.value))
        analytics, metric = self._visit.parts.analytics, Metric(self._metric.value)
        group = None if self._group.value == _NO_GROUP else GroupBy(self._group.value)
        bucket = Bucket.WEEK if int(self._range.value) > 120 else Bucket.DAY
        series = await analytics.timeseries(
            actor, metric, start=start, end=end, bucket=bucket, zone=str(self._visit.zone), group_by=group
        )
        rows = await analytics.publications(
            actor, sort=metric, cursor=self._cursors[-1], limit=_PAGE, end=end, start=start
        )
        names = {channel.id: channel.name for channel in await all_channels(self._visit)}
        self._draw_tiles(await analytics.summary(actor, start, end))
        self._draw_chart(series, names)
        self._draw_table(rows, names)
        await self._insights.refresh(actor, metric)

    # ---- totals -----------------------------------------------------------------------------------------

    def _draw_tiles(self, summary: Summary) -> None:
        now, before = summary.totals, summary.previous
        self._tiles.clear()
        with self._tiles:
            for metric, show in (
                (Metric.VIEWS, count_text),
                (Metric.WATCH_SECONDS, watch_text),
                (Metric.LIKES, count_text),
            ):
                value, old = now.metrics.get(metric, 0.0), before.metrics.get(metric, 0.0)
                _draw_tile(METRIC_TITLES[metric], show(value), _change(value, old))
            _draw_tile("Published", str(now.published), _change(now.published, before.published))
            _draw_tile("Videos made", str(now.versions_ready), _change(now.versions_ready, before.versions_ready))
            rate = "none yet" if now.approval_rate is None else f"{now.approval_rate * 100:.0f} %"
            decided = now.approvals + now.rejections + now.regenerations
            _draw_tile("Approved of decided", rate, (f"{now.approvals} of {decided}", ""))
        with self._tiles:
            as_of = summary.as_of
            if as_of is not None:
                told = f"Numbers as of {age_text(as_of, self._visit.parts.clock.now())}, against the time before."
                text(told, "vm-hint vm-tiles-note")

    # ---- over time --------------------------------------------------------------------------------------

    def _draw_chart(self, series: TimeSeries, names: Mapping[str, str]) -> None:
        self._chart.clear()
        with self._chart:
            heading(f"{METRIC_TITLES[series.metric]} by {series.bucket}")
            if not any(point.increment for one in series.series for point in one.points):
                advice = "The numbers come by themselves once something is published and watched."
                empty("insights", "Nothing was counted in this time", advice)
                return
            time_chart(series, names, self._visit.zone)

    # ---- publications -----------------------------------------------------------------------------------

    def _draw_table(self, page: Page[PublicationRow], names: Mapping[str, str]) -> None:
        self._table.clear()
        with self._table:
            with box("vm-table-head"):
                heading("Publications, and the options that made them")
            if not page.items:
                advice = "Approve a video for a channel, and its numbers appear here beside its options."
                with empty("publish", "Nothing was published in this time", advice):
                    link_button("To the review queue", "/review", "primary")
                return
            with box("vm-scroll"), box("vm-table", "table"):
                with box("", "thead"), box("", "tr"):
                    for title in ("Video", "Channel", "Published", "Views", "Watched", "Likes", "Made with"):
                        number = title in ("Views", "Watched", "Likes")
                        text(title, "vm-right" if number else "", tag="th")
                with box("", "tbody"):
                    for row in page.items:
                        self._draw_row(row, names)
            self._draw_pages(page)

    def _draw_row(self, row: PublicationRow, names: Mapping[str, str]) -> None:
        with box("", "tr"):
            with box("vm-cell-title", "td"):
                link(row.title or "Untitled", f"/videos/{row.video_id}", "vm-video-title vm-clip2")
                if row.url:
                    link("Open the post", row.url, "vm-small", new_tab=True)
            text(names.get(row.channel_id, words(row.platform)), tag="td")
            text(time_text(row.published_at, self._visit.zone), "vm-nowrap", tag="td")
            text(count_text(row.values.get(Metric.VIEWS)), "vm-right vm-num", tag="td")
            text(watch_text(row.values.get(Metric.WATCH_SECONDS)), "vm-right vm-num vm-nowrap", tag="td")
            text(count_text(row.values.get(Metric.LIKES)), "vm-right vm-num", tag="td")
            with box("vm-cell-options", "td"), box("vm-row vm-tight vm-wrap"):
                chip(words(row.generator or "unknown"), "accent")
                for name, value in list(row.options.items())[:8]:
                    chip(f"{words(name)}: {value[:40]}")
                if self._visit.may(Right.REQUEST):
                    _draw_again(self._visit, row)

    def _draw_pages(self, page: Page[PublicationRow]) -> None:
        async def turn(cursor: str | None) -> None:
            if cursor is None:
                self._cursors.pop()
            else:
                self._cursors.append(cursor)
            await self._visit.attempt(lambda _actor: self.refresh())

        with box("vm-row vm-pages vm-below"):
            if len(self._cursors) > 1:
                button("Back", lambda: turn(None), "second", "chevron_left")
            if page.next is not None:
                button("More", lambda: turn(page.next), "second", "chevron_right")


def _draw_again(visit: Visit, row: PublicationRow) -> None:
    if row.generator in visit.parts.registry.names(PluginKind.GENERATOR):
        link_button("Another like this", f"/new?like={quote(row.video_id)}&version={row.version}", "second", small=True)


def _draw_tile(title: str, value: str, change: tuple[str, str]) -> None:
    with box("vm-tile"):
        text(title, "vm-soft vm-small")
        text(value, "vm-tile-value vm-num")
        text(change[0], f"vm-small {change[1]}")


def _change(now: float, before: float) -> tuple[str, str]:
    """The difference to the time before, in words and as a colour."""
    if before == 0:
        return ("no comparison", "vm-faint")
    percent = round((now - before) / before * 100)
    if percent == 0:
        return ("unchanged", "vm-faint")
    return (f"{percent:+d} % against before", "vm-good" if percent > 0 else "vm-bad")
