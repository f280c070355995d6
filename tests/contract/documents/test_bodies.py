"""Bodies come from people and from plugins: any JSON is kept as it is, whatever its names and numbers mean to a
database."""

from typing import Any

import pytest
from tests.contract.messages import message

from video_manager.errors import AlreadyExists
from video_manager.ports import DocumentStore, Op, Query, Where


def _nested(levels: int) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for _ in range(levels):
        body = {"deeper": body}
    return body


ODD: dict[str, Any] = {
    "dots": {"a.b": 1, "a": {"b": 2}, ".": 3},
    "dollars": {"$set": {"n": 9}, "$ne": None, "$": 1, "price$": 2},
    "a reference of JSON Schema": {"$ref": "#/$defs/Colour", "$id": "x", "$defs": {"Colour": {"type": "string"}}},
    "a name that is empty or holds a NUL": {"": 1, "a\0b": 2},
    "texts that look like code": {"text": "$n", "more": ["$$ROOT", "{$gt: 0}", "a\0b"]},
    "numbers beyond 64 bits": {"large": 2**63, "negative": -(2**70), "huge": 10**400, "fits": 2**63 - 1},
    "half a surrogate pair": {"text": "\ud800", "list": ["\udfff"], "\ud800": 1},
    "deep": _nested(150),
    "null and empty": {"none": None, "list": [], "map": {}, "nested": [[], [None, {}]]},
}


@pytest.mark.parametrize("name", ODD)
async def test_any_json_is_kept_as_it_is(store: DocumentStore, name: str) -> None:
    odd = {"id": "a", "n": 5, "title": "Odd", "options": ODD[name]}
    plain = {"id": "a", "n": 6, "title": "plain"}
    assert (await store.insert("things", "a", odd)).body == odd
    await store.insert("things", "b", {**plain, "id": "b"})
    read = await store.get("things", "a")
    assert read is not None
    assert read.body == odd
    assert [one.body for one in await store.find("things", Query((Where("n", Op.EQ, 5),)))] == [odd]
    assert await store.count("things", [Where("title", Op.CONTAINS, "ODD")]) == 1

    await store.replace("things", "a", 1, plain)
    read = await store.get("things", "a")
    assert read is not None
    assert read.body == plain
    assert [one.body for one in await store.get_many("things", ["a"])] == [plain], "nothing of the former body stays"
    await store.replace("things", "b", 1, {**odd, "id": "b"})
    assert [one.body for one in await store.get_many("things", ["b"])] == [{**odd, "id": "b"}]


async def test_whole_and_broken_numbers_and_booleans_keep_their_type(store: DocumentStore) -> None:
    body = {"id": "a", "numbers": [1, 1.0, True, 0, False, -0.5, 2**31, 2**53 + 1]}
    await store.insert("things", "a", body)
    read = await store.get("things", "a")
    assert read is not None
    kinds = [bool if isinstance(n, bool) else float if isinstance(n, float) else int for n in read.body["numbers"]]
    assert kinds == [int, float, bool, int, bool, float, int, int]
    assert read.body == body


async def test_a_search_of_a_number_that_is_too_large_finds_the_nearest(store: DocumentStore) -> None:
    await store.insert("things", "a", {"id": "a", "n": 2**70})
    assert await store.count("things", [Where("n", Op.GT, 2**40)]) == 1


async def test_a_unique_value_is_unique_in_odd_bodies_too(store: DocumentStore) -> None:
    await store.insert("things", "a", {"id": "a", "email": "x@y", "options": {"$set": 1}})
    with pytest.raises(AlreadyExists, match="email"):
        await store.insert("things", "b", {"id": "b", "email": "x@y", "options": {"a.b": 1}})
    with pytest.raises(AlreadyExists, match="email"):
        await store.insert("things", "c", {"id": "c", "email": "x@y"})


async def test_ids_that_look_like_code_are_ids(store: DocumentStore) -> None:
    for id in ("$n", "$$ROOT", "a.b", "' --"):
        await store.insert("things", id, {"id": id}, outbox=[message(f"{id} 1"), message("$other")], handled=id)
        await store.replace("things", id, 1, {"id": id}, outbox=[message(f"{id} 2")], handled=f"{id}!")
        replaced = await store.get("things", id)
        assert replaced is not None
        assert replaced.handled == {id, f"{id}!"}
        await store.mark_sent("things", id, [f"{id} 1"])
    waiting = {one.id: [message.id for message in one.messages] for one in await store.unsent()}
    assert waiting == {id: ["$other", f"{id} 2"] for id in ("$n", "$$ROOT", "a.b", "' --")}


async def test_a_message_may_carry_any_names(store: DocumentStore) -> None:
    sent = message("m").model_copy(update={"data": {"$ref": "#/x", "a.b": {"$gt": 2**70}}})
    await store.insert("things", "a", {"id": "a"}, outbox=[sent])
    await store.replace("things", "a", 1, {"id": "a"}, outbox=[sent])
    assert (await store.unsent())[0].messages == (sent, sent)
