"""The dialog that approves a version: where it goes, when, and with which texts there."""

from collections.abc import Awaitable, Callable, Sequence

from nicegui import ui

from video_manager.domain.access import Actor, Right
from video_manager.domain.channel import Channel
from video_manager.domain.video import Decision
from video_manager.errors import Conflict, FieldError, InvalidInput
from video_manager.manager.requests import CompositionRequest, ReviewRequest
from video_manager.manager.views import VideoView
from video_manager.studio.channel_choice import ChannelChoice
from video_manager.studio.desk.metadata import MetadataPanel
from video_manager.studio.desk.state import Desk
from video_manager.studio.desk.target import OwnTarget
from video_manager.studio.dialogs import Dialog
from video_manager.studio.elements import box, button, note, text
from video_manager.studio.formats import plural
from video_manager.studio.forms.inputs import FieldFrame
from video_manager.studio.forms.moments import MomentChoice
from video_manager.studio.forms.requests import read_body
from video_manager.web import random_ids

_COMPOSE_SECONDS = 0.4

Decided = Callable[[str], Awaitable[None]]


class ApproveDialog:
    """`decided` is told what happened, in words."""

    def __init__(self, desk: Desk, metadata: MetadataPanel, channels: Sequence[Channel], decided: Decided) -> None:
        self._desk = desk
        self._metadata = metadata
        self._channels = {channel.id: channel for channel in channels if channel.enabled}
        self._decided = decided
        self._own: dict[str, OwnTarget] = {}
        self._dialog = Dialog(f"Approve version {desk.number}", wide=True)
        self._draw()

    def open(self) -> None:
        self._dialog.open()

    def _compose_soon(self) -> None:
        """Shortly after the last of several changes."""
        self._composing.deactivate()
        self._composing.activate()

    async def _compose(self) -> None:
        """Show what each channel would post. What is wrong with a field is said when the person approves."""
        self._composing.deactivate()
        desk = self._desk
        try:
            request = CompositionRequest(
                version=desk.number,
                metadata=self._metadata.edit(),
                targets=[own.target() for own in self._own.values()],
            )
            actor = await desk.visit.current_actor()
            composed = await desk.visit.parts.reviews.compose(actor, desk.video.id, request)
        except (InvalidInput, Conflict):
            return
        for one in composed:
            if one.channel_id in self._own:
                self._own[one.channel_id].show(one)

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
            self._composing = ui.timer(_COMPOSE_SECONDS, self._compose, active=False)
        with self._dialog.foot():
            self._button = button("Approve", self._approve, "approve", "check")
        self._chosen()

    def _chosen(self) -> None:
        """One expansion for each chosen channel; what was set for the others is forgotten."""
        self._own = {}
        self._details.clear()
        with self._details:
            for id in self._choice.value():
                self._own[id] = OwnTarget(self._desk, self._channels[id], self._compose_soon)
        self._moment_frame.box.set_visibility(bool(self._own))
        self._name_button()
        if self._own:
            self._compose_soon()

    def _name_button(self) -> None:
        if hasattr(self, "_button"):
            when = "and schedule" if self._moment.is_later else "and publish now"
            self._button.text = f"Approve {when}" if self._own else "Approve"

    def _told(self) -> str:
        if not self._own:
            return "Approved"
        return "Approved and scheduled" if self._moment.is_later else "Approved, and on its way"

    def _request(self) -> ReviewRequest:
        targets = [own.target() for own in self._own.values()]
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
        left = self._metadata.show_errors(self._show_option_errors(errors))
        times = [error for error in left if "publish_at" in error.field]
        self._moment.show_error(" ".join(error.reason for error in times))
        shown = [error for error in errors if error not in times]
        self._problem.set_visibility(bool(shown))
        self._problem.clear()
        with self._problem:
            ui.icon("error_outline")
            lines = (f"{error.field.removeprefix('metadata.').capitalize()}: {error.reason}." for error in shown)
            text(" ".join(lines), "vm-grow vm-prose")
        return []

    def _show_option_errors(self, errors: Sequence[FieldError]) -> Sequence[FieldError]:
        """`targets.0.options.privacy` goes to the form of the first channel."""
        left = list(errors)
        for index, own in enumerate(self._own.values()):
            start = f"targets.{index}."
            mine = [FieldError(error.field.removeprefix(start), error.reason) for error in left
                    if error.field.startswith(start)]  # fmt: skip
            left = [error for error in left if not error.field.startswith(start)]
            left += own.show_errors(mine)
        return left
