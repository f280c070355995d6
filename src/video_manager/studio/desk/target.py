"""One channel of an approval: what would be posted there, and other texts, another time or other choices for it."""

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from video_manager.domain.channel import Channel
from video_manager.domain.posting import Composed
from video_manager.domain.video import Severity
from video_manager.errors import FieldError
from video_manager.manager.requests import MetadataEdit, Target
from video_manager.plugins.registry import PluginKind
from video_manager.studio.desk.state import Desk
from video_manager.studio.elements import box, note, text
from video_manager.studio.formats import sentence
from video_manager.studio.forms import SchemaForm
from video_manager.studio.forms.inputs import FieldFrame
from video_manager.studio.forms.moments import MomentChoice
from video_manager.studio.forms.requests import read_body

_TONES = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.INFO: ""}


class OwnTarget:
    """`on_change` is called when what would be posted may have changed."""

    def __init__(self, desk: Desk, channel: Channel, on_change: Callable[[], Any]) -> None:
        visit = desk.visit
        self._channel = channel
        self._on_change = on_change
        schema = visit.parts.registry.description(PluginKind.PUBLISHER, channel.platform).post_schema or {}
        with box("vm-col vm-tight"):
            self._findings = box("vm-col vm-tight")
            with ui.expansion(f"Settings for {channel.name}").props("dense").classes("vm-own"):
                self._becomes = box("vm-col vm-tight")
                self._title = self._field("Title", ui.input)
                self._description = self._field("Description", ui.textarea)
                frame = FieldFrame("When", wide=True)
                with frame.place:
                    self._moment = MomentChoice(
                        visit.zone, visit.parts.clock.now(), now_label="As above", later_label="At another time"
                    )
                self._options = SchemaForm(schema, channel.post_options, on_change)

    def _field(self, title: str, make: Callable[..., Any]) -> Any:
        frame = FieldFrame(title, wide=True)
        with frame.place:
            element = make(placeholder="As on this page").props("outlined dense autogrow")
            element.on("blur", self._on_change)
            element.props["aria-label"] = title
        return element

    def target(self) -> Target:
        """Raises InvalidInput for a time that cannot be read."""
        texts = {"title": self._title.value, "description": self._description.value}
        given = {name: value for name, value in texts.items() if value}
        return read_body(Target, {
            "channel_id": self._channel.id, "metadata": read_body(MetadataEdit, given) if given else None,
            "publish_at": self._moment.value(), "options": self._options.changes(self._channel.post_options),
        })  # fmt: skip

    def show(self, composed: Composed) -> None:
        """What the channel would post, and what its platform would refuse."""
        self._findings.clear()
        with self._findings:
            for finding in composed.findings:
                icon = "error_outline" if finding.severity is Severity.ERROR else "warning_amber"
                note(sentence(f"{self._channel.name}: {finding.message}"), _TONES[finding.severity], icon)
        self._becomes.clear()
        with self._becomes:
            text("It becomes", "vm-hint")
            text(composed.metadata.title, "vm-strong vm-clip2")
            if composed.metadata.description:
                text(composed.metadata.description, "vm-soft vm-small vm-prose vm-clip2")

    def show_errors(self, errors: Sequence[FieldError]) -> Sequence[FieldError]:
        """Errors are named `options.<name>`; returns those without a field here."""
        return self._options.show_errors(errors)
