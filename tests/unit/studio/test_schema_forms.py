"""Every option of every installed plugin finds a widget, and values go in and out unchanged."""

from typing import Any

import pytest

from video_manager.plugins.registry import PluginKind, load_registry
from video_manager.studio.forms.schema import FieldSpec, Widget, read_fields


def _one(schema: dict[str, Any], **outer: Any) -> FieldSpec:
    (field,) = read_fields({"type": "object", "properties": {"it": schema}, **outer})
    return field


def test_every_option_of_every_installed_plugin_has_a_widget_of_its_own() -> None:
    registry = load_registry()
    unknown = [
        f"{item.kind} {item.name}.{field.name}"
        for kind in (PluginKind.GENERATOR, PluginKind.STEP, PluginKind.PUBLISHER)
        for item in registry.describe(kind)
        for field in read_fields(item.json_schema)
        if field.widget is Widget.JSON
    ]
    assert unknown == []


@pytest.mark.parametrize(
    ("schema", "widget"),
    [
        ({"type": "string"}, Widget.TEXT),
        ({"type": "string", "maxLength": 1000}, Widget.TEXT),
        ({"type": "string", "maxLength": 5000}, Widget.AREA),
        ({"type": "string", "x-widget": "textarea"}, Widget.AREA),
        ({"type": "string", "format": "color"}, Widget.COLOUR),
        ({"type": "string", "format": "password", "writeOnly": True}, Widget.SECRET),
        ({"type": "string", "format": "source-file", "x-accept": "video/*"}, Widget.FILE),
        ({"type": "integer", "minimum": 1, "maximum": 9}, Widget.NUMBER),
        ({"type": "boolean"}, Widget.SWITCH),
        ({"enum": ["a", "b"], "type": "string"}, Widget.CHOICE),
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, Widget.WORDS),
        ({"type": "array", "items": {"type": "string"}}, Widget.LINES),
        ({"type": "array", "items": {"type": "string", "format": "source-file"}}, Widget.FILES),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, Widget.CHOICES),
        ({"type": "object", "properties": {"x": {"type": "integer"}}}, Widget.GROUP),
        ({"type": "array", "items": {"type": "object", "properties": {"x": {"type": "integer"}}}}, Widget.ROWS),
        ({"type": "object", "additionalProperties": {"type": "number"}}, Widget.JSON),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, Widget.JSON),
    ],
)
def test_each_kind_of_option_gets_its_widget(schema: dict[str, Any], widget: Widget) -> None:
    assert _one(schema).widget is widget


def test_a_referenced_choice_that_the_seed_may_decide() -> None:
    definitions = {"Mood": {"enum": ["calm", "driving"], "title": "Mood", "type": "string"}}
    field = _one(
        {"anyOf": [{"$ref": "#/$defs/Mood"}, {"type": "null"}], "default": None, "x-draw": ["calm", "driving"]},
        **{"$defs": definitions},
    )
    assert (field.widget, field.choices, field.drawn, field.optional) == (
        Widget.CHOICE, ("calm", "driving"), True, True,
    )  # fmt: skip


def test_limits_and_defaults_are_read() -> None:
    field = _one({"type": "number", "minimum": 0.5, "maximum": 2, "default": 1.0}, required=[])
    assert (field.minimum, field.maximum, field.default, field.whole, field.optional) == (0.5, 2, 1.0, False, False)


def test_a_schema_that_refers_to_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    (field,) = read_fields({"properties": {"root": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": node}})
    depth = 0
    while field.fields:
        field, depth = field.fields[0], depth + 1
    assert depth < 10
