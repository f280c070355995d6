"""How video files lie in MongoDB. What any GridFS client reads:

    fs.files    one document for each complete file; `filename` is our id, unique; `metadata.sha256` its checksum
    fs.chunks   the bytes, `chunkSize` of them a document

and beside it, what only this adapter knows:

    fs.writes   bytes that are being written or removed, so that what a crash leaves is found (`grid_writes`)
    fs.uploads  unfinished uploads (`grid_uploads`)

The `_id` of a file, here its key, is new for every write: two writers of one id never touch each other's chunks, and a
file that is deleted and written again shares nothing with the old one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import pymongo
from bson import ObjectId
from bson.codec_options import CodecOptions
from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure

from video_manager.adapters.cluster.mongo_errors import SETTING
from video_manager.errors import SettingsError
from video_manager.ports import StoredFile

CHUNK_BYTES = 255 * 1024
"""GridFS's own default, and measured the best: see docs/decisions/0009-mongodb.md."""

INDEX_SECONDS = 600.0
"""A new index on a large collection takes longer than an operation may."""

_DUPLICATE = 11000
_REMOVED_AT_ONCE = 256
"""Chunks, so that removing a file of many gigabytes is many short operations."""

Collection = AsyncCollection[dict[str, Any]]
Chunk = dict[str, Any]
"""{_id, files_id, n, data}"""


@dataclass(frozen=True)
class GridFile:
    """Bytes under a key, complete: a file, or an upload that is being completed."""

    key: Any
    id: str
    size_bytes: int
    chunk_bytes: int
    sha256: str
    created_at: datetime

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            key=document["_id"], id=document["filename"], size_bytes=document["length"],
            chunk_bytes=document["chunkSize"], sha256=(document.get("metadata") or {}).get("sha256", ""),
            created_at=document["uploadDate"],
        )  # fmt: skip

    @property
    def document(self) -> dict[str, Any]:
        return {
            "_id": self.key, "filename": self.id, "length": self.size_bytes, "chunkSize": self.chunk_bytes,
            "uploadDate": self.created_at, "metadata": {"sha256": self.sha256},
        }  # fmt: skip

    @property
    def stored(self) -> StoredFile:
        return StoredFile(self.id, self.size_bytes, self.sha256, self.created_at)

    @property
    def chunks(self) -> int:
        return -(-self.size_bytes // self.chunk_bytes)

    def size_of(self, n: int) -> int:
        """Of chunk n, in bytes."""
        return min(self.chunk_bytes, self.size_bytes - n * self.chunk_bytes)


class Grid:
    """The collections; there from `prepare` on."""

    database: AsyncDatabase[dict[str, Any]]
    files: Collection
    chunks: Collection
    writes: Collection
    uploads: Collection

    async def prepare(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        """Make the indexes, those of the GridFS specification included. Raises SettingsError for a bucket that is not
        ours."""
        self.database = database.with_options(CodecOptions(tz_aware=True, tzinfo=UTC))
        self.files = self.database["fs.files"]
        self.chunks = self.database["fs.chunks"]
        self.writes = self.database["fs.writes"]
        self.uploads = self.database["fs.uploads"]
        try:
            with pymongo.timeout(INDEX_SECONDS):
                await self.files.create_index([("filename", ASCENDING), ("uploadDate", ASCENDING)])
                await self.chunks.create_index([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)
                await self.writes.create_index("renewed_at")
                await self.uploads.create_index("key")
                await self.files.create_index("filename", name="id", unique=True)
        except DuplicateKeyError as error:
            raise SettingsError(
                f"{SETTING}: the database {self.database.name!r} holds GridFS files of the same name, which another "
                "program has written: name a database of its own for video-manager"
            ) from error

    async def find(self, id: str) -> GridFile | None:
        document = await self.files.find_one({"filename": id})
        return None if document is None else GridFile.of(document)

    async def find_many(self, ids: Sequence[str]) -> list[GridFile]:
        """Those that are there."""
        return [GridFile.of(one) for one in await self.files.find({"filename": {"$in": ids}}).to_list()]

    async def has_file(self, key: Any) -> bool:
        return await self.files.find_one({"_id": key}, {"_id": 1}) is not None

    async def server_time(self) -> datetime:
        """By the one clock that all processes share."""
        now: datetime = (await self.database.command("hello"))["localTime"]
        return now.replace(tzinfo=UTC) if now.tzinfo is None else now

    async def insert_chunks(self, chunks: Sequence[Chunk], *, ordered: bool = True) -> bool:
        """False when a place is taken; then only those before it (`ordered`), or all others, are stored."""
        if not chunks:
            return True
        try:
            await self.chunks.insert_many(chunks, ordered=ordered)
        except BulkWriteError as error:
            errors = [*error.details["writeErrors"], *error.details["writeConcernErrors"]]
            others = [one for one in errors if one["code"] != _DUPLICATE]
            if others:
                raise OperationFailure(others[0]["errmsg"], others[0]["code"], others[0]) from error
            return False
        return True

    async def remove_chunks_of(self, file: GridFile) -> None:
        """Of a whole file, of which it is known how many it has."""
        for start in range(0, file.chunks, _REMOVED_AT_ONCE):
            await self._remove_chunks(file.key, start)

    async def remove_chunks(self, key: Any) -> None:
        while (last := await self.chunks.find_one({"files_id": key}, {"n": 1}, sort=[("n", DESCENDING)])) is not None:
            for start in range(0, last["n"] + 1, _REMOVED_AT_ONCE):
                await self._remove_chunks(key, start)

    async def _remove_chunks(self, key: Any, start: int) -> None:
        await self.chunks.delete_many({"files_id": key, "n": {"$gte": start, "$lt": start + _REMOVED_AT_ONCE}})


def chunks_of(key: Any, first: int, pieces: Sequence[bytes]) -> list[Chunk]:
    """The chunk documents number `first` and following."""
    return [{"_id": ObjectId(), "files_id": key, "n": first + n, "data": data} for n, data in enumerate(pieces)]


def now() -> datetime:
    """As precise as MongoDB keeps times."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)
