"""Queries of the document port as filters and sort orders of MongoDB. Only paths that a collection declares become
names in a filter, and every value stands behind an operator of ours, so that none is taken for an operator."""

import re
from collections.abc import Sequence
from typing import Any

from video_manager.adapters.cluster.document_bodies import folded_name
from video_manager.errors import InvalidInput
from video_manager.ports import CollectionSpec, Op, Query, Scalar, Where

Filter = dict[str, Any]
Order = list[tuple[str, int]]

_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}]")
_COMPARISONS = {Op.LT: "$lt", Op.LE: "$lte", Op.GT: "$gt", Op.GE: "$gte"}


def field_of(spec: CollectionSpec, path: str) -> str:
    """Where the value of a declared path is in the stored document. Raises InvalidInput for another path."""
    if path == "id":
        return "_id"
    if path not in spec.indexed and path not in spec.unique:
        known = ", ".join(sorted({"id", *spec.indexed, *spec.unique}))
        raise InvalidInput.field(path, f"{spec.name} cannot be searched or ordered by it; possible are {known}")
    return f"body.{path}"


def conditions(spec: CollectionSpec, where: Sequence[Where]) -> Filter:
    return _all([_condition(spec, one) for one in where])


def selection(spec: CollectionSpec, query: Query) -> tuple[Filter, Order]:
    """The filter and the order of a query. MongoDB sorts missing and null values first, or last when descending, as
    the port wants it; ties are ordered by id in the same direction."""
    parts = [_condition(spec, one) for one in query.where]
    field = field_of(spec, query.order_by) if query.order_by not in (None, "id") else None
    if query.after is not None:
        parts.append(_after(field, query.descending, *query.after))
    direction = -1 if query.descending else 1
    order = [(field, direction)] if field is not None else []
    return _all(parts), [*order, ("_id", direction)]


def _all(parts: Sequence[Filter]) -> Filter:
    """Flat where it can be: each field stands for itself then, with both ends of its range, and its index is seen."""
    flat: Filter = {}
    for field, condition in ((field, condition) for part in parts for field, condition in part.items()):
        known = flat.setdefault(field, {})
        if not isinstance(condition, dict) or not isinstance(known, dict) or known.keys() & condition.keys():
            return {"$and": list(parts)}
        flat[field] = known | condition
    return flat


def _any(parts: Sequence[Filter]) -> Filter:
    return parts[0] if len(parts) == 1 else {"$or": list(parts)}


def _condition(spec: CollectionSpec, where: Where) -> Filter:
    field, value = field_of(spec, where.field), where.value
    if where.op is Op.IN:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise InvalidInput.field(where.field, "`in` needs a list of values")
        return {field: {"$in": [twin for one in value for twin in _twins(one)]}}
    if value is not None and not isinstance(value, str | int | float | bool):
        raise InvalidInput.field(where.field, f"`{where.op}` needs one value, not a list")
    match where.op:
        case Op.EQ:
            return _equal(field, value)
        case Op.NE:
            return {field: {"$nin": _twins(value)}}
        case Op.IS_NULL:
            return {field: {"$eq": None} if value else {"$ne": None}}
        case Op.CONTAINS:
            return _contains(field, folded_name(where.field), str(value).casefold())
    return _compared(field, _COMPARISONS[where.op], value)


def _twins(value: Scalar) -> list[Scalar]:
    """The values that count as equal to it: as in SQLite and Python, true is 1 and false is 0."""
    if isinstance(value, int | float) and value in (0, 1):
        return [bool(value), int(value)]
    return [value]


def _equal(field: str, value: Scalar) -> Filter:
    twins = _twins(value)
    return {field: {"$in": twins} if len(twins) > 1 else {"$eq": value}}


def _compared(field: str, operator: str, value: Scalar) -> Filter:
    """MongoDB compares within one type; booleans are numbers to us."""
    if value is None:
        return {field: {"$in": []}}
    if not isinstance(value, int | float):
        return {field: {operator: value}}
    number = int(value) if isinstance(value, bool) else value
    booleans = [one for one in (False, True) if _HOLDS[operator](one, number)]
    numbers: Filter = {field: {operator: number}}
    return _any([numbers, {field: {"$in": booleans}}]) if booleans else numbers


_HOLDS = {
    "$lt": lambda one, other: one < other,
    "$lte": lambda one, other: one <= other,
    "$gt": lambda one, other: one > other,
    "$gte": lambda one, other: one >= other,
}


def _contains(field: str, folded: str, needle: str) -> Filter:
    pattern = _SPECIAL.sub(r"\\\g<0>", needle).replace("\0", r"\x00")
    copy = f"folded.{folded}"
    return _any([
        {copy: {"$regex": pattern}},
        {copy: {"$eq": None}, field: {"$regex": pattern, "$options": "i"}},
    ])  # fmt: skip


def _after(field: str | None, descending: bool, value: Scalar, id: str) -> Filter:
    operator = "$lt" if descending else "$gt"
    beyond: Filter = {"_id": {operator: id}}
    if field is None:
        return beyond
    same = _all([_equal(field, value), beyond])
    if value is None:
        return same if descending else _any([same, {field: {"$ne": None}}])
    later = [_compared(field, operator, value), same]
    return _any([*later, {field: {"$eq": None}}] if descending else later)
