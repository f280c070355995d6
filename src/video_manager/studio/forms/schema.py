"""Reading a plugin's JSON Schema into what a form draws."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from video_manager.plugins.api import SECRET_FORMAT, SOURCE_FILE_FORMAT

Schema = Mapping[str, Any]
_MAX_DEPTH = 6
_LONG_TEXT = 1500
"""Longest text of one line; a path may be long without having lines."""


class Widget(StrEnum):
    TEXT = "text"
    AREA = "area"
    SECRET = "secret"  # noqa: S105 - the name of a widget
    """A text that is kept encrypted and never shown."""
    NUMBER = "number"
    SWITCH = "switch"
    CHOICE = "choice"
    COLOUR = "colour"
    FILE = "file"
    FILES = "files"
    CHOICES = "choices"
    WORDS = "words"
    """Texts of which each occurs once: tags."""
    LINES = "lines"
    """Texts in an order, perhaps empty or repeated."""
    GROUP = "group"
    ROWS = "rows"
    JSON = "json"
    """What no other widget can show: the value itself, as JSON."""


@dataclass(frozen=True)
class FieldSpec:
    """One option. `drawn`: the seed decides when it is left open. `fields` are those of a group or of one row."""

    name: str
    title: str
    description: str
    widget: Widget
    required: bool = False
    nullable: bool = False
    drawn: bool = False
    default: Any = None
    has_default: bool = False
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    whole: bool = False
    max_length: int | None = None
    accept: str = ""
    fields: tuple["FieldSpec", ...] = ()

    @property
    def optional(self) -> bool:
        """May be left empty, which then means something: unset, or drawn."""
        return self.drawn or self.nullable or not (self.required or self.has_default)


def read_fields(schema: Schema) -> tuple[FieldSpec, ...]:
    """The fields of an options schema, in its order."""
    return _fields(schema, schema, 0)


def _fields(root: Schema, schema: Schema, depth: int) -> tuple[FieldSpec, ...]:
    required = set(schema.get("required", ()))
    properties = schema.get("properties", {})
    return tuple(
        _field(root, str(name), part, name in required, depth)
        for name, part in properties.items()
        if isinstance(part, Mapping)
    )


def _field(root: Schema, name: str, raw: Schema, required: bool, depth: int) -> FieldSpec:
    schema = _resolve(root, raw)
    variants = [part for part in _variants(root, schema) if part.get("type") != "null"]
    nullable = len(variants) < len(list(_variants(root, schema)))
    kind = {**variants[0], **{key: value for key, value in schema.items() if key not in ("anyOf", "oneOf", "allOf")}}
    if len(variants) > 1:
        kind = {**schema, "type": "any"}
    about: dict[str, Any] = {
        "name": name,
        # A title from a referenced enum names the class, not the field.
        "title": str(raw.get("title") or name.replace("_", " ").capitalize()),
        "description": str(raw.get("description", "")),
        "required": required,
        "nullable": nullable,
        "drawn": "x-draw" in schema,
        "default": schema.get("default"),
        "has_default": schema.get("default") is not None,
    }
    return FieldSpec(**about, **_shape(root, kind, depth))


def _shape(root: Schema, kind: Schema, depth: int) -> dict[str, Any]:
    """The widget, and what it needs."""
    if "enum" in kind or "const" in kind:
        return {"widget": Widget.CHOICE, "choices": tuple(kind.get("enum", (kind.get("const"),)))}
    shape: dict[str, Any] = {"widget": Widget.JSON}
    match kind.get("type"):
        case "boolean":
            shape = {"widget": Widget.SWITCH}
        case "integer" | "number":
            shape = {"widget": Widget.NUMBER, "whole": kind["type"] == "integer", **_limits(kind)}
        case "string":
            shape = _text_shape(kind)
        case "array":
            shape = _list_shape(root, kind, depth)
        case "object" if kind.get("properties") and depth < _MAX_DEPTH:
            shape = {"widget": Widget.GROUP, "fields": _fields(root, kind, depth + 1)}
    return shape


def _text_shape(kind: Schema) -> dict[str, Any]:
    if kind.get("format") == SOURCE_FILE_FORMAT:
        return {"widget": Widget.FILE, "accept": str(kind.get("x-accept", ""))}
    if kind.get("format") == "color" or kind.get("x-widget") in ("color", "colour"):
        return {"widget": Widget.COLOUR}
    longest = kind.get("maxLength")
    if kind.get("format") == SECRET_FORMAT:
        return {"widget": Widget.SECRET, "max_length": longest}
    long = kind.get("x-widget") == "textarea" or (longest is not None and longest > _LONG_TEXT)
    return {"widget": Widget.AREA if long else Widget.TEXT, "max_length": longest}


def _list_shape(root: Schema, kind: Schema, depth: int) -> dict[str, Any]:
    items = _resolve(root, kind.get("items", {}))
    inner = _shape(root, items, depth + 1)
    match inner["widget"]:
        case Widget.FILE:
            return {"widget": Widget.FILES, "accept": inner["accept"]}
        case Widget.CHOICE:
            return {"widget": Widget.CHOICES, "choices": inner["choices"]}
        case Widget.TEXT | Widget.AREA:
            return {"widget": Widget.WORDS if kind.get("uniqueItems") else Widget.LINES}
        case Widget.GROUP:
            return {"widget": Widget.ROWS, "fields": inner["fields"]}
    return {"widget": Widget.JSON}


def _limits(kind: Schema) -> dict[str, Any]:
    return {
        "minimum": kind.get("minimum", kind.get("exclusiveMinimum")),
        "maximum": kind.get("maximum", kind.get("exclusiveMaximum")),
    }


def _variants(root: Schema, schema: Schema) -> Iterator[Schema]:
    for keyword in ("anyOf", "oneOf", "allOf"):
        if keyword in schema:
            for part in schema[keyword]:
                yield from _variants(root, _resolve(root, part))
            return
    yield schema


def _resolve(root: Schema, schema: Schema) -> Schema:
    """Follow `$ref` inside the document; keywords beside the reference win."""
    for _ in range(_MAX_DEPTH):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        target: Any = root
        for part in reference[2:].split("/"):
            target = target.get(part, {}) if isinstance(target, Mapping) else {}
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema
