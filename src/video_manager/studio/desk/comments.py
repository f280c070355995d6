"""Comments: written at a moment of the video, answered by marking them resolved."""

from collections.abc import Callable
from typing import Any

from nicegui import ui

from video_manager.domain.access import Actor, Right
from video_manager.domain.video import Comment
from video_manager.manager.requests import NewComment
from video_manager.manager.views import VideoView
from video_manager.studio.desk.state import Desk
from video_manager.studio.elements import box, button, icon_button, text
from video_manager.studio.formats import age_text, timecode_text
from video_manager.studio.forms.draft_keeper import DraftKeeper
from video_manager.studio.forms.requests import read_body
from video_manager.web import random_ids


class CommentPanel:
    """`seek` moves the player. The time of a new comment follows the player until the person starts to type."""

    def __init__(self, desk: Desk, seek: Callable[[float], None], draft: dict[str, Any]) -> None:
        self._desk = desk
        self._seek = seek
        kept = draft.get("at")
        self._at: float | None = float(kept) if isinstance(kept, int | float) else 0.0
        self.keeper = DraftKeeper(desk.visit, f"comment/{desk.video.id}", self._draft)
        with box("vm-col vm-wide"):
            if desk.visit.may(Right.REVIEW):
                self._draw_writer(str(draft.get("text", "")))
            self._list = box("vm-col")
        self.show()

    def _draw_writer(self, start: str) -> None:
        with box("vm-col"):
            self._text = ui.textarea(value=start, on_change=self.keeper.touch)
            self._text.props('outlined dense autogrow placeholder="What should change here?" aria-label="Comment"')
            self._text.props('input-style="min-height: 64px; max-height: 240px"')
            self._text.on("keydown.ctrl.enter", self._send)
            with box("vm-row vm-wrap"):
                with ui.button(on_click=self._toggle_time, color=None).props("unelevated no-caps") as self._time:
                    pass
                self._time.classes("vm-second vm-small")
                ui.space()
                button("Comment", self._send, "primary", "add_comment", small=True)
        self._show_time()

    def _draft(self) -> dict[str, Any]:
        return {"text": self._text.value, "at": self._at} if self._text.value else {}

    # ---- the time of a new comment ----------------------------------------------------------------------

    def follow(self, seconds: float) -> None:
        """The player rests at another place."""
        self._now = seconds
        if self._desk.visit.may(Right.REVIEW) and self._at is not None and not self._text.value:
            self._at = seconds
            self._show_time()

    def write_at(self, seconds: float) -> None:
        """Begin a comment at this moment."""
        if self._desk.visit.may(Right.REVIEW):
            self._now = self._at = seconds
            self._show_time()
            self._text.run_method("focus")

    _now = 0.0

    def _toggle_time(self) -> None:
        self._at = self._now if self._at is None else None
        self._show_time()
        self.keeper.touch()

    def _show_time(self) -> None:
        self._time.text = "For the whole video" if self._at is None else f"At {timecode_text(self._at)}"
        self._time.props(f"icon={'movie' if self._at is None else 'schedule'}")

    # ---- writing ----------------------------------------------------------------------------------------

    async def _send(self) -> None:
        desk = self._desk

        async def comment(actor: Actor) -> VideoView:
            values = {"text": self._text.value or "", "at_seconds": self._at, "version": desk.number}
            body = read_body(NewComment, values)
            return await desk.visit.parts.reviews.comment(actor, desk.video.id, body, random_ids)

        async def written(video: VideoView) -> None:
            self._text.value = ""
            await self.keeper.start_over()
            desk.use(video)
            await desk.reload()

        if not (self._text.value or "").strip():
            self._text.run_method("focus")
            return
        await desk.visit.attempt(comment, then=written)

    # ---- reading ----------------------------------------------------------------------------------------

    def show(self) -> None:
        """Draw the comments of this version, then those of the others."""
        comments = sorted(self._desk.video.comments, key=lambda item: (item.at_seconds or -1.0, item.created_at))
        own = [item for item in comments if item.version == self._desk.number]
        others = [item for item in comments if item.version != self._desk.number]
        self._list.clear()
        with self._list:
            if not comments:
                text("No comments yet. Press C to write one at the moment you see.", "vm-soft vm-small")
            for comment in own:
                self._draw_comment(comment)
            if others:
                with ui.expansion(f"On other versions ({len(others)})").props("dense"):
                    for comment in others:
                        self._draw_comment(comment)

    def _draw_comment(self, comment: Comment) -> None:
        desk = self._desk
        with box("vm-comment vm-resolved" if comment.resolved else "vm-comment", "article"):
            with box("vm-row vm-tight"):
                if comment.at_seconds is not None and comment.version == desk.number:
                    jump = ui.button(timecode_text(comment.at_seconds), color=None)
                    jump.on_click(lambda: self._seek(comment.at_seconds or 0.0))
                    jump.props("unelevated no-caps").classes("vm-second vm-small vm-num vm-jump")
                text(comment.author, "vm-strong vm-small vm-clip")
                where = "" if comment.version == desk.number else f"v{comment.version} · "
                text(where + age_text(comment.created_at, desk.visit.parts.clock.now()), "vm-faint vm-small vm-grow")
                if desk.visit.may(Right.REVIEW):
                    self._draw_resolve(comment)
            text(comment.text, "vm-prose")

    def _draw_resolve(self, comment: Comment) -> None:
        desk = self._desk

        async def turned(video: VideoView) -> None:
            desk.use(video)
            await desk.reload()

        turn = desk.visit.act(
            lambda actor: desk.visit.parts.reviews.resolve_comment(
                actor, desk.video.id, comment.id, not comment.resolved
            ),
            then=turned,
        )
        label = "Open again" if comment.resolved else "Mark as resolved"
        icon_button("task_alt" if comment.resolved else "radio_button_unchecked", label, turn, small=True)
