"""Video files in MongoDB, as GridFS; how they lie there is in `grid_layout`, what crashes leave in `grid_writes`."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

from video_manager.adapters.cluster.grid_chunking import Chunking
from video_manager.adapters.cluster.grid_completion import Completion
from video_manager.adapters.cluster.grid_layout import CHUNK_BYTES, Chunk, Grid, GridFile, chunks_of
from video_manager.adapters.cluster.grid_reading import ChunkMissing, damaged, read_range, read_windows
from video_manager.adapters.cluster.grid_space import Space
from video_manager.adapters.cluster.grid_uploads import Sending, Upload, Uploads
from video_manager.adapters.cluster.grid_writes import Writes
from video_manager.adapters.cluster.local_files import chunks_of_path, write_local
from video_manager.adapters.cluster.mongo import MongoConnection
from video_manager.adapters.cluster.mongo_errors import explained
from video_manager.adapters.cluster.running_sums import RunningSums
from video_manager.adapters.cluster.threads import Threads, to_the_end
from video_manager.adapters.file_ids import checked_id
from video_manager.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from video_manager.ports import StorageUse, StoredFile
from video_manager.tasks import end_tasks

_STALE_AFTER = timedelta(hours=1)
_SWEEP_SECONDS = 3600.0
_DELETED_AT_ONCE = 100

_log = logging.getLogger(__name__)


class GridFiles:
    """FileStore in the connection's database. `quota_bytes` limits what all files together may take, uploads included.
    A write that stood still for `stale_after` is given up and swept, at `open` and then hourly."""

    def __init__(
        self, connection: MongoConnection, quota_bytes: int | None = None, *, stale_after: timedelta = _STALE_AFTER
    ) -> None:
        self._connection = connection
        self._stale_after = stale_after
        self._grid = Grid()
        self._writes = Writes(self._grid)
        self._uploads = Uploads(self._grid)
        self._space = Space(self._grid, quota_bytes, self._writes.process)
        self._sums = RunningSums()
        self._threads = Threads()
        self._sweeping: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._connection.open()
        try:
            with explained():
                await self._grid.prepare(self._connection.database)
            await self.sweep()
        except BaseException:
            await self._connection.close()
            raise
        self._sweeping = asyncio.create_task(self._sweep_hourly())

    async def close(self) -> None:
        if self._sweeping is not None:
            await end_tasks([self._sweeping])
            self._sweeping = None
        self._threads.close()
        await self._connection.close()

    # ---- complete files -----------------------------------------------------------------------------------

    async def put(self, id: str, chunks: AsyncIterator[bytes]) -> StoredFile:
        checked_id(id)
        with explained(f"file {id!r}"):
            return await self._put(id, chunks)

    async def put_path(self, id: str, path: Path) -> StoredFile:
        checked_id(id)
        if not await self._threads.run(path.is_file):
            raise NotFound(f"{path} is no file: it cannot be stored as {id!r}")
        with explained(f"file {id!r}"):
            async with aclosing(chunks_of_path(path, self._threads)) as chunks:
                return await self._put(id, chunks)

    async def stat(self, id: str) -> StoredFile | None:
        with explained():
            found = await self._grid.find(checked_id(id))
        return None if found is None else found.stored

    async def read(self, id: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        if start < 0 or (end is not None and end < start):
            raise InvalidInput.field("range", f"{start} to {end} is no range of bytes")
        checked_id(id)
        with explained(f"file {id!r}"):
            file = await self._existing(id)
            end = file.size_bytes if end is None else min(end, file.size_bytes)
            try:
                async with aclosing(read_range(self._grid, file, start, end)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except ChunkMissing as error:
                raise await damaged(self._grid, file, error) from error

    async def fetch(self, id: str, folder: Path, name: str) -> Path:
        target = folder / checked_id(name)
        checked_id(id)
        with explained(f"file {id!r}"):
            file = await self._existing(id)
            try:
                async with aclosing(read_windows(self._grid, file)) as windows:
                    await write_local(windows, target, file, self._threads)
            except ChunkMissing as error:
                raise await damaged(self._grid, file, error) from error
        return target

    async def copy(self, id: str, new_id: str) -> StoredFile:
        checked_id(id)
        checked_id(new_id)
        with explained(f"file {new_id!r}"):
            source = await self._existing(id)
            try:
                if await self._grid.find(new_id) is None:
                    return await self._copy(source, new_id)
            except AlreadyExists:
                pass  # somebody else was faster; what counts is what lies there
            except ChunkMissing as error:
                raise await damaged(self._grid, source, error) from error
            known = await self._existing(new_id)
        if known.sha256 == source.sha256:
            return known.stored
        raise AlreadyExists(f"file {new_id!r} is stored already, with other bytes than {id!r}")

    async def delete(self, id: str) -> bool:
        return await self._delete([id]) == 1

    async def delete_many(self, ids: Collection[str]) -> None:
        wanted = sorted(ids)
        for start in range(0, len(wanted), _DELETED_AT_ONCE):
            await self._delete(wanted[start : start + _DELETED_AT_ONCE])

    async def _delete(self, ids: Sequence[str]) -> int:
        """How many were deleted here, and not by somebody else."""
        wanted = [checked_id(id) for id in ids]
        with explained():
            files = await self._grid.find_many(wanted)
            if not files:
                return 0
            keys = [file.key for file in files]
            await self._writes.mark_removed(*keys)
            deleted = await self._grid.remove_documents(self._grid.files, keys)
            for file in files:
                await self._grid.remove_chunks_of(file)
            await self._writes.forget(*keys)
        if deleted == len(files):
            self._space.removed(len(files), sum(file.size_bytes for file in files))
        else:  # by somebody else, or by us with an answer that was lost
            self._space.changed()
        return deleted

    async def list(self) -> AsyncGenerator[StoredFile, None]:
        with explained():
            async for document in self._grid.files.find():
                yield GridFile.of(document).stored

    async def use(self) -> StorageUse:
        with explained():
            return await self._space.use()

    async def free_bytes(self, enough: int) -> int | None:  # noqa: ARG002 - its sums are kept at any rate
        return (await self.use()).free_bytes

    # ---- unfinished uploads -------------------------------------------------------------------------------

    async def append(self, upload_id: str, offset: int, chunks: AsyncIterator[bytes]) -> int:
        """A sender at the right offset takes over from one that still seems to send: that one gets Conflict."""
        checked_id(upload_id)
        with explained(f"upload {upload_id!r}"):
            upload = await self._uploads.take_over(upload_id, offset)
            if upload.is_sealed:
                return await _nothing_more(upload, chunks)
            sending = Sending(
                self._grid, upload, lambda size_bytes: self._space.stored(upload.sender, size_bytes, files=0)
            )
            running = self._sums.take(upload.key, offset)
            cutting = Chunking(
                upload.key, upload.chunk_bytes, sending.insert, first=upload.whole_chunks, rest=upload.tail
            )
            try:
                async with cutting:
                    try:
                        async for chunk in chunks:
                            await self._space.take(upload_id, upload.sender, len(chunk))
                            if running is not None:
                                running.add(chunk)
                            await cutting.add(chunk)
                    finally:
                        # Also after a broken connection: what has arrived stays, and the sender goes on from there.
                        await to_the_end(self._keep(cutting, sending))
            finally:
                self._space.end(upload.sender)
                if running is not None and running.length_bytes == sending.length_bytes:
                    self._sums.keep(upload.key, running)
            return sending.length_bytes

    async def length(self, upload_id: str) -> int:
        with explained():
            return await self._uploads.length(checked_id(upload_id))

    async def complete(self, upload_id: str, id: str) -> StoredFile:
        checked_id(upload_id)
        checked_id(id)
        completion = Completion(self._grid, self._writes, self._uploads, self._sums, self._threads)
        try:
            with explained(f"file {id!r}"):
                return await completion.run(upload_id, id)
        finally:
            self._space.changed()

    async def discard(self, upload_id: str) -> None:
        checked_id(upload_id)
        with explained():
            upload = await self._uploads.find(upload_id)
            if upload is None:
                return
            self._sums.forget(upload.key)
            await self._writes.mark_removed(upload.key)
            if await self._grid.has_file(upload.key):
                # A crash came after it was completed.
                await self._uploads.remove(upload)
                await self._writes.forget(upload.key)
                return
            await self._uploads.remove(upload)
            self._space.changed()
            # The mark stays until the sweep looks again: a sender may just have been storing a batch.
            await self._grid.remove_chunks(upload.key)

    # ---- inside -------------------------------------------------------------------------------------------

    async def sweep(self) -> int:
        """Remove what dead processes left unfinished; how many files. Any number of processes may do it."""
        with explained():
            return await self._writes.sweep(self._stale_after)

    async def _sweep_hourly(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 - whatever the server says, the next sweep comes in its turn
                _log.warning("what unfinished writes left is swept later: %s", error, exc_info=error)

    async def _existing(self, id: str) -> GridFile:
        file = await self._grid.find(id)
        if file is None:
            raise NotFound(f"there is no file {id!r}: it may have been deleted")
        return file

    async def _put(self, id: str, chunks: AsyncIterator[bytes]) -> StoredFile:
        digest = hashlib.sha256()

        async def update(data: bytes) -> None:
            await self._threads.run(digest.update, data)

        async def insert(pieces: list[Chunk]) -> None:
            if pieces[0]["n"] == 0 and len(pieces) > 1:  # it may go on for gigabytes
                await self._require_free(id)
            await write.insert(pieces)

        async with self._writes.writing(id) as write:
            try:
                async with Chunking(write.key, CHUNK_BYTES, insert, update=update) as cutting:
                    async for chunk in chunks:
                        await self._space.take(id, write.key, len(chunk))
                        await cutting.add(chunk)
                    await cutting.store_all()
                stored = await write.publish(digest.hexdigest())
                self._space.stored(write.key, stored.size_bytes, files=1)
            finally:
                self._space.end(write.key)
        return stored

    async def _copy(self, source: GridFile, new_id: str) -> StoredFile:
        """Chunk by chunk: what makes copies inside the server ($merge) is not allowed everywhere, and is one operation
        without an end in sight."""
        first = 0
        async with self._writes.writing(new_id) as write:
            try:
                await self._space.take(new_id, write.key, source.size_bytes)
                async with aclosing(read_windows(self._grid, source)) as windows:
                    async for window in windows:
                        await write.insert(chunks_of(write.key, first, window))
                        first += len(window)
                stored = await write.publish(source.sha256)
                self._space.stored(write.key, stored.size_bytes, files=1)
            finally:
                self._space.end(write.key)
        return stored

    async def _require_free(self, id: str) -> None:
        """That the id is taken once is decided at the end."""
        if await self._grid.find(id) is not None:
            raise AlreadyExists(f"file {id!r} is stored already")

    async def _keep(self, cutting: Chunking, sending: Sending) -> None:
        if not cutting.broken:
            await sending.keep_tail(await cutting.store_whole_chunks())


async def _nothing_more(upload: Upload, chunks: AsyncIterator[bytes]) -> int:
    async for chunk in chunks:
        if chunk:
            raise Conflict(f"upload {upload.id!r} is being completed: nothing can be added to it")
    return upload.length_bytes
