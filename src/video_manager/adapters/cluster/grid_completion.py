"""Turns an upload into a file."""

import hashlib
from contextlib import aclosing
from dataclasses import replace

from pymongo.errors import DuplicateKeyError

from video_manager.adapters.cluster.grid_layout import Grid, GridFile
from video_manager.adapters.cluster.grid_reading import ChunkMissing, damaged, read_windows
from video_manager.adapters.cluster.grid_uploads import Upload, Uploads, sealed_file
from video_manager.adapters.cluster.grid_writes import Writes
from video_manager.adapters.cluster.running_sums import RunningSums
from video_manager.adapters.cluster.threads import Threads
from video_manager.errors import AlreadyExists, NotFound
from video_manager.ports import StoredFile


class Completion:
    """The chunks stay where they are: only their file's document is new. A crash anywhere leaves the upload, or the
    file, or both; doing it again goes on from there. Several may do it at once."""

    def __init__(self, grid: Grid, writes: Writes, uploads: Uploads, sums: RunningSums, threads: Threads) -> None:
        self._grid = grid
        self._writes = writes
        self._uploads = uploads
        self._sums = sums
        self._threads = threads

    async def run(self, upload_id: str, id: str) -> StoredFile:
        """Raises NotFound for an unknown upload, AlreadyExists when `id` has other bytes."""
        upload = await self._uploads.seal(upload_id)
        if upload is None:
            done = await self._grid.find(id)
            if done is None:
                raise _unknown(upload_id)
            return done.stored
        file = await sealed_file(self._grid, upload, id)
        done = await self._grid.find(id)
        if done is None or done.key != upload.key:
            file = replace(file, sha256=await self._sha256(upload, file))
            done = done or await self._publish(upload, file)
        if done.key == upload.key:
            await self._uploads.remove(upload)
        elif done.sha256 == file.sha256:
            await self._drop(upload)
        else:
            raise AlreadyExists(f"file {id!r} is stored already, with other bytes than upload {upload_id!r}")
        self._sums.forget(upload.key)
        return done.stored

    async def _publish(self, upload: Upload, file: GridFile) -> GridFile:
        """What lies under the id afterwards: this file, or another one."""
        try:
            await self._grid.files.insert_one(file.document)
        except DuplicateKeyError as error:
            done = await self._grid.find(file.id)
            if done is None:
                raise AlreadyExists(f"upload {upload.id!r} has become another file than {file.id!r}") from error
            return done
        if await self._writes.is_given_up(upload.key):
            await self._grid.files.delete_one({"_id": upload.key})
            await self._drop(upload)
            raise _unknown(upload.id)
        return file

    async def _drop(self, upload: Upload) -> None:
        await self._writes.mark_removed(upload.key)
        await self._uploads.remove(upload)
        await self._grid.remove_chunks(upload.key)

    async def _sha256(self, upload: Upload, file: GridFile) -> str:
        known = self._sums.take(upload.key, upload.length_bytes)
        if known is not None:
            self._sums.keep(upload.key, known)
            if await self._grid.chunks.count_documents({"files_id": upload.key}) == file.chunks:
                return known.sha256()
        digest = hashlib.sha256()
        try:
            async with aclosing(read_windows(self._grid, file)) as windows:
                async for window in windows:
                    for chunk in window:
                        await self._threads.run(digest.update, chunk)
        except ChunkMissing as error:
            if await self._uploads.find(upload.id) is None and not await self._grid.has_file(upload.key):
                raise _unknown(upload.id) from error
            raise await damaged(self._grid, file, error) from error
        return digest.hexdigest()


def _unknown(upload_id: str) -> NotFound:
    return NotFound(f"there is no upload {upload_id!r}: it was discarded, or never begun")
