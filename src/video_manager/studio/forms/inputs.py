"""One input for each kind of option. An input knows its value and where it shows what is wrong."""

import json
from collections.abc import Callable
from typing import Any, Protocol

from nicegui import ui

from video_manager.studio.elements import box, text
from video_manager.studio.formats import LANGUAGES, words
from video_manager.studio.forms.schema import FieldSpec, Widget
from video_manager.studio.upload import SentFile, SourceUpload

OnChange = Callable[[], Any]
OPEN = "\0open"
"""The choice that leaves an option open; no plugin's value can be this."""

STORED = "\0stored"
"""The value of a secret that is kept; no secret can be this."""


class Input(Protocol):
    def value(self) -> Any:
        """What is there now; None when it was left open."""
        ...


class _Simple:
    """An input around one NiceGUI element with a value."""

    def __init__(self, element: Any, read: Callable[[Any], Any] = lambda value: value) -> None:
        self._element = element
        self._read = read

    def value(self) -> Any:
        return self._read(self._element.value)


def make_input(spec: FieldSpec, value: Any, on_change: OnChange) -> Input:
    """Draw the input of a simple option here and now. Groups and rows are the form's own business."""
    made = _MAKERS.get(spec.widget, _json)(spec, value, on_change)
    element = getattr(made, "_element", None)
    if element is not None:
        element.props["aria-label"] = spec.title
    return made


def _text(spec: FieldSpec, value: Any, on_change: OnChange) -> Input:
    element = ui.input(value=str(value or ""), on_change=on_change).props("outlined dense hide-bottom-space")
    if spec.max_length:
        element.props(f"maxlength={spec.max_length}")
    return _Simple(element, lambda entered: entered or None)


def _secret(spec: FieldSpec, value: Any, on_change: OnChange) -> Input:
    """Empty leaves what is stored. Browsers offer no password of a person here."""
    hint = "Stored; enter another to replace it" if value == STORED else ""
    element = ui.input(password=True, password_toggle_button=True, placeholder=hint, on_change=on_change)
    element.props('outlined dense hide-bottom-space autocomplete="new-password"')
    if spec.max_length:
        element.props(f"maxlength={spec.max_length}")
    return _Simple(element, lambda entered: entered or None)


def _area(spec: FieldSpec, value: Any, on_change: OnChange) -> Input:
    element = ui.textarea(value=str(value or ""), on_change=on_change).props(
        "outlined dense hide-bottom-space autogrow"
    )
    element.props('input-style="min-height: 150px; max-height: 420px"')
    if spec.max_length:
        element.props("counter").props(f"maxlength={spec.max_length}")
    return _Simple(element, lambda entered: entered or None)


def _number(spec: FieldSpec, value: Any, on_change: OnChange) -> Input:
    element = ui.number(value=value, min=spec.minimum, max=spec.maximum, step=_step(spec), on_change=on_change).props(
        "outlined dense hide-bottom-space"
    )

    def read(entered: float | None) -> float | int | None:
        # A fraction where a whole number is wanted goes to the plugin as it is: it says what is wrong.
        return int(entered) if entered is not None and spec.whole and entered == int(entered) else entered

    return _Simple(element, read)


def _step(spec: FieldSpec) -> float:
    """Of the little arrows; any number may be typed."""
    if spec.whole:
        return 1
    narrow = spec.minimum is not None and spec.maximum is not None and spec.maximum - spec.minimum <= 5
    return 0.05 if narrow else 0.5


def _switch(_spec: FieldSpec, value: Any, on_change: OnChange) -> Input:
    return _Simple(ui.switch(value=bool(value), on_change=on_change).props("dense"))


def _choice(spec: FieldSpec, value: Any, on_change: OnChange) -> Input:
    labels = {choice: LANGUAGES.get(str(choice)) or words(str(choice)) for choice in spec.choices}
    if spec.optional:
        labels = {OPEN: "Let the seed decide" if spec.drawn else "Not set", **labels}
    start = value if value in spec.choices else OPEN if spec.optional else spec.choices[0]
    element = ui.select(labels, value=start, on_change=on_change).props("outlined dense options-dense")
    return _Simple(element, lambda chosen: None if chosen == OPEN else chosen)


def _choices(spec: FieldSpec, value: Any, on_change: OnChange) -> Input:
    labels = {choice: LANGUAGES.get(str(choice)) or words(str(choice)) for choice in spec.choices}
    start = [item for item in value or () if item in spec.choices]
    element = ui.select(labels, value=start, multiple=True, on_change=on_change).props("outlined dense use-chips")
    return _Simple(element, lambda chosen: list(chosen) or None)


def _colour(_spec: FieldSpec, value: Any, on_change: OnChange) -> Input:
    element = ui.color_input(value=str(value or ""), preview=True, on_change=on_change)
    element.props("outlined dense hide-bottom-space")
    return _Simple(element, lambda entered: entered or None)


def _words(_spec: FieldSpec, value: Any, on_change: OnChange) -> Input:
    element = ui.input_chips(value=[str(item) for item in value or ()], on_change=on_change)
    element.props('outlined dense new-value-mode="add-unique" placeholder="Type and press Enter"')
    return _Simple(element, lambda entered: list(entered or ()) or None)


def _lines(_spec: FieldSpec, value: Any, on_change: OnChange) -> Input:
    element = ui.textarea(value="\n".join(str(item) for item in value or ()), on_change=on_change)
    element.props('outlined dense hide-bottom-space autogrow placeholder="One per line"')
    return _Simple(element, lambda entered: (entered or "").rstrip("\n").split("\n") if entered else None)


class _Files:
    def __init__(self, spec: FieldSpec, value: Any, on_change: OnChange) -> None:
        self._many = spec.widget is Widget.FILES
        ids = list(value or ()) if self._many else [value] if value else []
        known = [SentFile(str(id), "File sent earlier", 0) for id in ids]
        hint = words(spec.accept.replace("/*", " files").replace("/", " ")) if spec.accept else ""
        self._upload = SourceUpload(
            lambda _files: on_change(), accept=spec.accept, multiple=self._many, files=known, hint=hint
        )

    def value(self) -> Any:
        ids = [file.id for file in self._upload.files]
        return (ids or None) if self._many else (ids[0] if ids else None)


class _Json:
    """The last resort: the value itself. What cannot be read is sent as text, and the plugin says what is wrong."""

    def __init__(self, value: Any, on_change: OnChange) -> None:
        shown = "" if value is None else json.dumps(value, ensure_ascii=False, indent=2)
        self._element = ui.textarea(value=shown, on_change=on_change).props("outlined dense autogrow")
        self._element.props('placeholder="JSON"').classes("vm-mono")

    def value(self) -> Any:
        entered = (self._element.value or "").strip()
        try:
            return json.loads(entered) if entered else None
        except ValueError:
            return entered


def _json(_spec: FieldSpec, value: Any, on_change: OnChange) -> Input:
    return _Json(value, on_change)


_MAKERS: dict[Widget, Callable[[FieldSpec, Any, OnChange], Input]] = {
    Widget.TEXT: _text,
    Widget.AREA: _area,
    Widget.SECRET: _secret,
    Widget.NUMBER: _number,
    Widget.SWITCH: _switch,
    Widget.CHOICE: _choice,
    Widget.CHOICES: _choices,
    Widget.COLOUR: _colour,
    Widget.WORDS: _words,
    Widget.LINES: _lines,
    Widget.FILE: _Files,
    Widget.FILES: _Files,
}


class FieldFrame:
    """Label above, input, help and reason below: the same everywhere."""

    def __init__(self, title: str, description: str = "", *, wide: bool = False, optional: bool = False) -> None:
        self.box = box("vm-field vm-span" if wide else "vm-field")
        with self.box:
            with box("vm-label") as self.label:
                text(title, tag="span")
                if optional:
                    text("optional", "vm-soft vm-small", tag="span")
            self.place = box()
            if description:
                text(description, "vm-hint")
            self._wrong = text("", "vm-wrong").props('role="alert"')

    def show_error(self, reason: str) -> None:
        self._wrong.text = reason
        self.box.classes(add="vm-invalid" if reason else None, remove=None if reason else "vm-invalid")
