"""The board: every video by where it is on its way, moving as it moves."""

from collections.abc import Sequence
from dataclasses import dataclass

from nicegui import ui
from nicegui.element import Element

from video_manager.domain.access import Right
from video_manager.domain.video import VideoState
from video_manager.errors import NotFound
from video_manager.manager.views import VideoView
from video_manager.studio.elements import ProgressBar, anchor, box, button, empty, heading, link, link_button, text
from video_manager.studio.formats import age_text, size_text
from video_manager.studio.keyed import KeyedParts, Part, once_each
from video_manager.studio.layout import Frame
from video_manager.studio.live import gather
from video_manager.studio.session import Visit
from video_manager.studio.video_actions import draw_actions
from video_manager.studio.video_parts import (
    WORKING,
    draw_findings,
    draw_picture,
    draw_publications,
    draw_state,
    generator_title,
    is_working,
    newest,
    stage_text,
    title_of,
)

_PAGE = 12


@dataclass(frozen=True)
class Lane:
    title: str
    icon: str
    states: tuple[VideoState, ...]
    nothing: str


LANES = (
    Lane("In the works", "autorenew", WORKING, "Nothing is being made right now."),
    Lane("To review", "rate_review", (VideoState.IN_REVIEW,), "Nothing waits for a decision."),
    Lane("Approved", "verified", (VideoState.APPROVED,), "Nothing is approved yet."),
    Lane(
        "Ended", "report", (VideoState.FAILED, VideoState.CANCELLED, VideoState.REJECTED),
        "Nothing failed, was cancelled or rejected.",
    ),
)  # fmt: skip


async def build(visit: Visit, frame: Frame) -> None:
    page = Board(visit)
    with frame.actions:
        search = ui.input(placeholder="Search titles").props("outlined dense clearable debounce=300 type=search")
        search.props["aria-label"] = "Search titles"
        search.classes("vm-search").on_value_change(lambda event: page.search(event.value or ""))
        if visit.may(Right.REQUEST):
            link_button("New video", "/new", "primary", "add")
    await page.draw()
    gather(visit.live.progress, 0.5, page.show_progress, visit.opened_at)
    gather(visit.live.video, 0.4, page.reload_ids, visit.opened_at)


class Board:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._text = ""
        self._shown = {lane.title: _PAGE for lane in LANES}
        self._progress: dict[str, tuple[ProgressBar, ui.label]] = {}
        self._hidden: set[str] = set()
        self._totals: dict[str, ui.label] = {}
        self._cards: dict[str, KeyedParts] = {}

    async def draw(self) -> None:
        self._summary = box("vm-summary")
        self._lanes = KeyedParts(box())
        await self.reload()

    async def search(self, words: str) -> None:
        self._text = words
        await self._visit.attempt(lambda _actor: self.reload())

    async def reload_ids(self, _ids: set[str]) -> None:
        await self.reload()

    async def reload(self) -> None:
        """Read all lanes and draw them."""
        actor = await self._visit.current_actor()
        counts = await self._visit.parts.videos.count_by_state(actor)
        storage = await self._visit.parts.operations.storage(actor)
        lanes = [(lane, *await self._read(lane)) for lane in LANES]
        self._draw_summary(counts, storage.used_bytes, storage.free_bytes)
        if not self._text and not any(videos for _, videos, _ in lanes):
            self._lanes.show([Part("welcome", None, self._draw_welcome)])
            return
        self._lanes.show([Part("lanes", None, self._draw_lanes)])
        for lane, videos, more in lanes:
            total = len(videos) if self._text else sum(counts.get(state, 0) for state in lane.states)
            self._show_lane(lane, videos, total, more=more)
        self._progress = {id: bar for id, bar in self._progress.items() if not bar[1].is_deleted}

    async def _read(self, lane: Lane) -> tuple[list[VideoView], bool]:
        """The lane's newest videos over its states, and whether there are more."""
        actor, limit = await self._visit.current_actor(), self._shown[lane.title]
        found: list[VideoView] = []
        more = False
        for state in lane.states:
            page = await self._visit.parts.videos.list_videos(actor, state=state, text=self._text or None, limit=limit)
            found += page.items
            more = more or page.next is not None
        newest_first = sorted(
            once_each(found, lambda video: video.id), key=lambda video: video.created_at, reverse=True
        )
        visible = [video for video in newest_first if video.id not in self._hidden]
        return visible[:limit], more or len(visible) > limit

    def _draw_summary(self, counts: dict[str, int], used: int, free: int | None) -> None:
        self._summary.clear()
        making = sum(counts.get(state, 0) for state in WORKING)
        with self._summary:
            _tile(
                "To review",
                str(counts.get("in_review", 0)),
                "/review",
                "rate_review",
                hot=counts.get("in_review", 0) > 0,
            )
            _tile("In the works", str(making), "/library?state=rendering", "autorenew")
            _tile("Approved", str(counts.get("approved", 0)), "/library?state=approved", "verified")
            limit = self._visit.parts.settings.storage_quota_bytes or (used + free if free is not None else None)
            with box("vm-tile"):
                with box("vm-row"):
                    ui.icon("sd_storage").classes("vm-tile-icon")
                    with box("vm-grow"):
                        text("Storage used", "vm-soft vm-small")
                        with box("vm-tile-value vm-num"):
                            text(size_text(used), tag="span")
                            if limit:
                                text(f" of {size_text(limit)}", "vm-spare", tag="span")
                ProgressBar(used / limit if limit else 0)

    def _draw_welcome(self) -> Element:
        advice = (
            "Request the first one: choose what makes it, give it a text or pictures, and watch it come to life here."
        )
        with box("vm-card") as card, empty("movie_creation", "No videos yet", advice):
            if self._visit.may(Right.REQUEST):
                link_button("Request a video", "/new", "primary", "add")
        return card

    def _draw_lanes(self) -> Element:
        with box("vm-lanes") as lanes:
            for lane in LANES:
                with box("vm-lane", "section") as section:
                    section.props["aria-label"] = lane.title
                    with box("vm-lane-head"):
                        heading(lane.title)
                        self._totals[lane.title] = text("", "vm-count", tag="span")
                self._cards[lane.title] = KeyedParts(section)
        return lanes

    def _show_lane(self, lane: Lane, videos: Sequence[VideoView], total: int, *, more: bool) -> None:
        self._totals[lane.title].text = str(total)
        nothing = "" if videos else "Nothing matches." if self._text else lane.nothing
        parts = [self._card_part(video) for video in videos]
        if nothing:
            parts.append(Part("nothing", nothing, lambda: text(nothing, "vm-lane-nothing")))
        if more:

            async def show_more() -> None:
                self._shown[lane.title] += _PAGE
                await self._visit.attempt(lambda _actor: self.reload())

            parts.append(Part("more", None, lambda: button("Show more", show_more, "quiet", "expand_more")))
        self._cards[lane.title].show(parts)

    def _card_part(self, video: VideoView) -> Part:
        """Without the progress: the bar moves by itself."""
        age = age_text(video.created_at, self._visit.parts.clock.now())
        still = [one.model_copy(update={"progress": 0.0, "stage": ""}) for one in video.versions]
        shows = (video.model_copy(update={"versions": still}), age)
        return Part(video.id, shows, lambda: self._draw_card(video, age))

    def _draw_card(self, video: VideoView, age: str) -> Element:
        version = newest(video)
        target = f"/review/{video.id}" if video.state is VideoState.IN_REVIEW else f"/videos/{video.id}"
        with box("vm-video-card", "article") as card:
            with anchor(target, "vm-picture-link", label=title_of(video)):
                draw_picture(video)
            with box("vm-video-body"):
                link(title_of(video), target, "vm-video-title vm-clip2")
                about = f"{generator_title(self._visit, version.spec.generator)} · v{version.number} · "
                text(about + age, "vm-soft vm-small vm-clip")
                if is_working(version):
                    bar = ProgressBar(version.progress, idle=version.progress == 0)
                    stage = text(stage_text(version), "vm-soft vm-small vm-num vm-clip")
                    self._progress[video.id] = bar, stage
                elif version.error:
                    text(version.error, "vm-bad vm-small vm-clip2")
                with box("vm-row vm-tight vm-wrap vm-card-foot"):
                    if not is_working(version) or video.paused:
                        draw_state(video)
                    draw_findings(version)
                    draw_publications(video)
                    with box("vm-row vm-tight vm-push"):
                        draw_actions(self._visit, video, self._refresh, lambda: self._hidden.add(video.id))
        return card

    async def _refresh(self) -> None:
        self._hidden.clear()
        await self._visit.attempt(lambda _actor: self.reload())

    async def show_progress(self, ids: set[str]) -> None:
        """Move the bars of these videos; everything else stays as it is."""
        actor = await self._visit.current_actor()
        for id in ids & self._progress.keys():
            try:
                version = newest(await self._visit.parts.videos.get(actor, id))
            except NotFound:
                continue
            if id not in self._progress:
                continue  # the board was drawn anew meanwhile
            bar, stage = self._progress[id]
            bar.show(version.progress, idle=version.progress == 0)
            stage.text = stage_text(version)


def _tile(title: str, value: str, target: str, icon: str, *, hot: bool = False) -> None:
    with anchor(target, "vm-tile vm-hot" if hot else "vm-tile"), box("vm-row"):
        ui.icon(icon).classes("vm-tile-icon")
        with box("vm-grow"):
            text(title, "vm-soft vm-small")
            text(value, "vm-tile-value vm-num")
