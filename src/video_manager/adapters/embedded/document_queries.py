"""Queries of the document port as SQL over JSON bodies. Only paths that a collection declares reach the SQL text;
every value is bound."""

import json
from collections.abc import Sequence
from typing import Any

from video_manager.errors import InvalidInput
from video_manager.ports import CollectionSpec, Op, Query, Where

Sql = tuple[str, tuple[Any, ...]]

_COMPARISONS = {Op.LT: "<", Op.LE: "<=", Op.GT: ">", Op.GE: ">="}


def table_of(collection: str) -> str:
    return f"documents_{collection}"


def json_path(path: str) -> str:
    """The SQL literal of a checked path."""
    return f"'$.{path}'"


def expression(path: str) -> str:
    """The value at a checked path; the indexes are on this very text."""
    return f"json_extract(body, {json_path(path)})"


def field_expression(spec: CollectionSpec, field: str) -> str:
    """Raises InvalidInput for a field the collection does not declare."""
    if field == "id":
        return "id"
    if field not in spec.indexed and field not in spec.unique:
        known = ", ".join(sorted({"id", *spec.indexed, *spec.unique}))
        raise InvalidInput.field(field, f"{spec.name} cannot be searched or ordered by it; possible are {known}")
    return expression(field)


def conditions(spec: CollectionSpec, where: Sequence[Where]) -> Sql:
    """`WHERE ...` or an empty text."""
    parts = [_condition(spec, one) for one in where]
    return _joined(parts)


def selection(spec: CollectionSpec, query: Query, *, along_order: bool = False) -> Sql:
    """What follows `FROM table`: conditions, order and limit. Missing and null values come first, or last when
    descending; ties are ordered by id in the same direction. `along_order` walks the index of the order and tests each
    document, rather than finding all that match and sorting them."""
    # A unary plus keeps SQLite from using the index of that field.
    parts = [_condition(spec, one, "+" if along_order else "") for one in query.where]
    order = field_expression(spec, query.order_by) if query.order_by not in (None, "id") else None
    if query.after is not None:
        parts.append(_after(order, query.descending, *query.after))
    text, values = _joined(parts)
    direction = "DESC" if query.descending else "ASC"
    keys = f"{order} {direction}, id {direction}" if order else f"id {direction}"
    return f"{text} ORDER BY {keys} LIMIT ?", (*values, query.limit)


def _joined(parts: Sequence[Sql]) -> Sql:
    if not parts:
        return "", ()
    return " WHERE " + " AND ".join(f"({text})" for text, _ in parts), tuple(v for _, values in parts for v in values)


def _condition(spec: CollectionSpec, where: Where, sign: str = "") -> Sql:
    field = sign + field_expression(spec, where.field)
    if where.op is Op.IN:
        if isinstance(where.value, str) or not isinstance(where.value, Sequence):
            raise InvalidInput.field(where.field, "`in` needs a list of values")
        found = f"{field} IN (SELECT value FROM json_each(?))"  # noqa: S608 - a checked field
        text = f"{found} OR {field} IS NULL" if None in where.value else found
        return text, (json.dumps([value for value in where.value if value is not None]),)
    if where.value is not None and not isinstance(where.value, str | int | float | bool):
        raise InvalidInput.field(where.field, f"`{where.op}` needs one value, not a list")
    return _scalar_condition(field, where)


def _scalar_condition(field: str, where: Where) -> Sql:
    match where.op:
        case Op.EQ:
            return f"{field} IS ?", (where.value,)
        case Op.NE:
            return f"{field} IS NOT ?", (where.value,)
        case Op.IS_NULL:
            return f"{field} IS {'NULL' if where.value else 'NOT NULL'}", ()
        case Op.CONTAINS:
            return f"contains_folded({field}, ?)", (str(where.value).casefold(),)
    return f"{field} {_COMPARISONS[where.op]} ?", (where.value,)


def _after(order: str | None, descending: bool, value: Any, id: str) -> Sql:
    sign = "<" if descending else ">"
    if order is None:
        return f"id {sign} ?", (id,)
    if value is None:
        same = f"{order} IS NULL AND id {sign} ?"
        return (same if descending else f"({same}) OR {order} IS NOT NULL"), (id,)
    later = f"({order}, id) {sign} (?, ?)"
    return (f"{later} OR {order} IS NULL" if descending else later), (value, id)


def contains_folded(text: Any, needle: str) -> bool:
    """The SQL function behind CONTAINS: SQLite's LIKE folds ASCII only, and has wildcards. `needle` is folded."""
    return isinstance(text, str) and needle in text.casefold()
