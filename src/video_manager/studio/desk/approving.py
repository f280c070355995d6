"""The dialog that approves a version: where it goes, when, and with which texts there."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nicegui import ui

from video_manager.domain.access import Actor, Right
from video_manager.domain.channel import Channel
from video_manager.domain.video import Decision
from video_manager.errors import FieldError
from video_manager.manager.requests import MetadataEdit, ReviewRequest
from video_manager.manager.views import VideoView
from video_manager.studio.channel_choice import ChannelChoice
from video_manager.studio.desk.metadata import MetadataPanel
from video_manager.studio.desk.state import Desk
from video_manager.studio.dialogs import Dialog
from video_manager.studio.elements import box, button, note, text
from video_manager.studio.formats import plural
from video_manager.studio.forms.inputs import FieldFrame
from video_manager.studio.forms.moments import MomentChoice
from video_manager.studio.forms.requests import read_body
from video_manager.web import random_ids

Decided = Callable[[str], Awaitable[None]]


class ApproveDialog:
    """`decided` is told what happened, in words."""

    def __init__(self, desk: Desk, metadata: MetadataPanel, channels: Sequence[Channel], decided: Decided) -> None:
        self._desk = desk
        self._metadata = metadata
        self._channels = {channel.id: channel for channel in channels if channel.enabled}
        self._decided = decided
        self._own: dict[str, _OwnTarget] = {}
        self._dialog = Dialog(f"Approve version {desk.number}", wide=True)
        self._draw()

    def open(self) -> None:
        self._dialog.open()

    def _draw(self) -> None:
        visit = self._desk.visit
        errors = [item for item in (self._desk.version.checks.findings if self._desk.version.checks else ())
                  if item.severity == "error"]  # fmt: skip
        open_comments = [item for item in self._desk.video.comments
                         if item.version == self._desk.number and not item.resolved]  # fmt: skip
        with self._dialog.body():
            if errors:
                note(f"The checks found {plural(len(errors), 'error')}: {errors[0].message}", "bad", "error_outline")
            if open_comments:
                note(f"{plural(len(open_comments), 'comment')} on this version not resolved.", "warn", "comment")
            self._problem = note("", "bad", "error_outline")
            self._problem.set_visibility(False)
            frame = FieldFrame("Publish to", "None: it is approved, and can be published later.", wide=True)
            with frame.place:
                meant = [id for id in self._desk.video.channels if id in self._channels]
                usable = list(self._channels.values()) if visit.may(Right.PUBLISH) else []
                start = meant or [channel.id for channel in usable if channel.platform == "site"]
                self._choice = ChannelChoice(usable, start, self._chosen)
            self._moment_frame = FieldFrame("When", wide=True)
            with self._moment_frame.place:
                self._moment = MomentChoice(visit.zone, visit.parts.clock.now(), on_change=self._name_button)
            self._details = box("vm-col")
        with self._dialog.foot():
            self._button = button("Approve", self._approve, "approve", "check")
        self._chosen()

    def _chosen(self) -> None:
        """One expansion for each chosen channel; what was set for the others is forgotten."""
        self._own = {}
        self._details.clear()
        with self._details:
            for id in self._choice.value():
                self._own[id] = _OwnTarget(self._desk, self._channels[id])
        self._moment_frame.box.set_visibility(bool(self._own))
        self._name_button()

    def _name_button(self) -> None:
        if hasattr(self, "_button"):
            when = "and schedule" if self._moment.is_later else "and publish now"
            self._button.text = f"Approve {when}" if self._own else "Approve"

    def _told(self) -> str:
        if not self._own:
            return "Approved"
        return "Approved and scheduled" if self._moment.is_later else "Approved, and on its way"

    def _request(self) -> ReviewRequest:
        targets = [
            {"channel_id": id, "metadata": own.metadata(), "publish_at": own.publish_at()}
            for id, own in self._own.items()
        ]
        return read_body(ReviewRequest, {
            "version": self._desk.number, "decision": Decision.APPROVE, "metadata": self._metadata.edit(),
            "targets": targets, "publish_at": self._moment.value() if targets else None,
        })  # fmt: skip

    async def _approve(self) -> None:
        desk = self._desk

        async def approve(actor: Actor) -> VideoView:
            # The revision that was looked at: what somebody changed meanwhile was not approved.
            return await desk.visit.parts.reviews.review(
                actor, desk.video.id, self._request(), random_ids, expected_revision=desk.video.revision
            )

        async def approved(_video: object) -> None:
            self._dialog.close()
            await self._metadata.forget()
            await self._decided(self._told())

        self._button.disable()
        if not await desk.visit.attempt(approve, then=approved, fields=self):
            self._button.enable()
            await desk.reload()

    def show_errors(self, errors: Sequence[FieldError]) -> Sequence[FieldError]:
        """Reasons about the texts are shown where they are written, and here that they are there."""
        left = self._metadata.show_errors(errors)
        times = [error for error in left if error.field.startswith("publish_at")]
        self._moment.show_error(" ".join(error.reason for error in times))
        shown = [error for error in errors if error not in times]
        self._problem.set_visibility(bool(shown))
        self._problem.clear()
        with self._problem:
            ui.icon("error_outline")
            lines = (f"{error.field.removeprefix('metadata.').capitalize()}: {error.reason}." for error in shown)
            text(" ".join(lines), "vm-grow vm-prose")
        return []


class _OwnTarget:
    """Other texts or another time for one channel."""

    def __init__(self, desk: Desk, channel: Channel) -> None:
        visit = desk.visit
        with ui.expansion(f"Other text or time for {channel.name}").props("dense").classes("vm-own"):
            self._title = self._field("Title", ui.input)
            self._description = self._field("Description", ui.textarea)
            frame = FieldFrame("When", wide=True)
            with frame.place:
                self._moment = MomentChoice(
                    visit.zone, visit.parts.clock.now(), now_label="As above", later_label="At another time"
                )

    @staticmethod
    def _field(title: str, make: Callable[..., Any]) -> Any:
        frame = FieldFrame(title, wide=True)
        with frame.place:
            element = make(placeholder="As on this page").props("outlined dense autogrow")
            element.props["aria-label"] = title
        return element

    def metadata(self) -> MetadataEdit | None:
        given = {"title": self._title.value, "description": self._description.value}
        given = {name: value for name, value in given.items() if value}
        return read_body(MetadataEdit, given) if given else None

    def publish_at(self) -> dict[str, str] | None:
        return self._moment.value()
