"""What dead writers, senders and removers leave in MongoDB, and what the sweep makes of it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from bson import ObjectId
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure
from tests.contract.conftest import lines_until_killed
from tests.contract.files import backends
from tests.contract.files.streams import content, stream, whole

from video_manager.adapters.cluster.files import GridFiles
from video_manager.adapters.cluster.grid_chunking import Chunking
from video_manager.adapters.cluster.grid_layout import CHUNK_BYTES, Chunk
from video_manager.adapters.cluster.mongo import MongoConnection
from video_manager.errors import Conflict, NotFound, RetryableError, Unavailable

DATA = content("upload", 2 * CHUNK_BYTES + 500)


@pytest.fixture
def backend_name() -> str:
    return "gridfs"


@pytest.fixture
async def database(place: str) -> AsyncIterator[AsyncDatabase]:
    connection = MongoConnection(place)
    await connection.open()
    yield connection.database
    await connection.close()


@pytest.fixture
async def patient(place: str) -> AsyncIterator[GridFiles]:
    """Another process, that takes writers for alive as long as in real life."""
    files = backends.gridfs(place, stale_after=timedelta(hours=1))
    await files.open()
    yield files
    await files.close()


async def _is_empty(database: AsyncDatabase) -> bool:
    return not [name for name in ("files", "chunks", "writes") if await database[f"fs.{name}"].count_documents({})]


async def test_a_sweep_that_fails_is_not_the_last(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("video_manager.adapters.cluster.files._SWEEP_SECONDS", 0.01)
    files, sweep, swept = backends.gridfs(place), GridFiles.sweep, asyncio.Event()
    errors: list[Exception] = [OperationFailure("cursor id 7 not found", 43), Unavailable("no answer")]

    async def failing(self: GridFiles) -> int:
        found = await sweep(self)
        if files._sweeping is not None:
            if errors:
                raise errors.pop()
            swept.set()
        return found

    monkeypatch.setattr(GridFiles, "sweep", failing)
    await files.open()
    async with asyncio.timeout(30):
        await swept.wait()
    await files.close()


async def test_a_killed_writer_leaves_nothing_visible_and_the_sweep_finds_the_rest(
    place: str, patient: GridFiles, database: AsyncDatabase
) -> None:
    await asyncio.to_thread(lines_until_killed, "tests.contract.files.half_writer", place, after_seconds=0)
    assert await patient.stat("half") is None
    assert [one async for one in patient.list()] == []
    assert await patient.sweep() == 0, "it may still live"
    assert (await patient.use()).used_bytes >= 16 * CHUNK_BYTES, "what others are writing takes space too"
    assert await database["fs.chunks"].count_documents({}) >= 16
    later = backends.gridfs(place)
    await later.open()
    assert await database["fs.chunks"].count_documents({}) == 0
    await later.sweep()
    assert await _is_empty(database)
    await later.put("half", stream(b"again"))
    await later.close()


async def test_a_writer_that_was_taken_for_dead_is_told(
    files: GridFiles, patient: GridFiles, database: AsyncDatabase
) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield DATA
        assert await patient.sweep() == 0
        assert await files.sweep() == 1
        yield DATA

    with pytest.raises(RetryableError, match="'a' stood still"):
        await patient.put("a", slow())
    assert await patient.stat("a") is None
    await files.sweep()
    assert await _is_empty(database)


async def test_what_a_crash_in_the_middle_of_a_removal_leaves(files: GridFiles, database: AsyncDatabase) -> None:
    for id in ("marked", "half", "kept"):
        await files.put(id, stream(DATA))
    by_id = {one["filename"]: one["_id"] async for one in database["fs.files"].find()}
    for id in ("marked", "half"):
        await files._writes.mark_removed(by_id[id])
    await database["fs.files"].delete_one({"_id": by_id["half"]})
    await files.sweep()
    assert {one.id async for one in files.list()} == {"marked", "kept"}
    assert await whole(files, "marked") == DATA
    assert await database["fs.chunks"].count_documents({}) == 2 * 3
    assert await database["fs.writes"].count_documents({}) == 0


async def test_a_crash_after_the_last_step_but_one_of_completing(files: GridFiles, database: AsyncDatabase) -> None:
    """The file is there, and the upload still is: completing, discarding and sweeping all leave the file alone."""
    await files.append("u", 0, stream(DATA))
    upload = await database["fs.uploads"].find_one({})
    first = await files.complete("u", "a")
    await database["fs.uploads"].insert_one({**upload, "last_chunk": ObjectId(), "sender": None})
    assert await files.complete("u", "a") == first
    assert await files.length("u") == 0
    await database["fs.uploads"].insert_one(upload)
    await files.discard("u")
    await files.sweep()
    assert await files.length("u") == 0
    assert await whole(files, "a") == DATA
    assert await database["fs.writes"].count_documents({}) == 0


async def test_chunks_of_a_sender_that_died_before_they_counted(files: GridFiles, database: AsyncDatabase) -> None:
    await files.append("u", 0, stream(DATA[:CHUNK_BYTES]))
    upload = await database["fs.uploads"].find_one({})
    left = [{"files_id": upload["key"], "n": n, "data": b"left"} for n in (1, 2, 3)]
    await database["fs.chunks"].insert_many(left)
    assert await files.length("u") == CHUNK_BYTES
    await files.append("u", CHUNK_BYTES, stream(DATA[CHUNK_BYTES:]))
    left = [{"files_id": upload["key"], "n": n, "data": b"left"} for n in (2, 7)]
    await database["fs.chunks"].insert_many(left)
    await files.complete("u", "a")
    assert await whole(files, "a") == DATA
    assert await database["fs.chunks"].count_documents({}) == 3


async def test_a_sender_takes_over_from_one_that_hangs(
    files: GridFiles, patient: GridFiles, database: AsyncDatabase
) -> None:
    """A broken connection may look alive for minutes: the next one, on another replica, need not wait for it."""
    hangs, wakes = asyncio.Event(), asyncio.Event()

    async def hanging() -> AsyncIterator[bytes]:
        yield bytes(20 * CHUNK_BYTES)
        hangs.set()
        await wakes.wait()
        yield bytes(20 * CHUNK_BYTES)

    first = asyncio.create_task(files.append("u", 0, hanging()))
    await hangs.wait()
    offset = await patient.length("u")
    rest = content("rest", 3 * CHUNK_BYTES + 1)
    # Before anything counted at the first sender, or after its first batch: both are right.
    assert await patient.append("u", offset, stream(rest)) == offset + len(rest)
    wakes.set()
    with pytest.raises(Conflict, match="another connection"):
        await first
    await patient.complete("u", "a")
    assert await whole(files, "a") == bytes(offset) + rest
    assert await database["fs.chunks"].count_documents({}) == -(-(offset + len(rest)) // CHUNK_BYTES)


async def test_discarding_an_upload_that_is_being_sent(
    files: GridFiles, patient: GridFiles, database: AsyncDatabase
) -> None:
    async def discarded() -> AsyncIterator[bytes]:
        yield DATA
        await patient.discard("u")
        yield DATA

    with pytest.raises(Conflict):
        await files.append("u", 0, discarded())
    assert await files.length("u") == 0
    with pytest.raises(NotFound):
        await files.complete("u", "a")
    await files.sweep()
    assert await _is_empty(database)


async def test_an_upload_that_is_discarded_while_it_is_completed(
    files: GridFiles, patient: GridFiles, database: AsyncDatabase
) -> None:
    """The discarding replica has said so, and has not come to removing anything."""
    await files.append("u", 0, stream(DATA))
    upload = await database["fs.uploads"].find_one({})
    await patient._writes.mark_removed(upload["key"])
    with pytest.raises(NotFound, match="discarded"):
        await files.complete("u", "a")
    assert await files.stat("a") is None
    await patient.discard("u")
    await files.sweep()
    assert await _is_empty(database)


async def test_nothing_is_stored_behind_a_batch_that_could_not_be() -> None:
    """There would be a hole."""
    stored: list[int] = []

    async def insert(chunks: list[Chunk]) -> None:
        if chunks[0]["n"] == 16:
            raise ConnectionError
        stored.extend(chunk["n"] for chunk in chunks)

    cutting = Chunking("key", 10, insert)
    with pytest.raises(ConnectionError):
        async with cutting:
            await cutting.add(bytes(10 * 16 * 3))
    assert stored == list(range(16))
    with pytest.raises(RuntimeError, match="batch"):
        await cutting.store_all()
    assert stored == list(range(16))


async def test_two_replicas_append_at_once(files: GridFiles, patient: GridFiles) -> None:
    large = content("large", 20 * CHUNK_BYTES + 5)
    for upload, start in (("u", 0), ("v", 1)):
        if start:
            await files.append(upload, 0, stream(large[:start]))
        results = await asyncio.gather(
            *(one.append(upload, start, stream(large[start:])) for one in (files, patient)), return_exceptions=True
        )
        assert results.count(len(large)) == 1
        assert sum(isinstance(result, Conflict) for result in results) == 1
        await patient.complete(upload, upload)
        assert await whole(files, upload) == large
