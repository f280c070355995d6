"""Documents on a MongoDB that loses answers, dies, hangs and comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest
from tests.contract.messages import message
from tests.integration.cluster.driver_sockets import LEFT_SOCKETS, collect_left_sockets
from tests.integration.cluster.mongodb_proxy import MongodbProxy
from tests.integration.cluster.private_mongodb import PrivateMongodb, mongodb_address, private_mongodb

from video_manager.adapters.cluster.documents import MongoDocuments
from video_manager.adapters.cluster.mongo import MongoConnection
from video_manager.domain.model import Frozen
from video_manager.errors import AlreadyExists, StaleRevision, Unavailable
from video_manager.ports import CollectionSpec, DocumentStore, Query
from video_manager.repository import Change, Repository

__all__ = ["collect_left_sockets"]
pytestmark = LEFT_SOCKETS

COUNTERS = CollectionSpec("counters")
QUICK = "timeoutMS=1000"
"""Long enough for this machine, and short enough to wait for."""


class Counter(Frozen):
    id: str
    n: int = 0


@pytest.fixture
def server() -> Iterator[PrivateMongodb]:
    with private_mongodb() as running:
        yield running


@pytest.fixture
async def proxy(server: PrivateMongodb) -> AsyncIterator[MongodbProxy]:
    between = MongodbProxy(server.port)
    await between.start()
    yield between
    await between.stop()


@pytest.fixture
async def opened() -> AsyncIterator[Callable[[str], Coroutine[Any, Any, MongoDocuments]]]:
    """Opens a store at an address, with the collection `counters`."""
    stores: list[MongoDocuments] = []

    async def open_at(address: str) -> MongoDocuments:
        store = MongoDocuments(MongoConnection(address))
        await store.open()
        stores.append(store)
        await store.register(COUNTERS)
        return store

    yield open_at
    for store in stores:
        await store.close()


Opened = Callable[[str], Coroutine[Any, Any, MongoDocuments]]


def _add_one(counter: Counter) -> Change[Counter]:
    return Change(counter.with_(n=counter.n + 1), (message(f"m{counter.n + 1}"),))


async def _is_at(store: DocumentStore, n: int) -> None:
    read = await store.get("counters", "a")
    assert read is not None
    assert (read.body["n"], read.revision) == (n, n + 1)
    waiting = [one.id for document in await store.unsent() for one in document.messages]
    assert waiting == [f"m{number}" for number in range(1, n + 1)]


@pytest.mark.parametrize("restarted", [False, True], ids=["server remembers", "server restarted"])
async def test_a_write_whose_answer_is_lost_is_done_once_and_not_called_stale(
    server: PrivateMongodb, proxy: MongodbProxy, opened: Opened, restarted: bool
) -> None:
    """The driver repeats it. A server that remembers answers as before; one that was killed meanwhile refuses the
    repetition, because the write is there already."""

    async def restart() -> None:
        await asyncio.to_thread(server.restart)

    if restarted:
        proxy.after_loss = restart
    store = await opened(mongodb_address(proxy.port))
    proxy.command, proxy.lose = b"insert\0", 1
    await store.insert("counters", "a", {"id": "a", "n": 0})
    proxy.command, proxy.lose = b"update\0", 1
    assert await store.replace("counters", "a", 1, {"id": "a", "n": 1}, outbox=[message("m1")], handled="h") == 2
    proxy.command, proxy.lose = b"update\0", 1
    await _is_at(store, 1)
    await store.mark_sent("counters", "a", ["m1"])
    assert await store.unsent() == []
    assert proxy.lost == 3
    with pytest.raises(StaleRevision):
        await store.replace("counters", "a", 1, {"id": "a", "n": 9})
    with pytest.raises(AlreadyExists):
        await store.insert("counters", "a", {"id": "a", "n": 9})


async def test_when_every_answer_is_lost_the_caller_is_told_and_tries_again_without_doing_it_twice(
    proxy: MongodbProxy, opened: Opened
) -> None:
    store = await opened(mongodb_address(proxy.port, QUICK))
    counters = Repository(store, COUNTERS, Counter)
    await counters.add(Counter(id="a"))
    proxy.command, proxy.lose = b"update\0", 1_000_000
    with pytest.raises(Unavailable, match="MongoDB"):
        await counters.change("a", _add_one, handled="h")
    assert proxy.lost > 1, "the driver did not even try again"
    proxy.lose = 0
    await counters.change("a", _add_one, handled="h")
    await _is_at(store, 1)


async def test_a_server_that_is_gone_is_said_and_found_again(server: PrivateMongodb, opened: Opened) -> None:
    store = await opened(server.address(QUICK))
    await store.insert("counters", "a", {"id": "a", "n": 0})
    server.kill()
    calls = (
        store.get("counters", "a"), store.get_many("counters", ["a"]), store.find("counters", Query()),
        store.count("counters"), store.count_by("counters", "id"), store.unsent(), store.oldest_unsent(),
        store.insert("counters", "b", {"id": "b"}), store.replace("counters", "a", 1, {"id": "a"}),
        store.delete("counters", "a"), store.mark_sent("counters", "a", ["m"]), store.register(CollectionSpec("new")),
    )  # fmt: skip
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * len(calls), results
    await asyncio.to_thread(server.restart)
    assert await store.count("counters") == 1
    await store.replace("counters", "a", 1, {"id": "a", "n": 1})


async def test_a_server_that_hangs_is_said_and_goes_on_later(server: PrivateMongodb, opened: Opened) -> None:
    store = await opened(server.address(QUICK))
    await store.insert("counters", "a", {"id": "a", "n": 0})
    server.pause()
    try:
        with pytest.raises(Unavailable):
            await store.replace("counters", "a", 1, {"id": "a", "n": 1}, outbox=[message("m1")])
        with pytest.raises(Unavailable):
            await store.get("counters", "a")
    finally:
        server.resume()
    # The write may have been done after all, or not: either is whole.
    read = await store.get("counters", "a")
    assert read is not None
    await _is_at(store, read.revision - 1)


KILLS = 3
ROUNDS = 8


async def _count_up(store: DocumentStore, id: str, acknowledged: dict[str, int], stop: asyncio.Event) -> None:
    counters = Repository(store, COUNTERS, Counter)
    while not stop.is_set():
        handled = f"{id}-{acknowledged[id] + 1}"
        try:
            changed = await counters.change(id, lambda counter: counter.with_(n=counter.n + 1), handled=handled)
        except Unavailable:
            continue  # as the bus does: the same message again
        assert changed.value.n == acknowledged[id] + 1
        acknowledged[id] += 1


@pytest.mark.slow
async def test_kill_9_of_the_server_loses_no_acknowledged_write_and_does_none_twice(
    server: PrivateMongodb, opened: Opened
) -> None:
    store = await opened(server.address())
    acknowledged = {f"c{n}": 0 for n in range(4)}
    for id in acknowledged:
        await store.insert("counters", id, {"id": id, "n": 0})
    stop = asyncio.Event()
    writers = [asyncio.create_task(_count_up(store, id, acknowledged, stop)) for id in acknowledged]
    for _ in range(KILLS):
        before = dict(acknowledged)
        while any(acknowledged[id] < before[id] + ROUNDS for id in acknowledged):
            await asyncio.sleep(0.02)
            assert not any(writer.done() for writer in writers), [writer for writer in writers if writer.done()]
        await asyncio.to_thread(server.restart)
    stop.set()
    await asyncio.gather(*writers)
    stored = {one.id: (one.body["n"], one.revision) for one in await store.find("counters", Query())}
    assert stored == {id: (n, n + 1) for id, n in acknowledged.items()}
