"""What lies in MongoDB: real GridFS, whole or said to be damaged."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gridfs
import pytest
from gridfs.asynchronous import AsyncGridFSBucket
from pymongo import MongoClient
from tests.contract.files import backends
from tests.contract.files.streams import content, stream, whole

from video_manager.adapters.cluster.files import GridFiles
from video_manager.adapters.cluster.grid_layout import CHUNK_BYTES
from video_manager.adapters.cluster.mongo import MongoConnection
from video_manager.errors import NotFound, PermanentError, SettingsError

DATA = content("data", 3 * CHUNK_BYTES + 1000)


@pytest.fixture
def backend_name() -> str:
    return "gridfs"


@pytest.fixture
async def mongo(place: str) -> AsyncIterator[MongoConnection]:
    """A client that is not ours."""
    connection = MongoConnection(place)
    await connection.open()
    yield connection
    await connection.close()


async def _upload_in_odd_pieces(files: GridFiles, id: str) -> None:
    offset = 0
    for size in (1, CHUNK_BYTES - 1, 1, 0, CHUNK_BYTES + 7, 3, len(DATA)):
        piece = DATA[offset : offset + size]
        offset = await files.append(f"upload-{id}", offset, stream(piece))
    await files.complete(f"upload-{id}", id)


async def test_any_gridfs_client_reads_what_is_stored(files: GridFiles, place: str, mongo: MongoConnection) -> None:
    await files.put("put", stream(DATA))
    await files.copy("put", "copied")
    await _upload_in_odd_pieces(files, "uploaded")
    await files.put("empty", stream(b""))
    expected = {"put": DATA, "copied": DATA, "uploaded": DATA, "empty": b""}
    bucket = AsyncGridFSBucket(mongo.database)
    for id, data in expected.items():
        async with await bucket.open_download_stream_by_name(id) as found:
            assert await found.read() == data, id
            assert found.metadata is not None
            stored = await files.stat(id)
            assert stored is not None
            assert (found.length, found.metadata["sha256"]) == (len(data), stored.sha256)
    with MongoClient[dict[str, Any]](place) as client:
        other = gridfs.GridFS(client.get_default_database())
        assert {id: other.get_last_version(id).read() for id in other.list()} == expected
    assert await mongo.database["fs.chunks"].count_documents({}) == 3 * 4
    for id in expected:
        await files.delete(id)
    for name in ("fs.files", "fs.chunks", "fs.uploads", "fs.writes"):
        assert await mongo.database[name].count_documents({}) == 0, name


@pytest.mark.parametrize("left", [None, b"", b"short", bytes(CHUNK_BYTES + 1)])
async def test_damage_is_said_instead_of_handing_out_less(
    files: GridFiles, mongo: MongoConnection, tmp_path: Path, left: bytes | None
) -> None:
    await files.put("a", stream(DATA))
    chunks = mongo.database["fs.chunks"]
    if left is None:
        await chunks.delete_one({"n": 2})
    else:
        await chunks.update_one({"n": 2}, {"$set": {"data": left}})
    assert await whole(files, "a", 0, 2 * CHUNK_BYTES) == DATA[: 2 * CHUNK_BYTES]
    with pytest.raises(PermanentError, match="chunk 2 of 4"):
        await whole(files, "a")
    with pytest.raises(PermanentError, match="chunk 2 of 4"):
        await files.fetch("a", tmp_path, "a.mp4")
    with pytest.raises(PermanentError, match="chunk 2 of 4"):
        await files.copy("a", "b")
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - nothing blocks here
    assert await files.stat("b") is None


async def test_changed_bytes_are_found_before_they_are_used(
    files: GridFiles, mongo: MongoConnection, tmp_path: Path
) -> None:
    await files.put("a", stream(DATA))
    await mongo.database["fs.chunks"].update_one({"n": 1}, {"$set": {"data": bytes(CHUNK_BYTES)}})
    with pytest.raises(PermanentError, match="checksum"):
        await files.fetch("a", tmp_path, "a.mp4")
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - nothing blocks here


async def test_a_file_deleted_while_it_is_read_is_not_called_damaged(files: GridFiles, mongo: MongoConnection) -> None:
    large = content("large", 40 * CHUNK_BYTES)  # more than is read ahead
    await files.put("a", stream(large))
    reading = files.read("a")
    await anext(reading)
    await files.delete("a")
    with pytest.raises(NotFound, match="deleted"):
        _ = [chunk async for chunk in reading]


async def test_a_bucket_of_another_program_is_refused(place: str, mongo: MongoConnection) -> None:
    bucket = AsyncGridFSBucket(mongo.database)
    for _ in range(2):
        await bucket.upload_from_stream("the same name", b"x")
    files = backends.gridfs(place)
    with pytest.raises(SettingsError, match="VIDEO_MANAGER_MONGODB_URL"):
        await files.open()
