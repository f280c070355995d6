"""What is being written or removed, so that nothing a crash leaves behind stays for ever and no half file is seen.

A write makes its record first, then its chunks, then the document in fs.files (which is what makes the file exist),
and then removes the record. A removal marks the record first, then removes the document, then the chunks. So chunks
that belong to nothing always have a record. Records whose process is dead are found by their age.

Nothing here needs transactions: whoever makes a file visible looks afterwards whether its bytes were given up, and
whoever gives bytes up marks that before it looks whether they are a file. At least one of them sees the other.
"""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from enum import StrEnum
from typing import Any

import pymongo
from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from video_manager.adapters.cluster.grid_layout import CHUNK_BYTES, Chunk, Grid, GridFile, now
from video_manager.adapters.cluster.mongo_errors import explained
from video_manager.adapters.cluster.threads import to_the_end
from video_manager.errors import AlreadyExists, RetryableError, Unavailable
from video_manager.ports import StoredFile

_RENEW_SECONDS = 5.0

_log = logging.getLogger(__name__)


class _State(StrEnum):
    WRITING = "writing"
    REMOVING = "removing"


class Write:
    """One file while it is being written."""

    def __init__(self, grid: Grid, id: str) -> None:
        self.key = ObjectId()
        self._grid = grid
        self._id = id
        self._bytes = 0
        self._is_counted = False
        self._renewed_at = float("-inf")

    async def begin(self, process: ObjectId) -> None:
        began = time.monotonic()
        record = {"state": _State.WRITING, "file": self._id, "process": process, "bytes": 0}
        await self._grid.writes.update_one(
            {"_id": self.key}, {"$set": record, "$currentDate": {"renewed_at": True}}, upsert=True
        )
        self._renewed_at = began

    async def insert(self, chunks: list[Chunk]) -> None:
        # A place that is taken holds this very chunk: the answer was lost, and the driver asked again.
        await self._grid.insert_chunks(chunks, ordered=False)
        self._bytes += sum(len(chunk["data"]) for chunk in chunks)
        # At once when it is large: what others are writing counts for the quota.
        if self._bytes >= CHUNK_BYTES and (not self._is_counted or self._is_due):
            await self._renew()

    async def publish(self, sha256: str) -> StoredFile:
        """Make it visible. Raises AlreadyExists."""
        if self._is_due:
            await self._renew()
        file = GridFile(self.key, self._id, self._bytes, CHUNK_BYTES, sha256, now())
        try:
            await self._grid.files.insert_one(file.document)
        except DuplicateKeyError as error:
            if await self._grid.has_file(self.key):
                return file.stored  # the answer was lost, and the driver asked again
            raise AlreadyExists(f"file {self._id!r} is stored already") from error
        return file.stored

    @property
    def _is_due(self) -> bool:
        return time.monotonic() - self._renewed_at >= _RENEW_SECONDS

    async def _renew(self) -> None:
        began = time.monotonic()
        renewed = await self._grid.writes.update_one(
            {"_id": self.key, "state": _State.WRITING},
            {"$set": {"bytes": self._bytes}, "$currentDate": {"renewed_at": True}},
        )
        if renewed.matched_count == 0:
            raise _given_up(self._id)
        self._renewed_at, self._is_counted = began, True


class Writes:
    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self.process = ObjectId()
        """Names this process in its records."""

    @asynccontextmanager
    async def writing(self, id: str) -> AsyncIterator[Write]:
        """Leave it after `publish`; any error gives up what was written, also a cancellation."""
        write = Write(self._grid, id)
        try:
            await write.begin(self.process)
            yield write
            await self._finish(write.key, id)
        except BaseException:
            await to_the_end(self._abandon(write.key, id))
            raise

    async def _finish(self, key: ObjectId, id: str) -> None:
        """The file is visible. Raises RetryableError when its bytes were given up before that."""
        try:
            with explained():
                done = await self._grid.writes.delete_one({"_id": key, "state": _State.WRITING})
                given_up = not done.deleted_count and await self.is_given_up(key)
        except Unavailable:
            # It is there, and was renewed a moment ago; the sweep will find that the record is of no use any more.
            _log.warning("file %s is stored; its record of an unfinished write stays until the next sweep", id)
            return
        if given_up:
            raise _given_up(id)

    async def _abandon(self, key: ObjectId, id: str) -> None:
        """The mark stays until the sweep looks again: an insert whose answer was lost may still arrive."""
        try:
            with explained():
                await self.mark_removed(key)
                await self._grid.files.delete_one({"_id": key})
                await self._grid.remove_chunks(key)
        except Unavailable as error:
            _log.warning("what was written of file %s is left to the sweep: %s", id, error)

    async def is_given_up(self, key: Any) -> bool:
        """To be asked after making a file visible."""
        return await self._grid.writes.find_one({"_id": key, "state": _State.REMOVING}, {"_id": 1}) is not None

    async def mark_removed(self, *keys: Any) -> None:
        change = {"$set": {"state": _State.REMOVING}, "$currentDate": {"renewed_at": True}}
        marks = [pymongo.UpdateOne({"_id": key}, change, upsert=True) for key in keys]
        await self._grid.writes.bulk_write(marks, ordered=False)

    async def forget(self, *keys: Any) -> None:
        await self._grid.writes.delete_many({"_id": {"$in": keys}})

    async def sweep(self, older_than: timedelta) -> int:
        """Remove what writers and removers that died have left; how many. A living writer renews its record every few
        seconds; the age is by the server's clock."""
        swept = 0
        before = await self._grid.server_time() - older_than
        async for record in self._grid.writes.find({"renewed_at": {"$lte": before}}):
            key = record["_id"]
            seen = {"_id": key, "renewed_at": record["renewed_at"]}
            if await self._is_owned(key):
                await self._grid.writes.delete_one(seen)
            elif record["state"] == _State.REMOVING:
                await self._grid.remove_chunks(key)
                await self._grid.writes.delete_one(seen)
            elif await self._take(seen):
                # The mark stays for another round: should the writer live after all, what it still inserts goes then.
                await self._grid.remove_chunks(key)
                _log.info("removed what was written of file %s: its writer died or stood still", record.get("file"))
                swept += 1
        return swept

    async def _is_owned(self, key: Any) -> bool:
        """By a file (the crash came after the write, or before the removal) or by an upload (that was not discarded
        after all)."""
        return await self._grid.has_file(key) or await self._grid.uploads.find_one({"key": key}, {"_id": 1}) is not None

    async def _take(self, seen: dict[str, Any]) -> bool:
        change = {"$set": {"state": _State.REMOVING}, "$currentDate": {"renewed_at": True}}
        return (await self._grid.writes.update_one(seen, change)).matched_count == 1


def _given_up(id: str) -> RetryableError:
    return RetryableError(
        f"writing file {id!r} stood still for so long that it was given up and its bytes were removed: store it again"
    )
