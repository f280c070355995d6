"""What queries mean: examples, and a comparison with plain Python over random documents."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from video_manager.errors import InvalidInput
from video_manager.ports import CollectionSpec, DocumentStore, Op, Query, Scalar, Where

_LETTERS = st.text(alphabet="aAbBäÄбБßẞsSſςΣ%_.*\\'\" ", max_size=4)  # noqa: RUF001 - Cyrillic on purpose
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "n": st.integers(-3, 3) | st.sampled_from([0.5, 2**40]),
    "title": _LETTERS,
    "ok": st.booleans(),
    "nested.at": st.sampled_from(["2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00.500000Z", "2025"]),
}
_COMPARISONS = {
    Op.EQ: lambda a, b: a == b,
    Op.NE: lambda a, b: a != b,
    Op.LT: lambda a, b: a is not None and a < b,
    Op.LE: lambda a, b: a is not None and a <= b,
    Op.GT: lambda a, b: a is not None and a > b,
    Op.GE: lambda a, b: a is not None and a >= b,
    Op.IN: lambda a, b: a in b,
    Op.CONTAINS: lambda a, b: a is not None and b.casefold() in a.casefold(),
    Op.IS_NULL: lambda a, b: (a is None) == b,
}


@st.composite
def _documents(draw: st.DrawFn) -> list[dict[str, Any]]:
    rows = []
    for n in range(draw(st.integers(0, 12))):
        row: dict[str, Any] = {"id": f"{n:02}"}
        for field in ("n", "title", "ok"):
            match draw(st.integers(0, 5)):
                case 0:
                    row[field] = None
                case 1:
                    pass
                case _:
                    row[field] = draw(_VALUES[field])
        if draw(st.booleans()):
            row["nested"] = {"at": draw(_VALUES["nested.at"] | st.none())}
        rows.append(row)
    return rows


@st.composite
def _wheres(draw: st.DrawFn) -> Where:
    op = draw(st.sampled_from(Op))
    field = "title" if op is Op.CONTAINS else draw(st.sampled_from(sorted(_VALUES)))
    value: Any
    match op:
        case Op.IS_NULL:
            value = draw(st.booleans())
        case Op.IN:
            value = tuple(draw(st.lists(_VALUES[field] | st.none(), max_size=3)))
        case Op.EQ | Op.NE:
            value = draw(_VALUES[field] | st.none())
        case _:
            value = draw(_VALUES[field])
    return Where(field, op, value)


def _value(row: dict[str, Any], field: str) -> Any:
    value: Any = row
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _matches(row: dict[str, Any], where: Sequence[Where]) -> bool:
    return all(_COMPARISONS[one.op](_value(row, one.field), one.value) for one in where)


def _order(row: dict[str, Any], field: str | None) -> tuple[Any, ...]:
    value = _value(row, field) if field else None
    return (value is not None, value if value is not None else 0, row["id"])


_numbers = itertools.count()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=_documents(), where=st.lists(_wheres(), max_size=2), order_by=st.sampled_from([None, "id", *sorted(_VALUES)]),
    descending=st.booleans(), step=st.integers(1, 4),
)  # fmt: skip
async def test_queries_mean_the_same_as_plain_python(
    store: DocumentStore, rows: list[dict[str, Any]], where: list[Where], order_by: str | None, descending: bool,
    step: int,
) -> None:  # fmt: skip
    spec = CollectionSpec(f"random_{next(_numbers)}", indexed=tuple(sorted(_VALUES)))
    await store.register(spec)
    for row in reversed(rows):
        await store.insert(spec.name, row["id"], row)
    expected = sorted(
        (row for row in rows if _matches(row, where)),
        key=lambda row: _order(row, order_by if order_by != "id" else None),
        reverse=descending,
    )

    found = await store.find(spec.name, Query(tuple(where), order_by, descending))
    assert [one.id for one in found] == [row["id"] for row in expected]
    assert await store.count(spec.name, where) == len(expected)

    paged: list[str] = []
    after: tuple[Scalar, str] | None = None
    while page := await store.find(spec.name, Query(tuple(where), order_by, descending, step, after)):
        paged += [one.id for one in page]
        last = dict(page[-1].body)
        after = (_value(last, order_by) if order_by else None, page[-1].id)
    assert paged == [row["id"] for row in expected]


async def test_contains_ignores_case_beyond_ascii_and_knows_no_wildcards(store: DocumentStore) -> None:
    titles = ["Über ÄPFEL", "100% Rabatt", "snake_case", "Привет", "a.*b", "Hauptstraße", "Fisch"]
    for title in titles:
        await store.insert("things", title, {"id": title, "title": title})

    async def search(text: str) -> list[str]:
        found = await store.find("things", Query((Where("title", Op.CONTAINS, text),)))
        return [one.id for one in found]

    assert await search("äpfel") == ["Über ÄPFEL"]
    assert await search("STRASSE") == ["Hauptstraße"]
    assert await search("\ufb01sch") == ["Fisch"], "a ligature counts as its letters"
    assert await search("fisch\0") == []
    assert await search("ПРИВЕТ") == ["Привет"]
    assert await search("%") == ["100% Rabatt"]
    assert await search("_") == ["snake_case"]
    assert await search(".*") == ["a.*b"]
    assert await search("0_") == []
    assert await search("\\") == []
    assert len(await search("")) == len(titles)


async def test_texts_of_ids_can_be_searched(store: DocumentStore) -> None:
    for id in ("Grün", "blau"):
        await store.insert("things", id, {"id": id})
    assert await store.count("things", [Where("id", Op.CONTAINS, "RÜN")]) == 1
    assert await store.count("things", [Where("id", Op.CONTAINS, "LAU")]) == 1


async def test_in_takes_many_values(store: DocumentStore) -> None:
    for n in range(5):
        await store.insert("things", str(n), {"id": str(n), "n": n})
    wanted = Where("id", Op.IN, [str(n) for n in range(1, 40_000)])
    assert await store.count("things", [wanted]) == 4


async def test_count_by_names_each_value(store: DocumentStore) -> None:
    for n, (title, ok) in enumerate([("x", True), ("x", False), ("y", True), (None, True)]):
        await store.insert("things", str(n), {"id": str(n), "title": title, "ok": ok, "n": n})
    await store.insert("things", "missing", {"id": "missing"})
    assert await store.count_by("things", "title") == {"x": 2, "y": 1, None: 2}
    by_ok = await store.count_by("things", "ok", [Where("n", Op.GE, 1)])
    assert {(type(value), value): count for value, count in by_ok.items()} == {(bool, False): 1, (bool, True): 2}


async def test_counted_numbers_keep_their_type(store: DocumentStore) -> None:
    for n, value in enumerate([0, 0, 2.5, 2**40]):
        await store.insert("things", str(n), {"id": str(n), "n": value})
    counted = await store.count_by("things", "n")
    assert counted == {0: 2, 2.5: 1, 2**40: 1}
    assert {isinstance(value, bool) for value in counted} == {False}


async def test_true_counts_as_one_and_false_as_zero(store: DocumentStore) -> None:
    for id, ok in (("yes", True), ("no", False), ("none", None)):
        await store.insert("things", id, {"id": id, "ok": ok, "n": None if ok is None else int(ok)})

    async def matching(field: str, op: Op, value: Any) -> set[str]:
        return {one.id for one in await store.find("things", Query((Where(field, op, value),)))}

    for field, one, zero in (("ok", 1, 0), ("n", True, False), ("ok", True, False)):
        assert await matching(field, Op.EQ, one) == {"yes"}
        assert await matching(field, Op.NE, one) == {"no", "none"}
        assert await matching(field, Op.IN, [zero, None]) == {"no", "none"}
        assert await matching(field, Op.GT, zero) == {"yes"}
        assert await matching(field, Op.GE, zero) == {"yes", "no"}
        assert await matching(field, Op.LT, one) == {"no"}
    assert await matching("ok", Op.LE, 0.5) == {"no"}


async def test_nothing_is_more_or_less_than_null(store: DocumentStore) -> None:
    for n in (None, 0, 1):
        await store.insert("things", str(n), {"id": str(n), "n": n})
    for op in (Op.LT, Op.LE, Op.GT, Op.GE):
        assert await store.count("things", [Where("n", op, None)]) == 0
    assert await store.count("things", [Where("n", Op.EQ, None)]) == 1
    assert await store.count("things", [Where("n", Op.NE, None)]) == 2


async def test_equal_values_are_ordered_by_id_in_the_same_direction(store: DocumentStore) -> None:
    for id in "bca":
        await store.insert("things", id, {"id": id, "n": 1})
    up = await store.find("things", Query(order_by="n"))
    down = await store.find("things", Query(order_by="n", descending=True))
    assert [one.id for one in up] == ["a", "b", "c"]
    assert [one.id for one in down] == ["c", "b", "a"]


async def test_pages_of_many_matches_and_of_few(store: DocumentStore) -> None:
    async def insert(n: int) -> None:
        title = "rare" if n % 50 == 0 else "often"
        await store.insert("things", f"{n:03}", {"id": f"{n:03}", "n": n % 7, "title": title})

    for start in range(0, 450, 30):
        await asyncio.gather(*map(insert, range(start, start + 30)))
    for title, total in (("rare", 9), ("often", 441)):
        shown: list[str] = []
        after: tuple[Scalar, str] | None = None
        where = (Where("title", Op.EQ, title),)
        while page := await store.find("things", Query(where, "n", descending=True, limit=100, after=after)):
            shown += [one.id for one in page]
            after = (page[-1].body["n"], page[-1].id)
        assert len(shown) == total
        assert shown == sorted(shown, key=lambda one: (int(one) % 7, one), reverse=True)


async def test_limit_zero_finds_nothing(store: DocumentStore) -> None:
    await store.insert("things", "a", {"id": "a"})
    assert await store.find("things", Query(limit=0)) == []


@pytest.mark.parametrize("field", ["unknown", "n' OR 1=1 --", "body", "$where", "nested"])
async def test_only_declared_fields_can_be_searched(store: DocumentStore, field: str) -> None:
    with pytest.raises(InvalidInput):
        await store.find("things", Query((Where(field, Op.EQ, 1),)))
    with pytest.raises(InvalidInput):
        await store.find("things", Query(order_by=field))
    with pytest.raises(InvalidInput):
        await store.count_by("things", field)
    with pytest.raises(InvalidInput):
        await store.count("things", [Where(field, Op.EQ, 1)])


async def test_a_unique_field_can_be_searched(store: DocumentStore) -> None:
    await store.insert("things", "a", {"id": "a", "email": "x@y"})
    assert [one.id for one in await store.find("things", Query((Where("email", Op.EQ, "x@y"),)))] == ["a"]


async def test_values_are_never_code(store: DocumentStore) -> None:
    await store.insert("things", "a", {"id": "a", "title": "plain"})
    for text in ["' OR '1'='1", "plain' --", '{"$ne": null}', "plain\x00", "$title", "$$ROOT"]:
        assert await store.count("things", [Where("title", Op.EQ, text)]) == 0
    assert await store.count("things", [Where("title", Op.IN, ["plain", "' OR '1'='1"])]) == 1


async def test_in_needs_a_list_and_the_others_one_value(store: DocumentStore) -> None:
    with pytest.raises(InvalidInput):
        await store.count("things", [Where("n", Op.IN, 3)])
    with pytest.raises(InvalidInput):
        await store.count("things", [Where("n", Op.EQ, [3])])
