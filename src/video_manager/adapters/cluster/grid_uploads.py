"""Unfinished uploads, whose pieces may arrive through several processes.

Whole chunks lie in fs.chunks, under the key that the file will have; an upload's document holds how long it is and the
bytes behind the last whole chunk. Both change in one atomic write, after the chunks before them are stored, and only by
the sender that has the upload: so what counts is always whole, and completing it rewrites nothing.

Whoever appends at the right offset takes the upload over from a sender before him. That one is usually a connection
that broke without anybody noticing; if it does live it finds out at its next batch, before anything of it counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from video_manager.adapters.cluster.grid_layout import CHUNK_BYTES, Chunk, Grid, GridFile, chunks_of, now
from video_manager.errors import Conflict, Unavailable

_ATTEMPTS = 10


@dataclass(frozen=True)
class Upload:
    id: str
    key: ObjectId
    length_bytes: int
    chunk_bytes: int
    tail: bytes
    sender: ObjectId | None
    last_chunk: ObjectId | None
    """The `_id` of the chunk that the tail becomes; once this is set nothing can be appended any more."""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            id=document["_id"], key=document["key"], length_bytes=document["length"],
            chunk_bytes=document["chunkSize"], tail=document["tail"], sender=document["sender"],
            last_chunk=document["last_chunk"],
        )  # fmt: skip

    @property
    def is_sealed(self) -> bool:
        return self.last_chunk is not None

    @property
    def whole_chunks(self) -> int:
        return self.length_bytes // self.chunk_bytes


class Uploads:
    def __init__(self, grid: Grid) -> None:
        self._grid = grid

    async def find(self, id: str) -> Upload | None:
        document = await self._grid.uploads.find_one({"_id": id})
        return None if document is None else Upload.of(document)

    async def length(self, id: str) -> int:
        document = await self._grid.uploads.find_one({"_id": id}, {"length": 1})
        return 0 if document is None else int(document["length"])

    async def take_over(self, id: str, offset: int) -> Upload:
        """Become its sender at exactly `offset`; not that of a sealed upload, which is full. Raises Conflict."""
        sender = ObjectId()
        taken = await self._take(id, offset, sender)
        if taken is None and offset == 0:
            fresh = {
                "_id": id, "key": ObjectId(), "length": 0, "chunkSize": CHUNK_BYTES, "tail": b"", "sender": sender,
                "last_chunk": None,
            }  # fmt: skip
            try:
                await self._grid.uploads.insert_one(fresh)
                return Upload.of(fresh)
            except DuplicateKeyError:
                taken = await self._take(id, offset, sender)
        if taken is None:
            found = await self.find(id)
            if found is not None and found.is_sealed and found.length_bytes == offset:
                return found
            raise Conflict(
                f"upload {id!r} has {found.length_bytes if found else 0} bytes, not {offset}: continue from there"
            )
        return taken

    async def _take(self, id: str, offset: int, sender: ObjectId) -> Upload | None:
        document = await self._grid.uploads.find_one_and_update(
            {"_id": id, "length": offset, "last_chunk": None}, {"$set": {"sender": sender}},
            return_document=ReturnDocument.AFTER,
        )  # fmt: skip
        return None if document is None else Upload.of(document)

    async def seal(self, id: str) -> Upload | None:
        """Nothing can be appended any more. Again without effect; None when there is no such upload."""
        await self._grid.uploads.update_one(
            {"_id": id, "last_chunk": None}, {"$set": {"last_chunk": ObjectId(), "sender": None}}
        )
        return await self.find(id)

    async def remove(self, upload: Upload) -> None:
        await self._grid.uploads.delete_one({"_id": upload.id, "key": upload.key})


class Sending:
    """An upload in the hands of one sender. `counted` is told by how many bytes the upload grew. Every method raises
    Conflict once another has taken it over."""

    def __init__(self, grid: Grid, upload: Upload, counted: Callable[[int], None]) -> None:
        self._grid = grid
        self._upload = upload
        self._counted = counted
        self._mine = {"_id": upload.id, "sender": upload.sender}
        self.length_bytes = upload.length_bytes

    async def insert(self, chunks: list[Chunk]) -> None:
        """Whole chunks, that follow what counts already."""
        first, ids = chunks[0]["n"], [chunk["_id"] for chunk in chunks]
        missing = chunks
        for _ in range(_ATTEMPTS):
            if await self._grid.insert_chunks(missing):
                await self._count((chunks[-1]["n"] + 1) * self._upload.chunk_bytes, b"", ids)
                return
            # Left by a sender before this one, and never counted: none of them may count while this one sends.
            present = await _present(self._grid, self._upload.key, first)
            await self._require_mine(ids)
            await self._grid.chunks.delete_many({"_id": {"$in": list(present - set(ids))}})
            missing = [chunk for chunk in chunks if chunk["_id"] not in present]
        raise Unavailable(f"another connection keeps sending upload {self._upload.id!r}: end it, then go on")

    async def keep_tail(self, tail: bytes) -> None:
        """The bytes behind the last whole chunk."""
        whole_bytes = self.length_bytes // self._upload.chunk_bytes * self._upload.chunk_bytes
        await self._count(whole_bytes + len(tail), tail, [])

    async def _count(self, length_bytes: int, tail: bytes, ids: list[ObjectId]) -> None:
        counted = await self._grid.uploads.update_one(self._mine, {"$set": {"length": length_bytes, "tail": tail}})
        if counted.matched_count == 0:
            await self._lose(ids)
        self._counted(length_bytes - self.length_bytes)
        self.length_bytes = length_bytes

    async def _require_mine(self, ids: list[ObjectId]) -> None:
        if await self._grid.uploads.find_one(self._mine, {"_id": 1}) is None:
            await self._lose(ids)

    async def _lose(self, ids: list[ObjectId]) -> None:
        """Chunks that never counted go; by their own ids, so that the other sender's are out of reach."""
        if ids:
            await self._grid.chunks.delete_many({"_id": {"$in": ids}})
        raise Conflict(f"upload {self._upload.id!r} was continued or ended by another connection")


async def sealed_file(grid: Grid, upload: Upload, id: str) -> GridFile:
    """Put the tail of a sealed upload in its place; all bytes are in chunks then. May be done by several at once."""
    own = {upload.last_chunk} if upload.tail else set()
    for _ in range(_ATTEMPTS):
        present = await _present(grid, upload.key, upload.whole_chunks)
        if strangers := list(present - own):
            await grid.chunks.delete_many({"_id": {"$in": strangers}})
        if own <= present:
            break
        (chunk,) = chunks_of(upload.key, upload.whole_chunks, [upload.tail])
        await grid.insert_chunks([{**chunk, "_id": upload.last_chunk}])
    return GridFile(upload.key, id, upload.length_bytes, upload.chunk_bytes, "", now())


async def _present(grid: Grid, key: ObjectId, first: int) -> set[Any]:
    """The `_id` of the chunks number `first` and following."""
    found = await grid.chunks.find({"files_id": key, "n": {"$gte": first}}, {"_id": 1}).to_list()
    return {chunk["_id"] for chunk in found}
