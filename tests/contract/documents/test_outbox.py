"""Outbox: written with the body, emptied without touching it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.contract.messages import message

from video_manager.ports import CollectionSpec, DocumentStore, Unsent

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


async def test_messages_wait_in_the_order_they_were_written(store: DocumentStore) -> None:
    await store.insert("things", "a", {"id": "a"}, outbox=[message("m2"), message("m1")])
    await store.replace("things", "a", 1, {"id": "a"}, outbox=[message("m0")])
    (waiting,) = await store.unsent()
    assert (waiting.collection, waiting.id) == ("things", "a")
    assert [one.id for one in waiting.messages] == ["m2", "m1", "m0"]


async def test_a_message_comes_back_as_it_was(store: DocumentStore) -> None:
    sent = message("m", "render.story", priority=9, time=NOW + timedelta(microseconds=5))
    await store.insert("things", "a", {"id": "a"}, outbox=[sent])
    assert (await store.unsent())[0].messages == (sent,)


async def test_marking_as_sent_keeps_body_and_revision(store: DocumentStore) -> None:
    await store.insert("things", "a", {"id": "a", "n": 7}, outbox=[message("m1"), message("m2")], handled="h")
    await store.mark_sent("things", "a", ["m1", "unknown"])
    assert [one.id for one in (await store.unsent())[0].messages] == ["m2"]
    read = await store.get("things", "a")
    assert read is not None
    assert (read.revision, read.body["n"], read.handled) == (1, 7, {"h"})
    await store.mark_sent("things", "a", ["m2"])
    await store.mark_sent("things", "a", ["m2"])
    await store.mark_sent("things", "nobody", ["m2"])
    assert await store.unsent() == []
    await store.replace("things", "a", 1, {"id": "a"})


async def test_the_messages_of_many_documents_are_marked_together(store: DocumentStore) -> None:
    await store.register(CollectionSpec("others"))
    for collection, id in (("things", "a"), ("things", "b.c'$\""), ("others", "a"), ("others", "untouched")):
        await store.insert(collection, id, {"id": id}, outbox=[message(f"{collection} {id} {n}") for n in (1, 2)])
    waiting = {(one.collection, one.id): one for one in await store.unsent()}
    both, odd, other = (waiting[key] for key in (("things", "a"), ("things", "b.c'$\""), ("others", "a")))
    gone = Unsent("things", "nobody", (message("m"),))
    await store.mark_all_sent([both, gone, replace(odd, messages=odd.messages[:1]), replace(other, messages=())])
    left = {(one.collection, one.id): [sent.id for sent in one.messages] for one in await store.unsent()}
    assert left == {
        ("things", "b.c'$\""): ["things b.c'$\" 2"],
        ("others", "a"): ["others a 1", "others a 2"],
        ("others", "untouched"): ["others untouched 1", "others untouched 2"],
    }
    stored = await store.get("things", "a")
    assert stored is not None
    assert stored.revision == 1
    await store.mark_all_sent([])


async def test_a_message_written_while_others_are_sent_stays(store: DocumentStore) -> None:
    await store.insert("things", "a", {"id": "a"}, outbox=[message("m1")])
    (waiting,) = await store.unsent()
    await store.replace("things", "a", 1, {"id": "a"}, outbox=[message("m2")])
    await store.mark_sent("things", "a", [one.id for one in waiting.messages])
    assert [one.id for one in (await store.unsent())[0].messages] == ["m2"]


async def test_the_longest_waiting_document_comes_first_over_all_collections(store: DocumentStore) -> None:
    await store.register(CollectionSpec("others"))
    # Half a second and a whole one: as texts of different width they would sort the other way round.
    times = {"late": NOW + timedelta(seconds=2), "whole": NOW, "half": NOW + timedelta(seconds=0.5)}
    for name, time in times.items():
        collection = "others" if name == "half" else "things"
        await store.insert(collection, name, {"id": name}, outbox=[message(name, time=time)])
    assert [one.id for one in await store.unsent()] == ["whole", "half", "late"]
    assert [one.id for one in await store.unsent(limit=2)] == ["whole", "half"]
    assert await store.oldest_unsent() == NOW


async def test_nothing_waits_at_first(store: DocumentStore) -> None:
    await store.insert("things", "a", {"id": "a"})
    assert await store.unsent() == []
    assert await store.oldest_unsent() is None


async def test_every_write_with_messages_wakes_with_them(store: DocumentStore) -> None:
    woken: list[Unsent] = []
    store.on_unsent(woken.append)
    await store.insert("things", "a", {"id": "a"})
    assert woken == []
    first, second = message("m1"), message("m2")
    await store.insert("things", "b", {"id": "b"}, outbox=[first])
    await store.replace("things", "a", 1, {"id": "a"}, outbox=[second])
    assert woken == [Unsent("things", "b", (first,)), Unsent("things", "a", (second,))]


async def test_unsent_before_a_time_leaves_out_the_newer(store: DocumentStore) -> None:
    for name, seconds in (("old", 0), ("new", 2.5)):
        await store.insert("things", name, {"id": name}, outbox=[message(name, time=NOW + timedelta(seconds=seconds))])
    assert [one.id for one in await store.unsent(before=NOW)] == []
    assert [one.id for one in await store.unsent(before=NOW + timedelta(seconds=1))] == ["old"]
    assert [one.id for one in await store.unsent(before=NOW + timedelta(seconds=3))] == ["old", "new"]
