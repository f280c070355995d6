"""What the option schema of a worker outside our package may look like. It is checked against people's options in our
own process and drawn in the studio, so nothing in it may take long, refer to itself, or lead elsewhere."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from video_manager.errors import InvalidInput

MAX_BYTES = 64 * 1024
MAX_NODES = 5_000
"""Of the schema with every reference written out."""
MAX_DEPTH = 24
MAX_OPTIONS = 100
MAX_PATTERN = 200
MAX_REPEATS = 1000
"""Characters that the `{n}` of a pattern stand for together: each may be tried at every place of a long text."""
_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_REFUSED = frozenset({"$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$vocabulary",
                      "patternProperties", "uniqueItems", "unevaluatedProperties", "unevaluatedItems"})  # fmt: skip
"""Keywords that move references, or whose checking can take long."""
_MAPS = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
"""Keywords that hold schemas by names of the author's choice, which are no keywords."""
_DATA = frozenset({"default", "const", "enum", "examples", "x-draw"})
"""Keywords that hold values, in which nothing is a keyword."""
_OPTION = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,59}")
_NAMED_PART = re.compile(r"#/(?:\$defs|definitions)/[A-Za-z0-9_.-]+")
"""The only references: into anything else they could make a schema of a value, which nobody has looked at, and with
escapes they could lead elsewhere for the library that follows them."""
_ATOM = r"(?:\\[^0-9kguxUNpP]|\[\^?+\]?+(?:\\.|[^\]\\])*+\]|[^()|*+?{}\[\]\\])"
"""Each text is read in one way only: this expression itself must not take long either."""
_FIXED = rf"{_ATOM}(?:\{{\d{{1,3}}\}})?"
_VARIABLE = rf"{_ATOM}(?:[*+?]|\{{\d{{1,3}},\d{{0,3}}\}})"
_LINEAR_PATTERN = re.compile(rf"\^(?:{_FIXED})*(?:{_VARIABLE})?(?:{_FIXED})*")
"""Anchored, without groups and alternatives, with at most one part of variable length: matching is always quick."""

Schema = Mapping[str, Any]


def check_size(schema: Schema, field: str) -> None:
    """Raises InvalidInput for more than may safely be looked at. Before anything else is done with the schema."""
    try:
        size = len(json.dumps(schema, allow_nan=False).encode())
    except (ValueError, RecursionError) as error:
        raise InvalidInput.field(field, "it is no plain JSON, or nested far too deeply") from error
    if size > MAX_BYTES:
        raise InvalidInput.field(field, f"it has {size} bytes; at most {MAX_BYTES} are taken")
    if _depth(schema) > MAX_DEPTH:
        raise InvalidInput.field(field, f"it is nested more than {MAX_DEPTH} levels deep")


def check_limits(schema: Schema, field: str) -> None:
    """Raises InvalidInput for `field`, saying which part of the (valid) schema is refused and why."""
    wrong = _top_fault(schema) or next(_faults(schema), None) or _expansion_fault(schema)
    if wrong is not None:
        raise InvalidInput.field(field, wrong)


def _depth(value: Any) -> int:
    parts: list[Any] = [value]
    depth = 0
    while parts and depth <= MAX_DEPTH:
        inside = [
            part.values() if isinstance(part, Mapping) else part for part in parts if isinstance(part, dict | list)
        ]
        parts = [one for values in inside for one in values]
        depth += 1
    return depth


def _top_fault(schema: Schema) -> str | None:
    if schema.get("$schema", _DIALECT).rstrip("#") != _DIALECT:
        return f"$schema must be {_DIALECT}, or left out"
    names = schema.get("properties", {})
    if len(names) > MAX_OPTIONS:
        return f"it has {len(names)} options; at most {MAX_OPTIONS} are taken"
    wrong = next((name for name in names if not _OPTION.fullmatch(name)), None)
    return None if wrong is None else f"the option {wrong!r} must be a letter and up to 59 letters, digits, _ or -"


def _faults(schema: Any) -> Iterator[str]:
    """Of this part and all below."""
    if isinstance(schema, list):
        for part in schema:
            yield from _faults(part)
    if not isinstance(schema, Mapping):
        return
    for keyword, value in schema.items():
        fault = _fault(keyword, value)
        if fault is not None:
            yield fault
        elif keyword in _MAPS:
            yield from _faults(list(value.values()))
        elif keyword not in _DATA:
            yield from _faults(value)


def _fault(keyword: str, value: Any) -> str | None:
    if keyword in _REFUSED:
        return f"{keyword} is not supported in option schemas"
    if keyword == "$ref" and not _NAMED_PART.fullmatch(value):
        return f"$ref {value!r} is not supported; only references such as #/$defs/name are, without escapes"
    if keyword == "pattern" and not _is_quick(value):
        return (
            f"the pattern {value[:60]!r} is not supported: it must begin with ^, have no groups and no |, and at most "
            f"one part of variable length (*, +, ?, {{m,n}}), and no more than {MAX_REPEATS} characters by {{n}}; "
            "check more in your worker"
        )
    if keyword == "x-draw" and not _can_be_drawn(value):
        return "x-draw must be a list of texts, numbers or booleans to draw from"
    return None


def _is_quick(pattern: str) -> bool:
    if len(pattern) > MAX_PATTERN or not _LINEAR_PATTERN.fullmatch(pattern):
        return False
    return sum(int(count) for count in re.findall(r"\{(\d+)", pattern)) <= MAX_REPEATS


def _can_be_drawn(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str | int | float) for one in value)


def _expansion_fault(schema: Schema) -> str | None:
    """References may be nested so that little text stands for very much, or for ever."""
    try:
        nodes = _Expansion(schema).size(schema)
    except _Endless as error:
        return f"$ref {error} leads back to itself; options are a finite form"
    except _Nowhere as error:
        return f"$ref {error} leads nowhere"
    return None if nodes <= MAX_NODES else f"written out without references it has {nodes} parts; at most {MAX_NODES}"


class _Endless(Exception):
    pass


class _Nowhere(Exception):
    pass


class _Expansion:
    """Counts each referenced part once and remembers it, so that counting is quick whatever the result."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._sizes: dict[str, int | None] = {}

    def size(self, part: Any) -> int:
        if isinstance(part, list):
            return 1 + sum(self.size(one) for one in part)
        if not isinstance(part, Mapping):
            return 1
        own = sum(self.size(value) for keyword, value in part.items() if keyword not in ("$defs", "definitions"))
        reference = part.get("$ref")
        return 1 + own + (self._referenced(reference) if isinstance(reference, str) else 0)

    def _referenced(self, reference: str) -> int:
        if reference in self._sizes:
            known = self._sizes[reference]
            if known is None:
                raise _Endless(reference)
            return known
        self._sizes[reference] = None
        found = self._sizes[reference] = self.size(self._target(reference))
        return found

    def _target(self, reference: str) -> Any:
        target: Any = self._root
        for part in reference.removeprefix("#/").split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, Mapping) or name not in target:
                raise _Nowhere(reference)
            target = target[name]
        return target
