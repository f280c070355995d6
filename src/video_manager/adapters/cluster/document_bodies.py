"""Bodies as BSON, and what BSON cannot hold.

A body is JSON and stays a plain part of its document, so that people can read and search it. Some JSON has no place in
BSON, or another meaning there: integers beyond 64 bits, names that begin with `$` ({"$ref": ...} of a JSON Schema would
come back as a database reference) or hold a dot or a NUL, half a surrogate pair, very deep nesting. Such a body is kept
as JSON text in `exact`, and `body` holds what can be searched of it.
"""

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from video_manager.ports import CollectionSpec

Fields = dict[str, Any]

_DEPTH = 80
"""MongoDB takes 100 levels."""
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1


def content(spec: CollectionSpec, body: Mapping[str, Any]) -> Fields:
    """The fields of a document that follow from its body: `body`, and perhaps `exact` and `folded`."""
    if _fits(dict(body), _DEPTH):
        fields: Fields = {"body": body}
    else:
        fields = {"body": _searchable(body, _DEPTH), "exact": json.dumps(body)}
    folded = {folded_name(path): text.casefold() for path, text in _texts(spec, fields["body"]) if not text.isascii()}
    if folded:
        fields["folded"] = folded
    return fields


def body_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    exact = document.get("exact")
    body: Mapping[str, Any] = json.loads(exact) if exact is not None else document["body"]
    return body


def folded_name(path: str) -> str:
    """Where the folded copy of a searched text is, below `folded`. MongoDB's own case-insensitive search is exact for
    ASCII; beyond it, it knows no foldings that change the length (ß and SS), so such texts have a folded copy."""
    return path.replace(".", "__")


def _texts(spec: CollectionSpec, body: Mapping[str, Any]) -> list[tuple[str, str]]:
    values = ((path, _value(body, path)) for path in {*spec.indexed, *spec.unique, "id"})
    return [(path, value) for path, value in values if isinstance(value, str)]


def _value(body: Mapping[str, Any], path: str) -> Any:
    value: Any = body
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _fits(value: Any, depth: int) -> bool:
    if isinstance(value, str):
        return value.isascii() or _is_unicode(value)
    if isinstance(value, dict):
        return depth > 0 and all(_name_fits(name) and _fits(one, depth - 1) for name, one in value.items())
    if isinstance(value, list | tuple):
        return depth > 0 and all(_fits(one, depth - 1) for one in value)
    return not isinstance(value, int) or _INT64_MIN <= value <= _INT64_MAX


@lru_cache(2048)  # names of our own fields come again and again, hundreds with each write
def _name_fits(name: Any) -> bool:
    return isinstance(name, str) and _is_unicode(name) and not name.startswith("$") and not {".", "\0"} & set(name)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _searchable(value: Any, depth: int) -> Any:
    """What BSON can hold of it: fields that a collection declares are always there, numbers as near as can be."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        if depth == 0:
            return None
        return {
            name: _searchable(one, depth - 1)
            for name, one in value.items()
            if isinstance(name, str) and _name_fits(name)
        }
    if isinstance(value, list | tuple):
        return [_searchable(one, depth - 1) for one in value] if depth > 0 else None
    if isinstance(value, int) and not _INT64_MIN <= value <= _INT64_MAX:
        return _nearest_float(value)
    return value


def _nearest_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
