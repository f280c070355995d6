"""The review page: look closely, say what should change, decide, and go on to the next."""

import asyncio
from collections.abc import Callable
from typing import Any

from nicegui import ui

from video_manager.domain.access import Right
from video_manager.domain.channel import Channel
from video_manager.domain.video import Verdict, VersionState, VideoState
from video_manager.studio.channel_choice import all_channels
from video_manager.studio.desk.approving import ApproveDialog
from video_manager.studio.desk.checks import draw_checks
from video_manager.studio.desk.comments import CommentPanel
from video_manager.studio.desk.head import DeskHead
from video_manager.studio.desk.metadata import MetadataPanel, place_of
from video_manager.studio.desk.options import draw_options
from video_manager.studio.desk.refusing import RegenerateDialog, RejectDialog
from video_manager.studio.desk.state import Desk
from video_manager.studio.desk.thumbnails import ThumbnailPanel
from video_manager.studio.desk.waiting import draw_unready
from video_manager.studio.elements import box, button, icon_button, text
from video_manager.studio.forms.draft_keeper import DraftKeeper
from video_manager.studio.layout import Frame
from video_manager.studio.live import gather
from video_manager.studio.player import Cut, ReviewPlayer
from video_manager.studio.queue import Place, find_place
from video_manager.studio.session import Visit, tell
from video_manager.studio.video_actions import ask_delete
from video_manager.studio.video_parts import newest, title_of


async def build(visit: Visit, frame: Frame) -> None:
    video = await visit.parts.videos.get(visit.opener, str(visit.request.path_params["id"]))
    ready = [version.number for version in video.versions if version.state is VersionState.READY]
    desk = Desk(visit, video, ready[-1] if ready else newest(video).number)
    page = ReviewPage(desk, await all_channels(visit), await find_place(visit, video.id))
    await page.draw(frame)
    gather(visit.live.video, 0.4, page.hear, visit.opened_at)
    gather(visit.live.progress, 0.5, page.hear, visit.opened_at)


class ReviewPage:
    def __init__(self, desk: Desk, channels: list[Channel], place: Place) -> None:
        self._desk = desk
        self._channels = channels
        self._place = place
        self._player: ReviewPlayer | None = None
        self._drawn_cuts: list[Cut] = []
        self._keepers: list[DraftKeeper] = []
        self._drawn_side: tuple[object, ...] | None = None
        desk.reload = self._reload

    # ---- drawing ----------------------------------------------------------------------------------------

    async def draw(self, frame: Frame) -> None:
        self._frame = frame
        with frame.actions:
            self._draw_place()
        self._head = DeskHead(self._desk, self._choose, self._compare)
        with box("vm-desk"):
            with box("vm-desk-stage"):
                self._stage = box()
            self._side = box("vm-desk-side vm-card")
        self._bar = box("vm-decide")
        await self._draw_version()

    def _draw_place(self) -> None:
        place = self._place
        with box("vm-row vm-tight"):
            text(place.words, "vm-soft vm-small vm-nowrap")
            for icon, label, target in (
                ("chevron_left", "Previous in the queue", place.before),
                ("chevron_right", "Next in the queue (N)", place.after),
            ):
                go = icon_button(icon, label, lambda _event, target=target: ui.navigate.to(f"/review/{target}"))
                go.set_enabled(target is not None)

    async def _draw_version(self) -> None:
        """Everything, for the version that is chosen now."""
        self._frame.name(title_of(self._desk.video), "Review")
        self._head.show()
        self._draw_stage()
        await self._draw_side()
        self._draw_bar()

    def _draw_stage(self) -> None:
        self._drawn_cuts = cuts = self._desk.cuts()
        if cuts and self._player is not None:
            self._player.show(cuts, self._desk.marks())
            return
        self._stage.clear()
        self._player = None
        with self._stage:
            if cuts:
                self._player = ReviewPlayer(
                    cuts, self._desk.marks(), on_time=self._follow,
                    on_comment=self._begin_comment, on_mark=self._open_mark, on_capture=self._captured,
                )  # fmt: skip
                self._player.on("command", lambda event: self._command(str(event.args)))
            else:
                draw_unready(self._desk)

    async def _draw_side(self) -> None:
        desk, drafts = self._desk, self._desk.visit.drafts
        for keeper in self._keepers:
            await keeper.flush()
        self._drawn_side = self._side_key()
        kept = await drafts.read(desk.visit.opener, place_of(desk))
        comment = await drafts.read(desk.visit.opener, f"comment/{desk.video.id}")
        self._side.clear()
        with self._side:
            with ui.tabs().props("dense align=left inline-label outside-arrows mobile-arrows") as self._tabs:
                ui.tab("details", "Details")
                self._comments_tab = ui.tab("comments", "Comments")
                self._checks_tab = ui.tab("checks", "Checks")
                ui.tab("options", "Options")
            with ui.tab_panels(self._tabs, value="details").props("keep-alive").classes("vm-full"):
                with ui.tab_panel("details"):
                    self._metadata = MetadataPanel(desk, self._meant_channels(), kept)
                    self._thumbnails = ThumbnailPanel(desk, self._capture)
                with ui.tab_panel("comments"):
                    self._comments = CommentPanel(desk, self._seek, comment)
                with ui.tab_panel("checks"):
                    draw_checks(desk.version, self._seek)
                with ui.tab_panel("options"):
                    draw_options(desk)
        self._keepers = [self._metadata.keeper, self._comments.keeper]
        self._name_tabs()

    def _name_tabs(self) -> None:
        """The tabs say how much is behind them."""
        desk = self._desk
        own = sum(1 for item in desk.video.comments if item.version == desk.number and not item.resolved)
        found = len(desk.version.checks.findings) if desk.version.checks else 0
        self._comments_tab.props["label"] = f"Comments ({own})" if own else "Comments"
        self._checks_tab.props["label"] = f"Checks ({found})" if found else "Checks"

    def _meant_channels(self) -> list[Channel]:
        meant = [channel for channel in self._channels if channel.id in self._desk.video.channels]
        return meant or self._channels

    def _draw_bar(self) -> None:
        desk, visit = self._desk, self._desk.visit
        self._bar.clear()
        can_review = visit.may(Right.REVIEW)
        with self._bar:
            if visit.may(Right.DELETE) and desk.video.deleted_at is None:
                icon_button("delete_outline", "Delete the video", self._delete)
            if not can_review:
                text("Your role may look, but not decide.", "vm-soft vm-small")
            ui.space()
            if can_review and desk.decidable():
                if desk.version.verdict is not Verdict.REJECTED:
                    button("Reject", lambda: self._command("r"), "danger", "close")
                button("Regenerate", lambda: self._command("g"), "second", "autorenew")
                label = "Approve again" if desk.version.verdict is Verdict.APPROVED else "Approve"
                button(label, lambda: self._command("a"), "approve", "check")
            elif can_review and desk.video.state is VideoState.FAILED:
                button("Regenerate", lambda: self._command("g"), "second", "autorenew")

    # ---- what happens -----------------------------------------------------------------------------------

    async def _choose(self, number: int) -> None:
        self._desk.number, self._desk.beside = number, None
        await self._draw_version()

    async def _compare(self, number: int | None) -> None:
        self._desk.beside = number
        self._frame.name(title_of(self._desk.video), "Review")
        self._head.show()
        self._draw_stage()

    async def hear(self, ids: set[str]) -> None:
        if self._desk.video.id in ids:
            await self._reload()

    async def _reload(self) -> None:
        """Read again. What a person is writing stays: only what changed is drawn anew."""
        desk = self._desk
        desk.use(await desk.visit.parts.videos.get(await desk.visit.current_actor(), desk.video.id))
        self._frame.name(title_of(self._desk.video), "Review")
        self._head.show()
        if self._player is None or self._drawn_cuts != desk.cuts():
            self._draw_stage()
        else:
            self._player.show_marks(desk.marks())
        if self._drawn_side != self._side_key():
            await self._keep_tab(self._draw_side)
        else:
            self._comments.show()
            self._thumbnails.show()
            self._name_tabs()
        self._draw_bar()

    def _side_key(self) -> tuple[object, ...]:
        """What the panels at the side were drawn from; comments and thumbnails draw themselves."""
        version = self._desk.version
        texts = version.metadata.with_(thumbnail=None)
        return version.number, version.state, version.verdict, texts, version.checks

    async def _keep_tab(self, draw: Callable[[], Any]) -> None:
        tab = self._tabs.value
        await draw()
        self._tabs.value = tab

    def _follow(self, seconds: float) -> None:
        self._comments.follow(seconds)

    def _seek(self, seconds: float) -> None:
        if self._player:
            self._player.seek(seconds)

    def _capture(self) -> None:
        if self._player:
            self._player.capture()

    async def _captured(self, upload_id: str, error: str) -> None:
        await self._thumbnails.captured(upload_id, error)

    def _begin_comment(self, seconds: float) -> None:
        self._tabs.value = "comments"
        self._comments.write_at(seconds)

    def _open_mark(self, mark_id: str) -> None:
        self._tabs.value = "comments" if mark_id.startswith("comment-") else "checks"

    async def _command(self, key: str) -> None:
        """The keys A, R, G, N, and the buttons that do the same."""
        desk = self._desk
        if key == "n":
            if self._place.after:
                ui.navigate.to(f"/review/{self._place.after}")
            return
        if not desk.visit.may(Right.REVIEW) or not (desk.decidable() or key == "g"):
            return
        drafts, opener = desk.visit.drafts, desk.visit.opener
        if key == "a":
            ApproveDialog(desk, self._metadata, self._channels, self._decided).open()
        elif key == "r":
            RejectDialog(desk, await drafts.read(opener, f"reject/{desk.video.id}"), self._decided).open()
        elif key == "g":
            draft = await drafts.read(opener, f"regenerate/{desk.video.id}/{desk.number}")
            RegenerateDialog(desk, draft, self._decided).open()

    async def _decided(self, what: str) -> None:
        """On to the next in the queue; at its end back to it."""
        tell(f"{what}: “{title_of(self._desk.video)}”.")
        if what.startswith("Version"):
            await self._reload()
            return
        following = self._place.after or self._place.before
        await asyncio.sleep(0.9)  # long enough to read it
        ui.navigate.to(f"/review/{following}" if following else "/review")

    def _delete(self) -> None:
        ask_delete(self._desk.visit, self._desk.video, self._reload, lambda: None)
