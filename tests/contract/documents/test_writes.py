"""One document: insert, compare-and-set, unique values, delete."""

import asyncio
from pathlib import Path

import pytest
from tests.contract.documents.backends import THINGS, Backend
from tests.contract.messages import message

from video_manager.errors import AlreadyExists, Conflict, StaleRevision
from video_manager.ports import INBOX_LIMIT, CollectionSpec, DocumentStore


async def test_an_inserted_document_is_read_back(store: DocumentStore) -> None:
    body = {"id": "a", "title": "Grüße ✓ 'quoted' \"too\"", "n": 1, "nested": {"at": "2026"}, "list": [1, None, 2.5]}
    stored = await store.insert("things", "a", body)
    assert stored.revision == 1
    read = await store.get("things", "a")
    assert read is not None
    assert (read.id, read.revision, read.body, read.handled) == ("a", 1, body, frozenset())


async def test_what_is_not_there_is_none(store: DocumentStore) -> None:
    assert await store.get("things", "nobody") is None


async def test_get_many_keeps_the_order_and_leaves_out_what_is_missing(store: DocumentStore) -> None:
    for id in "abc":
        await store.insert("things", id, {"id": id})
    assert [one.id for one in await store.get_many("things", ["c", "x", "a"])] == ["c", "a"]
    assert await store.get_many("things", []) == []


async def test_a_taken_id_is_refused(store: DocumentStore) -> None:
    await store.insert("things", "a", {"id": "a", "n": 1})
    with pytest.raises(AlreadyExists, match="a"):
        await store.insert("things", "a", {"id": "a", "n": 2}, outbox=[message("m")])
    read = await store.get("things", "a")
    assert read is not None
    assert read.body["n"] == 1
    assert await store.unsent() == []


async def test_a_unique_value_occurs_once_and_null_many_times(store: DocumentStore) -> None:
    await store.insert("things", "a", {"id": "a", "email": "x@y"})
    with pytest.raises(AlreadyExists, match="email"):
        await store.insert("things", "b", {"id": "b", "email": "x@y"})
    await store.insert("things", "c", {"id": "c", "email": None})
    await store.insert("things", "d", {"id": "d"})
    with pytest.raises(AlreadyExists, match="email"):
        await store.replace("things", "c", 1, {"id": "c", "email": "x@y"})
    await store.delete("things", "a")
    await store.replace("things", "c", 1, {"id": "c", "email": "x@y"})


async def test_replace_counts_the_revision_up(store: DocumentStore) -> None:
    await store.insert("things", "a", {"id": "a", "n": 1})
    assert await store.replace("things", "a", 1, {"id": "a", "n": 2}) == 2
    read = await store.get("things", "a")
    assert read is not None
    assert (read.revision, read.body["n"]) == (2, 2)


async def test_a_stale_replace_changes_nothing(store: DocumentStore) -> None:
    await store.insert("things", "a", {"id": "a", "n": 1})
    await store.replace("things", "a", 1, {"id": "a", "n": 2})
    with pytest.raises(StaleRevision, match="a"):
        await store.replace("things", "a", 1, {"id": "a", "n": 3}, outbox=[message("m")], handled="h")
    read = await store.get("things", "a")
    assert read is not None
    assert (read.body["n"], read.handled) == (2, frozenset())
    assert await store.unsent() == []


async def test_replacing_what_is_gone_is_stale(store: DocumentStore) -> None:
    with pytest.raises(StaleRevision):
        await store.replace("things", "a", 1, {"id": "a"})


async def test_the_inbox_remembers_the_newest_ids(store: DocumentStore) -> None:
    stored = await store.insert("things", "a", {"id": "a"}, handled="first")
    assert stored.handled == {"first"}
    revision = stored.revision
    for n in range(INBOX_LIMIT):
        revision = await store.replace("things", "a", revision, {"id": "a"}, handled=f"h{n}")
    assert await _handled(store) == {f"h{n}" for n in range(INBOX_LIMIT)}
    revision = await store.replace("things", "a", revision, {"id": "a"})
    assert await _handled(store) == {f"h{n}" for n in range(INBOX_LIMIT)}
    for handled in ("h0", "new"):
        revision = await store.replace("things", "a", revision, {"id": "a"}, handled=handled)
    assert await _handled(store) == {"h0", "new", *(f"h{n}" for n in range(2, INBOX_LIMIT))}, "h0 was handled again"


async def _handled(store: DocumentStore) -> frozenset[str]:
    read = await store.get("things", "a")
    assert read is not None
    return read.handled


async def test_delete(store: DocumentStore) -> None:
    await store.insert("things", "a", {"id": "a"})
    with pytest.raises(StaleRevision):
        await store.delete("things", "a", revision=2)
    assert await store.delete("things", "a", revision=1)
    assert not await store.delete("things", "a")
    assert not await store.delete("things", "a", revision=1)
    assert await store.get("things", "a") is None


async def test_a_document_with_unsent_messages_cannot_be_deleted(store: DocumentStore) -> None:
    await store.insert("things", "a", {"id": "a"}, outbox=[message("m")])
    with pytest.raises(Conflict, match="messages"):
        await store.delete("things", "a")
    await store.mark_sent("things", "a", ["m"])
    assert await store.delete("things", "a")


async def test_eight_writers_at_once_lose_no_change(store: DocumentStore) -> None:
    await store.insert("things", "a", {"id": "a", "n": 0})
    lost_races = 0

    async def add_ten() -> None:
        nonlocal lost_races
        done = 0
        while done < 10:
            read = await store.get("things", "a")
            assert read is not None
            try:
                await store.replace("things", "a", read.revision, {"id": "a", "n": read.body["n"] + 1})
                done += 1
            except StaleRevision:
                lost_races += 1

    await asyncio.gather(*(add_ten() for _ in range(8)))
    read = await store.get("things", "a")
    assert read is not None
    assert (read.body["n"], read.revision) == (80, 81)
    assert lost_races > 0, "the writers never collided: this test shows nothing"


async def test_of_many_inserts_of_one_id_one_wins(store: DocumentStore) -> None:
    results = await asyncio.gather(
        *(store.insert("things", "a", {"id": "a", "n": n}) for n in range(8)), return_exceptions=True
    )
    assert sum(isinstance(result, AlreadyExists) for result in results) == 7


async def test_collections_are_apart_and_registering_again_keeps_them(store: DocumentStore) -> None:
    await store.register(CollectionSpec("others", indexed=("n",)))
    await store.insert("things", "a", {"id": "a", "n": 1})
    await store.insert("others", "a", {"id": "a", "n": 2})
    await store.register(THINGS)
    things, others = await store.get("things", "a"), await store.get("others", "a")
    assert things is not None
    assert others is not None
    assert (things.body["n"], others.body["n"]) == (1, 2)


async def test_several_processes_may_start_at_once(backend: Backend, place: str) -> None:
    specs = [CollectionSpec(f"new_{n}", indexed=("a", "b"), unique=("c",)) for n in range(3)]
    stores = [backend.connect(place) for _ in range(4)]

    async def start(store: DocumentStore) -> None:
        await store.open()
        for spec in specs:
            await store.register(spec)

    try:
        await asyncio.gather(*map(start, stores))
        await stores[0].insert("new_0", "a", {"id": "a", "c": "x"})
        with pytest.raises(AlreadyExists):
            await stores[1].insert("new_0", "b", {"id": "b", "c": "x"})
    finally:
        for store in stores:
            await store.close()


async def test_documents_outlive_the_store_and_a_second_one_sees_them(
    store: DocumentStore, backend: Backend, place: str, tmp_path: Path
) -> None:
    await store.insert("things", "a", {"id": "a", "n": 1}, outbox=[message("m")], handled="h")
    second = backend.connect(place)
    await second.open()
    await second.register(THINGS)
    try:
        await second.replace("things", "a", 1, {"id": "a", "n": 2})
        read = await store.get("things", "a")
        assert read is not None
        assert (read.body["n"], read.revision, read.handled) == (2, 2, {"h"})
        with pytest.raises(StaleRevision):
            await store.replace("things", "a", 1, {"id": "a", "n": 3})
    finally:
        await second.close()
