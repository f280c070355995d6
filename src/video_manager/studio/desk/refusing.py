"""The dialogs of the other decisions: reject with a reason, and make another version with changed options."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nicegui import ui

from video_manager.domain.access import Actor
from video_manager.domain.video import Decision
from video_manager.errors import FieldError
from video_manager.manager.requests import ReviewRequest
from video_manager.manager.views import VideoView
from video_manager.plugins.registry import PluginKind
from video_manager.studio.desk.state import Desk
from video_manager.studio.dialogs import Dialog
from video_manager.studio.elements import box, button, text
from video_manager.studio.forms import SchemaForm
from video_manager.studio.forms.draft_keeper import DraftKeeper
from video_manager.studio.forms.inputs import FieldFrame
from video_manager.studio.forms.requests import read_body
from video_manager.web import random_ids

Decided = Callable[[str], Awaitable[None]]
REASONS = ("Wrong facts", "Sounds wrong", "Looks wrong", "Too long", "Not on brand", "Not needed any more")
KEEP, DROP = "keep", "drop"


class RejectDialog:
    def __init__(self, desk: Desk, draft: dict[str, Any], decided: Decided) -> None:
        self._desk = desk
        self._decided = decided
        self._dialog = Dialog(f"Reject version {desk.number}")
        self._keeper = DraftKeeper(desk.visit, f"reject/{desk.video.id}", lambda: {"reason": self._reason.value or ""})
        with self._dialog.body():
            with box("vm-row vm-wrap vm-tight"):
                for reason in REASONS:
                    button(reason, lambda _event, reason=reason: self._add(reason), "second", small=True)
            self._frame = FieldFrame("Why?", "The person who asked for it reads this.", wide=True)
            with self._frame.place:
                self._reason = ui.textarea(value=str(draft.get("reason", "")), on_change=self._keeper.touch)
                self._reason.props('outlined dense autogrow autofocus aria-label="Reason"')
            with box("vm-field"):
                text("Its files", "vm-label")
                self._files = ui.radio({KEEP: "Keep them for a while", DROP: "Delete them now"}, value=KEEP)
                self._files.props("dense")
        with self._dialog.foot():
            button("Reject", self._reject, "danger", "close")

    def open(self) -> None:
        self._dialog.open()

    def _add(self, reason: str) -> None:
        self._reason.value = f"{self._reason.value}, {reason.lower()}" if self._reason.value else reason

    async def _reject(self) -> None:
        desk = self._desk

        async def reject(actor: Actor) -> VideoView:
            request = read_body(ReviewRequest, {
                "version": desk.number, "decision": Decision.REJECT, "reason": self._reason.value or "",
                "keep_files": self._files.value == KEEP,
            })  # fmt: skip
            return await desk.visit.parts.reviews.review(
                actor, desk.video.id, request, random_ids, expected_revision=desk.video.revision
            )

        async def rejected(_video: object) -> None:
            self._dialog.close()
            await self._keeper.forget()
            await self._decided("Rejected")

        if not (self._reason.value or "").strip():
            self._frame.show_error("Say why, so that the next one is better.")
            self._reason.run_method("focus")
            return
        await desk.visit.attempt(reject, then=rejected)


class RegenerateDialog:
    """The form holds the options that were set for this version; what is left open is drawn by the seed."""

    def __init__(self, desk: Desk, draft: dict[str, Any], decided: Decided) -> None:
        self._desk = desk
        self._decided = decided
        spec = desk.version.spec
        self._given = dict(desk.version.given)
        schema = desk.visit.parts.registry.description(PluginKind.GENERATOR, spec.generator).json_schema
        self._keeper = DraftKeeper(desk.visit, f"regenerate/{desk.video.id}/{desk.number}", self._kept)
        self._dialog = Dialog("Make another version", wide=True)
        with self._dialog.body():
            text(
                "The new version appears beside this one. Nothing changed means a new variant, with another seed.",
                "vm-soft",
            )
            self._seed = ui.radio(
                {"new": "Draw open options anew", "same": f"Keep the seed {spec.seed}: only what I change differs"},
                value=draft.get("seed", "new"), on_change=self._keeper.touch,
            ).props("dense")  # fmt: skip
            frame = FieldFrame("Why?", "", wide=True, optional=True)
            with frame.place:
                self._reason = ui.input(value=str(draft.get("reason", "")), on_change=self._keeper.touch)
                self._reason.props('outlined dense aria-label="Reason"')
            self._form = SchemaForm(schema, draft.get("options", self._given), self._keeper.touch)
        with self._dialog.foot():
            self._button = button("Regenerate", self._regenerate, "primary", "autorenew")

    def open(self) -> None:
        self._dialog.open()

    def _kept(self) -> dict[str, Any]:
        return {"options": self._form.values(), "reason": self._reason.value or "", "seed": self._seed.value}

    async def _regenerate(self) -> None:
        desk = self._desk

        async def regenerate(actor: Actor) -> VideoView:
            changes = self._form.changes(self._given)
            values: dict[str, Any] = {
                "version": desk.number, "decision": Decision.REGENERATE, "reason": self._reason.value or "",
                "options": changes,
            }  # fmt: skip
            if self._seed.value == "same":
                values["seed"] = desk.version.spec.seed
            elif changes:
                values["seed"] = secrets.randbits(48)
            request = read_body(ReviewRequest, values)
            return await desk.visit.parts.reviews.review(actor, desk.video.id, request, random_ids)

        async def asked(video: VideoView) -> None:
            self._dialog.close()
            await self._keeper.forget()
            desk.use(video)
            await self._decided(f"Version {video.versions[-1].number} is being made")

        self._button.disable()
        if not await desk.visit.attempt(regenerate, then=asked, fields=self):
            self._button.enable()

    def show_errors(self, errors: Sequence[FieldError]) -> Sequence[FieldError]:
        return self._form.show_errors(errors)
