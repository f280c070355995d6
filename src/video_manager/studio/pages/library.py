"""All videos, page by page, by state and title."""

from urllib.parse import urlencode

from nicegui import ui

from video_manager.domain.access import Right
from video_manager.domain.video import VideoState
from video_manager.manager.service import VideoPage
from video_manager.manager.views import VideoView
from video_manager.studio.elements import anchor, box, button, empty, link, link_button, text
from video_manager.studio.formats import time_text, words
from video_manager.studio.layout import Frame
from video_manager.studio.live import gather
from video_manager.studio.session import Visit
from video_manager.studio.video_actions import draw_actions
from video_manager.studio.video_parts import (
    draw_findings,
    draw_picture,
    draw_publications,
    draw_state,
    generator_title,
    newest,
    stage_text,
    title_of,
)

_PAGE = 24
_FILTERS = ("", *(state.value for state in VideoState))


async def build(visit: Visit, frame: Frame) -> None:
    asked = visit.request.query_params
    page = Library(visit, asked.get("state", ""), asked.get("q", ""))
    with frame.actions:
        search = ui.input(value=page.words, placeholder="Search titles").props("outlined dense clearable debounce=300")
        search.classes("vm-search").props('aria-label="Search titles" type=search')
        search.on_value_change(lambda event: page.search(event.value or ""))
    await page.draw()
    gather(visit.live.video, 0.8, page.refresh, visit.opened_at)


class Library:
    """`cursors` are the beginnings of the pages seen so far; the address keeps filter and words."""

    def __init__(self, visit: Visit, state: str, words_: str) -> None:
        self._visit = visit
        self._state = state if state in _FILTERS else ""
        self.words = words_[:200]
        self._cursors: list[str | None] = [None]

    async def draw(self) -> None:
        self._filters = box("vm-filters").props('role="group" aria-label="State"')
        self._list = box()
        self._pages = box("vm-row vm-pages")
        await self.refresh(set())

    async def search(self, entered: str) -> None:
        self.words = entered
        await self._start_over()

    async def choose(self, state: str) -> None:
        self._state = state
        await self._start_over()

    async def _start_over(self) -> None:
        self._cursors = [None]
        wanted = {"state": self._state, "q": self.words}
        query = urlencode({name: value for name, value in wanted.items() if value})
        ui.navigate.history.replace(f"/library?{query}" if query else "/library")
        await self._visit.attempt(lambda _actor: self.refresh(set()))

    async def refresh(self, _ids: set[str]) -> None:
        actor, videos = await self._visit.current_actor(), self._visit.parts.videos
        counts = await videos.count_by_state(actor)
        page = await videos.list_videos(
            actor, state=self._state or None, text=self.words or None, cursor=self._cursors[-1], limit=_PAGE
        )
        self._draw_filters(counts)
        self._draw_list(page)
        self._draw_pages(page)

    def _draw_filters(self, counts: dict[str, int]) -> None:
        total = sum(number for state, number in counts.items() if state != VideoState.DELETED)
        self._filters.clear()
        with self._filters:
            for state in _FILTERS:
                number = counts.get(state, 0) if state else total
                if state and not number and state != self._state:
                    continue
                pick = box("vm-pick vm-chosen" if state == self._state else "vm-pick", "button")
                pick.props(f"aria-pressed={'true' if state == self._state else 'false'}")
                pick.on("click", lambda _event, state=state: self.choose(state))
                with pick:
                    text(words(state) if state else "All", tag="span")
                    text(str(number), "vm-count", tag="span")

    def _draw_list(self, page: VideoPage) -> None:
        self._list.clear()
        with self._list:
            if not page.items:
                self._draw_nothing()
                return
            with box("vm-card vm-flush"), box("vm-rows"):
                for video in page.items:
                    self._draw_row(video)

    def _draw_nothing(self) -> None:
        if self._state or self.words:
            with box("vm-card"):
                empty("search_off", "Nothing matches", "Try other words, or choose another state.")
            return
        with (
            box("vm-card"),
            empty("video_library", "No videos yet", "Everything that is ever requested is found here."),
        ):
            if self._visit.may(Right.REQUEST):
                link_button("Request a video", "/new", "primary", "add")

    def _draw_row(self, video: VideoView) -> None:
        version, target = newest(video), f"/videos/{video.id}"
        with box("vm-list-row", "article"):
            with anchor(target, "vm-picture-link", label=title_of(video)):
                draw_picture(video, "vm-picture vm-small-picture")
            with box("vm-col vm-tight vm-grow"):
                link(title_of(video), target, "vm-video-title vm-clip2")
                by = f"{generator_title(self._visit, version.spec.generator)} · by {video.created_by}"
                text(f"{by} · {time_text(video.created_at, self._visit.zone)}", "vm-soft vm-small")
                if version.error:
                    text(version.error, "vm-bad vm-small vm-clip")
                elif version.state in ("requested", "rendering", "processing"):
                    text(stage_text(version), "vm-soft vm-small")
            with box("vm-row vm-tight vm-wrap vm-row-end"):
                draw_state(video)
                draw_findings(version)
                draw_publications(video)
                if version.number > 1:
                    text(f"{len(video.versions)} versions", "vm-soft vm-small vm-nowrap")
                draw_actions(self._visit, video, self._again, lambda: None)

    async def _again(self) -> None:
        await self._visit.attempt(lambda _actor: self.refresh(set()))

    def _draw_pages(self, page: VideoPage) -> None:
        self._pages.clear()
        with self._pages:
            if len(self._cursors) > 1:
                button("Newer", self._back, "second", "chevron_left")
            if page.next is not None:
                button("Older", lambda: self._on(page.next), "second", "chevron_right")

    async def _back(self) -> None:
        self._cursors.pop()
        await self._again()

    async def _on(self, cursor: str | None) -> None:
        self._cursors.append(cursor)
        await self._again()
