"""Option schemas of workers outside our package: nothing in them may take long or lead elsewhere."""

import time
from typing import Any

import pytest

from video_manager.errors import InvalidInput
from video_manager.plugins.options import check_schema
from video_manager.plugins.schema_limits import MAX_BYTES, MAX_OPTIONS


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def nested(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        inner = {"type": "array", "items": inner}
    return schema(deep=inner)


def bomb() -> dict[str, Any]:
    """Thirty definitions, each twice the one before: a few kilobytes that stand for a billion parts."""
    parts = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(30)}
    return {**schema(a={"$ref": "#/$defs/d0"}), "$defs": {**parts, "d30": {"type": "string"}}}


def by_way_of_a_value() -> dict[str, Any]:
    """A value is no schema, until a reference leads to it."""
    return {**schema(a={"$ref": "#/$defs/b/default"}), "$defs": {"b": {"default": {"pattern": "^(a+)+$"}}}}


def by_way_of_an_escape() -> dict[str, Any]:
    """Who reads the escape follows it back for ever; who does not sees a harmless part."""
    return {**schema(a={"$ref": "#/$defs/%61"}), "$defs": {"a": {"items": {"$ref": "#/$defs/%61"}}, "%61": {}}}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (schema(a={"type": "string", "description": "x" * MAX_BYTES}), "bytes; at most"),
        (nested(40), "levels deep"),
        (nested(5000), "far too deeply"),
        (bomb(), "written out without references"),
        ({**schema(a={"$ref": "#/$defs/b"}), "$defs": {"b": {"items": {"$ref": "#/$defs/b"}}}}, "leads back to itself"),
        (schema(a={"$ref": "#/$defs/missing"}), "leads nowhere"),
        (schema(a={"$ref": "#"}), "'#' is not supported"),
        (schema(a={"$ref": "https://example.org/schema"}), "only references such as"),
        (schema(a={"$ref": "#/properties/a"}), "only references such as"),
        (by_way_of_a_value(), "only references such as"),
        (by_way_of_an_escape(), "only references such as"),
        (schema(a={"$dynamicRef": "#a"}), "$dynamicRef is not supported"),
        ({**schema(), "$id": "https://example.org/"}, "$id is not supported"),
        ({**schema(), "$schema": "http://json-schema.org/draft-07/schema#"}, "$schema must be"),
        (schema(a={"type": "string", "pattern": "^(a+)+$"}), "the pattern"),
        (schema(a={"type": "string", "pattern": "a*b"}), "the pattern"),
        (schema(a={"type": "string", "pattern": "^a*a*b"}), "the pattern"),
        (schema(a={"type": "string", "pattern": "^a|b"}), "the pattern"),
        (schema(a={"type": "string", "pattern": "^[b-a]"}), "not a 'regex'"),
        (schema(a={"type": "string", "pattern": "^a*a{999}a{999}b"}), "the pattern"),
        (schema(a={"items": {"patternProperties": {"(x+)+": {}}}}), "patternProperties is not supported"),
        (schema(a={"uniqueItems": True}), "uniqueItems is not supported"),
        (schema(**{f"option{n}": {} for n in range(MAX_OPTIONS + 1)}), "options; at most"),
        (schema(**{"a.b": {}}), "'a.b' must be a letter"),
        (schema(a={"x-draw": []}), "x-draw must be a list"),
        (schema(a={"x-draw": [{"no": "object"}]}), "x-draw must be a list"),
        (schema(a={"type": "integer", "default": "many"}), "default of the option 'a'"),
        (schema(a={"enum": ["x"], "x-draw": ["x", "y"]}), "x-draw of the option 'a'"),
        (schema(a={"type": "text"}), "no valid JSON Schema"),
        ({"type": "array"}, '"type": "object"'),
    ],
)
def test_what_is_refused(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        check_schema(wrong, "options_schema")
    (error,) = raised.value.errors
    assert error.field == "options_schema"
    assert reason in error.reason


def test_refusing_is_quick() -> None:
    """A bound against a schema that is walked in full: that would take years."""
    began = time.monotonic()
    brackets = schema(a={"pattern": "^" + "[^x]" * 45 + "("})
    for wrong in (bomb(), nested(5000), brackets):
        with pytest.raises(InvalidInput):
            check_schema(wrong, "options_schema")
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "right",
    [
        schema(),
        schema(colour={"type": "string", "pattern": "^#[0-9a-fA-F]{6}$", "default": "#00ff00"}),
        schema(word={"type": "string", "pattern": "^[a-z]+$"}, point={"pattern": r"^\d{4}-\d{2}\.[^]x]?z$"}),
        schema(a={"pattern": r"^[]\]^-]+[^\]]{2}$"}),
        {**schema(a={"$ref": "#/$defs/b"}, c={"$ref": "#/$defs/b"}), "$defs": {"b": {"enum": ["pattern", "$ref"]}}},
        schema(pattern={"type": "string"}, default={"type": "object", "properties": {"$id": {"type": "string"}}}),
        schema(a={"anyOf": [{"type": "string"}, {"type": "null"}], "x-draw": ["ink", "oil"], "default": None}),
    ],
)
def test_what_is_taken(right: dict[str, Any]) -> None:
    check_schema(right, "options_schema")
