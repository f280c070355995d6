"""Files on a MongoDB that loses answers, dies and comes back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta

import pytest
from tests.contract.files.streams import content, stream, whole
from tests.integration.cluster.driver_sockets import LEFT_SOCKETS, collect_left_sockets
from tests.integration.cluster.mongodb_proxy import MongodbProxy
from tests.integration.cluster.private_mongodb import PrivateMongodb, mongodb_address, private_mongodb

from video_manager.adapters.cluster.files import GridFiles
from video_manager.adapters.cluster.grid_layout import CHUNK_BYTES
from video_manager.adapters.cluster.mongo import MongoConnection
from video_manager.errors import Unavailable

__all__ = ["collect_left_sockets"]
pytestmark = LEFT_SOCKETS

QUICK = "timeoutMS=5000"
DATA = content("data", 2 * CHUNK_BYTES + 17)
COLLECTIONS = ("fs.files", "fs.chunks", "fs.writes", "fs.uploads")


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


async def _open(address: str) -> GridFiles:
    files = GridFiles(MongoConnection(address), stale_after=timedelta(0))
    await files.open()
    return files


@pytest.mark.parametrize(
    "restarted", [False, pytest.param(True, marks=pytest.mark.long)], ids=["server remembers", "server restarted"]
)
async def test_work_whose_answer_is_lost_is_done_once(
    server: PrivateMongodb, proxy: MongodbProxy, restarted: bool
) -> None:
    """The driver repeats it. A server that was killed meanwhile may not know that it did it already."""

    async def restart() -> None:
        await asyncio.to_thread(server.restart)

    if restarted:
        proxy.after_loss = restart
    files = await _open(mongodb_address(proxy.port))
    for collection in COLLECTIONS:
        steps: tuple[Callable[[], Awaitable[object]], ...] = (
            lambda: files.put("put", stream(DATA)),
            lambda: files.append("u", 0, stream(DATA[:CHUNK_BYTES])),
            lambda: files.append("u", CHUNK_BYTES, stream(DATA[CHUNK_BYTES:])),
            lambda: files.complete("u", "uploaded"),
            lambda: files.copy("uploaded", "copied"),
        )
        for step in steps:
            proxy.command, proxy.lose = collection.encode(), 1
            await step()
        proxy.lose = 0
        for id in ("put", "uploaded", "copied"):
            assert await whole(files, id) == DATA, (collection, id)
            proxy.lose = 1
            await files.delete(id)
            proxy.lose = 0
            assert await files.stat(id) is None
        assert (await files.use()).used_bytes == 0, collection
    assert proxy.lost >= 4 * len(COLLECTIONS)
    await files.sweep()
    assert await files._grid.chunks.count_documents({}) == 0
    await files.close()


@pytest.mark.long
async def test_a_server_that_dies_in_the_middle(server: PrivateMongodb) -> None:
    files = await _open(server.address(QUICK))
    await files.put("before", stream(DATA))

    async def breaking(kill: bool) -> AsyncIterator[bytes]:
        for n in range(40):  # two batches of 16 and a half: the first one is stored then
            yield content(n, CHUNK_BYTES)
        if kill:
            await asyncio.to_thread(server.kill)
        yield content("more", 20 * CHUNK_BYTES)

    with pytest.raises(Unavailable):
        await files.put("half", breaking(kill=True))
    with pytest.raises(Unavailable):
        await whole(files, "before")
    with pytest.raises(Unavailable):
        await files.use()
    await asyncio.to_thread(server.restart)
    assert await files.stat("half") is None
    assert await whole(files, "before") == DATA
    await files.sweep()
    assert await files._grid.chunks.count_documents({}) == 3

    with pytest.raises(Unavailable):
        await files.append("u", 0, breaking(kill=True))
    await asyncio.to_thread(server.restart)
    sent = b"".join([chunk async for chunk in breaking(kill=False)])
    kept = await files.length("u")
    assert 16 * CHUNK_BYTES <= kept < len(sent)
    await files.append("u", kept, stream(sent[kept:]))
    await files.complete("u", "uploaded")
    assert await whole(files, "uploaded") == sent
    await files.close()
