"""The texts that go out with a video, with each platform's limits counted live."""

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from video_manager.domain.access import Right
from video_manager.domain.channel import Channel
from video_manager.domain.video import Verdict
from video_manager.errors import FieldError
from video_manager.manager.requests import MetadataEdit, VideoEdit
from video_manager.plugins.api import PlatformLimits
from video_manager.studio.desk.state import Desk
from video_manager.studio.elements import box, button, note, text
from video_manager.studio.formats import LANGUAGES, words
from video_manager.studio.forms.draft_keeper import DraftKeeper
from video_manager.studio.forms.inputs import FieldFrame
from video_manager.studio.forms.requests import read_body
from video_manager.studio.icons import platform_title
from video_manager.studio.session import Visit

_LIMITS = {"title": "max_title_characters", "description": "max_description_characters", "tags": "max_tags_characters"}


class MetadataPanel:
    """Keeps what is typed as a draft of this version; a decision takes it along, or "Save" stores it by itself."""

    def __init__(self, desk: Desk, channels: Sequence[Channel], draft: dict[str, Any]) -> None:
        self._desk = desk
        self._limits = _limits_of(desk.visit, channels)
        stored = self._stored()
        start = {**stored, **{name: value for name, value in draft.items() if name in stored}}
        self.keeper = DraftKeeper(desk.visit, place_of(desk), self._draft)
        self._draw(start)
        self._show_counts()

    def _stored(self) -> dict[str, Any]:
        metadata = self._desk.version.metadata
        return {
            "title": metadata.title or self._desk.video.title, "description": metadata.description,
            "tags": list(metadata.tags), "language": metadata.language,
        }  # fmt: skip

    def _draw(self, start: dict[str, Any]) -> None:
        editable = self._desk.visit.may(Right.REVIEW)
        with box("vm-col vm-wide"):
            if self._desk.version.verdict is Verdict.APPROVED:
                note("This version is approved. Changing its texts voids the approval.", "warn", "gpp_maybe")
            self._frames = {
                name: FieldFrame(words(name), wide=True) for name in ("title", "description", "tags", "language")
            }
            with self._frames["title"].place:
                self._title = ui.input(value=start["title"], on_change=self._changed)
            with self._frames["description"].place:
                self._description = ui.textarea(value=start["description"], on_change=self._changed)
                self._description.props('autogrow input-style="min-height: 96px; max-height: 320px"')
            with self._frames["tags"].place:
                self._tags = ui.input_chips(value=list(start["tags"]), on_change=self._changed)
                self._tags.props('new-value-mode="add-unique" placeholder="Type a tag and press Enter"')
            with self._frames["language"].place:
                known = {**LANGUAGES, start["language"]: LANGUAGES.get(start["language"], start["language"])}
                self._language = ui.select(known, value=start["language"], on_change=self._changed)
            for name, element in self._elements().items():
                element.props("outlined dense hide-bottom-space").props["aria-label"] = words(name)
                element.set_enabled(editable)
            self._counters = {name: self._draw_counter(name) for name in _LIMITS}
            with box("vm-row") as self._unsaved:
                text("Kept as your draft. A decision takes it along.", "vm-hint vm-grow")
                button("Undo changes", self._undo, "quiet", small=True)
                button("Save now", self._save, "second", "save", small=True)
        self._unsaved.set_visibility(self.edit() is not None)

    def _elements(self) -> dict[str, Any]:
        return {
            "title": self._title, "description": self._description, "tags": self._tags, "language": self._language,
        }  # fmt: skip

    def _draw_counter(self, name: str) -> ui.label:
        with self._frames[name].label:
            return text("", "vm-counter", tag="span")

    # ---- values -----------------------------------------------------------------------------------------

    def values(self) -> dict[str, Any]:
        return {
            "title": self._title.value or "", "description": self._description.value or "",
            "tags": list(self._tags.value or ()), "language": self._language.value or "en",
        }  # fmt: skip

    def _draft(self) -> dict[str, Any]:
        stored = self._stored()
        return {name: value for name, value in self.values().items() if value != stored[name]}

    def edit(self) -> MetadataEdit | None:
        """What differs from what is stored; None when nothing does. Raises InvalidInput."""
        changed = self._draft()
        # A title that is only the video's becomes the version's own when it goes out.
        return read_body(MetadataEdit, changed) if changed else None

    def show_errors(self, errors: Sequence[FieldError]) -> Sequence[FieldError]:
        left = []
        reasons: dict[str, str] = {}
        for error in errors:
            name = error.field.removeprefix("metadata.").split(".")[0]
            if name in self._frames:
                reasons[name] = error.reason
            else:
                left.append(error)
        for name, frame in self._frames.items():
            frame.show_error(reasons.get(name, ""))
        return left

    # ---- handlers ---------------------------------------------------------------------------------------

    def _changed(self) -> None:
        self._show_counts()
        self._unsaved.set_visibility(bool(self._draft()))
        self.keeper.touch()

    def _show_counts(self) -> None:
        values = self.values()
        for name, counter in self._counters.items():
            length = sum(map(len, values[name]))
            limit, platform = self._limits.get(name, (None, ""))
            counter.text = f"{length} of {limit} ({platform})" if limit is not None else str(length)
            over = limit is not None and length > limit
            counter.classes(add="vm-over" if over else None, remove=None if over else "vm-over")

    async def _save(self) -> None:
        desk = self._desk

        async def save(actor: Any) -> Any:
            edit = VideoEdit(metadata=self.edit(), version=desk.number)
            return await desk.visit.parts.reviews.edit(actor, desk.video.id, edit)

        async def saved(_video: object) -> None:
            await self.keeper.start_over()
            await desk.reload()

        await desk.visit.attempt(save, done="Saved.", then=saved, fields=self)

    async def _undo(self) -> None:
        stored = self._stored()
        for name, element in self._elements().items():
            element.value = stored[name]
        await self.keeper.start_over()

    async def forget(self) -> None:
        """The draft went out with a decision."""
        await self.keeper.forget()


def place_of(desk: Desk) -> str:
    return f"review/{desk.video.id}/{desk.number}"


def _limits_of(visit: Visit, channels: Sequence[Channel]) -> dict[str, tuple[int | None, str]]:
    """For each text the tightest limit, and whose it is."""
    platforms = {channel.platform for channel in channels}
    found: dict[str, tuple[int | None, str]] = {}
    known: dict[str, PlatformLimits] = visit.parts.registry.limits()
    for platform in sorted(platforms & known.keys()):
        for name, attribute in _LIMITS.items():
            limit = getattr(known[platform], attribute)
            current = found.get(name, (None, ""))[0]
            if limit is not None and (current is None or limit < current):
                found[name] = limit, platform_title(visit, platform)
    return found
