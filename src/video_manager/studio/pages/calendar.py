"""The calendar: what goes out when, and what went out, on the viewer's clock; the next days also as a dry run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from nicegui import ui
from nicegui.element import Element

from video_manager.domain.publication import Publication, PublicationState
from video_manager.repository import Loaded
from video_manager.studio.calendar_address import open_address
from video_manager.studio.channel_choice import all_channels
from video_manager.studio.dialogs import Dialog
from video_manager.studio.elements import box, button, icon_button, link_button, note, text
from video_manager.studio.formats import plural
from video_manager.studio.icons import platform_icon
from video_manager.studio.keyed import KeyedParts, Part, once_each
from video_manager.studio.layout import Frame
from video_manager.studio.live import gather
from video_manager.studio.plan_list import DAYS, PlanList
from video_manager.studio.publication_parts import draw_publication
from video_manager.studio.session import Visit
from video_manager.studio.video_parts import PUBLICATION_TONES

_SHOWN_STATES = (
    PublicationState.SCHEDULED,
    PublicationState.UPLOADING,
    PublicationState.PENDING,
    PublicationState.ACTION_REQUIRED,
    PublicationState.UNKNOWN,
    PublicationState.FAILED,
    PublicationState.PUBLISHED,
)
_MOST = 500
_PER_DAY_IN_MONTH = 3
WEEK, MONTH, PLAN = "week", "month", "plan"


@dataclass(frozen=True)
class Entry:
    at: datetime
    """On the viewer's clock."""
    publication: Publication


async def build(visit: Visit, frame: Frame) -> None:
    page = Calendar(visit)
    with frame.actions:
        page.draw_controls()
    page.draw()
    await page.refresh()
    gather(visit.live.publication, 0.5, page.hear, visit.opened_at)


class Calendar:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._today = visit.parts.clock.now().astimezone(visit.zone).date()
        self._day = self._today
        self._view = MONTH
        self._entries: list[Entry] = []
        self._names: dict[str, str] = {}

    def draw_controls(self) -> None:
        with box("vm-row vm-tight vm-wrap"):
            with box("vm-row vm-tight") as self._moving:
                icon_button("chevron_left", "Earlier", lambda: self._move(-1))
                self._range = text("", "vm-strong vm-calendar-range")
                icon_button("chevron_right", "Later", lambda: self._move(1))
                button("Today", self._go_today, "second", small=True)
            views = {WEEK: "Week", MONTH: "Month", PLAN: f"Next {DAYS} days"}
            self._toggle = ui.toggle(views, value=MONTH, on_change=self._turn)
            self._toggle.props("no-caps unelevated").classes("vm-calendar-views")
            icon_button("rss_feed", "Subscribe", lambda: open_address(self._visit))

    def draw(self) -> None:
        self._note = box()
        self._grid = box(f"vm-calendar vm-calendar-{self._view}")
        with self._grid:
            for name in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"):
                text(name, "vm-weekday")
        self._cells = KeyedParts(self._grid)
        self._plan = PlanList(self._visit)
        text(f"Times are in {self._visit.zone}.", "vm-hint vm-above")

    # ---- reading ----------------------------------------------------------------------------------------

    async def hear(self, _ids: set[str]) -> None:
        await self.refresh()

    async def refresh(self) -> None:
        actor = await self._visit.current_actor()
        found: list[Loaded[Publication]] = []
        for state in _SHOWN_STATES:
            found += (await self._visit.parts.publishing.list(actor, state=state, limit=_MOST)).items
        self._names = {channel.id: channel.name for channel in await all_channels(self._visit)}
        publications = once_each((loaded.value for loaded in found), lambda publication: publication.id)
        entries = [
            Entry(_time_of(publication).astimezone(self._visit.zone), publication) for publication in publications
        ]
        self._entries = sorted(entries, key=lambda entry: entry.at)
        self._show()
        if self._view == PLAN:
            await self._plan.show()

    # ---- showing ----------------------------------------------------------------------------------------

    def _days(self) -> list[date]:
        if self._view == WEEK:
            first = self._day - timedelta(days=self._day.weekday())
            return [first + timedelta(days=offset) for offset in range(7)]
        first = self._day.replace(day=1)
        start = first - timedelta(days=first.weekday())
        following = (first + timedelta(days=32)).replace(day=1)
        weeks = -(-(following - start).days // 7)
        return [start + timedelta(days=offset) for offset in range(weeks * 7)]

    def _show(self) -> None:
        calendar = self._view != PLAN
        for part in (self._moving, self._note, self._grid):
            part.set_visibility(calendar)
        if not calendar:
            return
        days = self._days()
        same_year = days[0].year == days[-1].year
        week = f"{days[0].day} {days[0]:%b}{'' if same_year else f' {days[0].year}'} to {days[-1].day} {days[-1]:%b %Y}"
        self._range.text = week if self._view == WEEK else f"{self._day:%B %Y}"
        by_day: dict[date, list[Entry]] = {}
        for entry in self._entries:
            by_day.setdefault(entry.at.date(), []).append(entry)
        self._draw_note(any(by_day.get(day) for day in days))
        self._grid.classes(replace=f"vm-calendar vm-calendar-{self._view}")
        self._cells.show([self._day_part(day, by_day.get(day, [])) for day in days])

    def _draw_note(self, filled: bool) -> None:
        self._note.clear()
        waiting = [entry for entry in self._entries if entry.publication.state is PublicationState.SCHEDULED]
        with self._note:
            if filled:
                return
            later = f" {plural(len(waiting), 'publication')} scheduled in all." if waiting else ""
            advice = "Nothing goes out in this time. Approve a video and choose a time to see it here."
            note(advice + later, "", "event_available")

    def _day_part(self, day: date, entries: Sequence[Entry]) -> Part:
        shows = (entries, self._names, self._view, self._day.month)
        return Part(day.isoformat(), shows, lambda: self._draw_day(day, entries))

    def _draw_day(self, day: date, entries: Sequence[Entry]) -> Element:
        outside = self._view == MONTH and day.month != self._day.month
        marks = (" vm-outside" if outside else "") + (" vm-today" if day == self._today else "")
        with box(f"vm-day{marks}{'' if entries else ' vm-free'}") as cell:
            with box("vm-day-head"):
                text(f"{day:%a}", "vm-day-name", tag="span")
                text(str(day.day), "vm-day-number", tag="span")
            limit = _PER_DAY_IN_MONTH if self._view == MONTH else len(entries)
            for entry in entries[:limit]:
                self._draw_entry(entry)
            if len(entries) > limit:
                button(f"{len(entries) - limit} more", lambda: self._open_week(day), "quiet", small=True)
        return cell

    def _draw_entry(self, entry: Entry) -> None:
        publication = entry.publication
        tone = PUBLICATION_TONES[publication.state]
        item = box(f"vm-entry vm-is-{tone}" if tone else "vm-entry", "button").props('type="button"')
        title = publication.content.metadata.title
        item.props["aria-label"] = f"{entry.at:%H:%M} {title}, {publication.state.replace('_', ' ')}"
        item.on("click", lambda: self._open(publication))
        with item:
            ui.icon(platform_icon(publication.content.platform))
            text(f"{entry.at:%H:%M}", "vm-num vm-strong", tag="span")
            text(title, "vm-clip vm-grow", tag="span")

    def _open(self, publication: Publication) -> None:
        content = publication.content
        dialog = Dialog(content.metadata.title)

        async def changed() -> None:
            dialog.close()
            await self.refresh()

        with dialog.body():
            name = self._names.get(content.channel_id, content.platform)
            draw_publication(self._visit, publication, name, changed)
        with dialog.foot("Close"):
            link_button("Open the video", f"/videos/{content.video_id}", "primary", "movie")
        dialog.open()

    # ---- moving -----------------------------------------------------------------------------------------

    def _move(self, by: int) -> None:
        if self._view == WEEK:
            self._day += timedelta(days=7 * by)
        else:
            self._day = (self._day.replace(day=15) + timedelta(days=30 * by)).replace(day=1)
        self._show()

    def _go_today(self) -> None:
        self._day = self._today
        self._show()

    async def _turn(self) -> None:
        self._view = str(self._toggle.value)
        self._show()
        if self._view == PLAN:
            await self._plan.show()
        else:
            self._plan.hide()

    def _open_week(self, day: date) -> None:
        self._day = day
        self._toggle.value = WEEK


def _time_of(publication: Publication) -> datetime:
    if publication.waits_for is not None and publication.due_at is not None:
        return publication.due_at
    return publication.published_at or publication.publish_at or publication.due_at or publication.updated_at
