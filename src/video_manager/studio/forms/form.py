"""A form for any options schema: draws the fields, gives the values, shows what is wrong at its field."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from video_manager.errors import FieldError
from video_manager.studio.elements import box, button, icon_button
from video_manager.studio.formats import sentence
from video_manager.studio.forms.inputs import FieldFrame, Input, make_input
from video_manager.studio.forms.schema import FieldSpec, Schema, Widget, read_fields

OnChange = Callable[[], Any]
_WIDE = frozenset(
    {Widget.AREA, Widget.FILE, Widget.FILES, Widget.GROUP, Widget.ROWS, Widget.JSON, Widget.WORDS, Widget.LINES}
)


class SchemaForm:
    """`values` are options set earlier. `prefix` is how errors name the options (`options`)."""

    def __init__(
        self, schema: Schema, values: Mapping[str, Any] | None = None, on_change: OnChange = lambda: None,
        prefix: str = "options",
    ) -> None:  # fmt: skip
        self._prefix = prefix
        self._fields = _Fields(read_fields(schema), values or {}, on_change)

    @property
    def is_empty(self) -> bool:
        """The schema has no options at all."""
        return not self._fields.specs

    def values(self) -> dict[str, Any]:
        """The options a person set: neither those left open nor those that are at their default."""
        return self._fields.values()

    def changes(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What differs from `given`, for a new version: an option that was taken back is at its default, or null,
        which draws it anew."""
        now = self.values()
        defaults = {spec.name: spec.default for spec in self._fields.specs}
        taken_back = {name: defaults.get(name) for name in given if name not in now}
        changed = {name: value for name, value in now.items() if name not in given or given[name] != value}
        return {**taken_back, **changed}

    def show_errors(self, errors: Sequence[FieldError]) -> Sequence[FieldError]:
        """Show each reason at its field; returns those that have no field here."""
        own: dict[str, str] = {}
        others = []
        for error in errors:
            if error.field.startswith(f"{self._prefix}."):
                own[error.field.removeprefix(f"{self._prefix}.")] = _reason(error.reason)
            else:
                others.append(error)
        left = self._fields.show_errors(own)
        return [*others, *(FieldError(f"{self._prefix}.{path}", reason) for path, reason in left.items())]


def _reason(reason: str) -> str:
    return "please fill this in" if reason == "Field required" else reason


class _Fields:
    """The fields of one object; a group or a row holds another one of these."""

    def __init__(self, specs: Sequence[FieldSpec], values: Mapping[str, Any], on_change: OnChange) -> None:
        self.specs = specs
        self._frames: dict[str, FieldFrame] = {}
        self._inputs: dict[str, Input | _Group | _Rows] = {}
        with box("vm-form"):
            for spec in specs:
                self._draw(spec, values.get(spec.name, spec.default), on_change)

    def _draw(self, spec: FieldSpec, value: Any, on_change: OnChange) -> None:
        optional = spec.optional and not spec.drawn and spec.widget is not Widget.SWITCH
        frame = FieldFrame(spec.title, spec.description.replace("`", ""), wide=spec.widget in _WIDE, optional=optional)
        with frame.place:
            if spec.widget is Widget.GROUP:
                self._inputs[spec.name] = _Group(spec, value, on_change)
            elif spec.widget is Widget.ROWS:
                self._inputs[spec.name] = _Rows(spec, value, on_change)
            else:
                self._inputs[spec.name] = make_input(spec, value, on_change)
        self._frames[spec.name] = frame

    def values(self) -> dict[str, Any]:
        found = {}
        for spec in self.specs:
            value = self._inputs[spec.name].value()
            at_default = spec.has_default and value == spec.default
            if value is not None and not at_default and not (spec.widget is Widget.GROUP and value == {}):
                found[spec.name] = value
        return found

    def show_errors(self, errors: Mapping[str, str]) -> dict[str, str]:
        left = dict(errors)
        for name, frame in self._frames.items():
            reasons = [left.pop(name)] if name in left else []
            inner = {
                path.removeprefix(f"{name}."): left.pop(path) for path in list(left) if path.startswith(f"{name}.")
            }
            input_ = self._inputs[name]
            if isinstance(input_, (_Group, _Rows)):
                inner = input_.show_errors(inner)
            reasons += [reason if path.isdigit() else f"{path}: {reason}" for path, reason in inner.items()]
            frame.show_error(" ".join(sentence(reason) for reason in reasons))
        return left


class _Group:
    def __init__(self, spec: FieldSpec, value: Any, on_change: OnChange) -> None:
        with box("vm-group"):
            self._fields = _Fields(spec.fields, value if isinstance(value, Mapping) else {}, on_change)

    def value(self) -> dict[str, Any]:
        return self._fields.values()

    def show_errors(self, errors: Mapping[str, str]) -> dict[str, str]:
        return self._fields.show_errors(errors)


class _Rows:
    """A list of objects: rows can be added, removed and moved."""

    def __init__(self, spec: FieldSpec, value: Any, on_change: OnChange) -> None:
        self._spec = spec
        self._on_change = on_change
        self._rows: list[_Fields] = []
        self._place = box("vm-col")
        self._draw([row for row in value or () if isinstance(row, Mapping)])
        button("Add", self._add, "second", "add", small=True)

    def value(self) -> list[dict[str, Any]] | None:
        return [row.values() for row in self._rows] or None

    def show_errors(self, errors: Mapping[str, str]) -> dict[str, str]:
        left = dict(errors)
        for index, row in enumerate(self._rows):
            start = f"{index}."
            inner = {path.removeprefix(start): left.pop(path) for path in list(left) if path.startswith(start)}
            left |= {f"{start}{path}": reason for path, reason in row.show_errors(inner).items()}
        return left

    def _draw(self, values: Sequence[Mapping[str, Any]]) -> None:
        self._place.clear()
        self._rows = []
        with self._place:
            for index, value in enumerate(values):
                with box("vm-group"):
                    with box("vm-row"):
                        ui.space()
                        if index:
                            icon_button("arrow_upward", "Move up", lambda _e, at=index: self._move(at), small=True)
                        icon_button("close", "Remove", lambda _e, at=index: self._remove(at), small=True)
                    self._rows.append(_Fields(self._spec.fields, value, self._on_change))

    def _add(self) -> None:
        self._draw([*(row.values() for row in self._rows), {}])
        self._on_change()

    def _remove(self, at: int) -> None:
        self._draw([row.values() for index, row in enumerate(self._rows) if index != at])
        self._on_change()

    def _move(self, at: int) -> None:
        values = [row.values() for row in self._rows]
        values[at - 1], values[at] = values[at], values[at - 1]
        self._draw(values)
        self._on_change()
