"""Video files as plain files below one folder; the layout and its crash safety are in `file_layout`."""

import asyncio
import functools
import hashlib
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from video_manager.adapters.disk import full_disk_named, open_for_reading
from video_manager.adapters.embedded.file_layout import (
    CHUNK_BYTES,
    FileLayout,
    link_or_copy,
    same_file_system,
    sha256_of,
    sync_file,
)
from video_manager.adapters.embedded.open_upload import OpenUpload
from video_manager.adapters.file_ids import checked_id
from video_manager.errors import AlreadyExists, InvalidInput, NotFound, StorageFull
from video_manager.ports import StorageUse, StoredFile

THREADS = 8
_LIST_BATCH = 200

P = ParamSpec("P")
R = TypeVar("R")


class FolderFiles:
    """FileStore below `root`. `quota_bytes` limits what all files together may take, uploads included. So much as
    `keep_free_bytes` of the disk is never filled: the databases beside the files have to go on writing."""

    def __init__(self, root: Path, quota_bytes: int | None = None, keep_free_bytes: int = 0) -> None:
        self._layout = FileLayout(root)
        self._quota_bytes = quota_bytes
        self._keep_free_bytes = keep_free_bytes
        self._used_bytes = 0
        self._threads: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="files")
        with full_disk_named("the folders of the file store"):
            await self._blocking(self._layout.prepare)
        await self.use()

    async def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=True)
            self._threads = None

    async def put(self, id: str, chunks: AsyncIterator[bytes]) -> StoredFile:
        checked_id(id)
        with full_disk_named(f"file {id!r}"):
            descriptor, path = await self._blocking(self._layout.open_temporary)
            digest = hashlib.sha256()
            try:
                async for chunk in chunks:
                    await self._take_space(id, len(chunk))
                    await self._blocking(_write, descriptor, chunk, digest.update)
                await self._blocking(os.fsync, descriptor)
                return await self._blocking(self._layout.adopt, path, id, digest.hexdigest())
            except BaseException:
                self._used_bytes -= await self._blocking(_discard, path)
                raise
            finally:
                os.close(descriptor)

    async def put_path(self, id: str, path: Path) -> StoredFile:
        """Takes the file itself when it lies on the store's file system, else a copy of it."""
        checked_id(id)
        source = await self._blocking(path.resolve)
        if not await self._blocking(source.is_file):
            raise NotFound(f"{path} is no file: it cannot be stored as {id!r}")
        if not await self._blocking(same_file_system, source, self._layout.root):
            stored = await self.put(id, self._chunks_of(source))
            await self._blocking(source.unlink, missing_ok=True)
            return stored
        size_bytes = (await self._blocking(source.stat)).st_size
        await self._take_space(id, size_bytes, written_bytes=0)
        with full_disk_named(f"file {id!r}"):
            try:
                await self._blocking(sync_file, source)
                return await self._blocking(self._layout.adopt, source, id, await self._blocking(sha256_of, source))
            except BaseException:
                self._used_bytes -= size_bytes
                raise

    async def stat(self, id: str) -> StoredFile | None:
        checked_id(id)
        return await self._blocking(self._layout.stat, id)

    async def read(self, id: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        if start < 0 or (end is not None and end < start):
            raise InvalidInput.field("range", f"{start} to {end} is no range of bytes")
        path = self._layout.object_path(id)
        try:
            file = await self._blocking(open_for_reading, path)
        except FileNotFoundError as error:
            raise NotFound(f"there is no file {id!r}: it may have been deleted") from error
        try:
            position = start
            while end is None or position < end:
                size = CHUNK_BYTES if end is None else min(CHUNK_BYTES, end - position)
                chunk = await self._blocking(os.pread, file.fileno(), size, position)
                if not chunk:
                    break
                position += len(chunk)
                yield chunk
        finally:
            file.close()

    async def fetch(self, id: str, folder: Path, name: str) -> Path:
        target = folder / checked_id(name)
        with full_disk_named(f"a working copy of file {id!r}"):
            try:
                await self._blocking(link_or_copy, self._layout.object_path(id), target)
            except FileNotFoundError as error:
                raise NotFound(f"there is no file {id!r} to fetch into {folder}") from error
        return target

    async def copy(self, id: str, new_id: str) -> StoredFile:
        source, known = await self.stat(id), await self.stat(new_id)
        if source is None:
            raise NotFound(f"there is no file {id!r}: it cannot be copied to {new_id!r}")
        if known is not None:
            if known.sha256 == source.sha256:
                return known
            raise AlreadyExists(f"file {new_id!r} is stored already, with other bytes than {id!r}")
        with full_disk_named(f"file {new_id!r}"):
            shared = await self._blocking(self._layout.share, id, new_id)
        return shared if shared is not None else await self.put(new_id, self.read(id))

    async def delete(self, id: str) -> bool:
        freed_bytes = await self._blocking(self._layout.remove, id)
        if freed_bytes is None:
            return False
        self._used_bytes = max(0, self._used_bytes - freed_bytes)
        return True

    async def delete_many(self, ids: Collection[str]) -> None:
        for id in ids:
            await self.delete(id)

    async def list(self) -> AsyncIterator[StoredFile]:
        found = self._layout.listed()
        while batch := await self._blocking(list, itertools.islice(found, _LIST_BATCH)):
            for one in batch:
                yield one

    async def use(self) -> StorageUse:
        files, self._used_bytes = await self._blocking(self._layout.measure)
        return StorageUse(files, self._used_bytes, await self._free_bytes())

    async def free_bytes(self, enough: int) -> int:
        free = await self._free_bytes()
        if free >= enough or self._quota_bytes is None:
            return free
        return (await self.use()).free_bytes or 0  # counting while writing errs to the safe side

    async def _free_bytes(self) -> int:
        """By what is believed to be used."""
        free = (await self._blocking(shutil.disk_usage, self._layout.root)).free
        return free if self._quota_bytes is None else min(free, max(0, self._quota_bytes - self._used_bytes))

    async def append(self, upload_id: str, offset: int, chunks: AsyncIterator[bytes]) -> int:
        path = self._layout.upload_path(upload_id)
        with full_disk_named(f"upload {upload_id!r}"):
            upload = await self._blocking(OpenUpload, path, offset)
            try:
                async for chunk in chunks:
                    await self._take_space(upload_id, len(chunk))
                    await self._blocking(upload.write, chunk)
            finally:
                # Also after a broken connection: what has arrived stays, and the sender goes on from there.
                length = await self._blocking(upload.close)
        return length

    async def length(self, upload_id: str) -> int:
        path = self._layout.upload_path(upload_id)
        try:
            return (await self._blocking(path.stat)).st_size
        except FileNotFoundError:
            return 0

    async def complete(self, upload_id: str, id: str) -> StoredFile:
        path = self._layout.upload_path(upload_id)
        try:
            sha256 = await self._blocking(sha256_of, path)
            if await self.stat(id) is None:
                with full_disk_named(f"file {id!r}"):
                    await self._blocking(sync_file, path)
                    return await self._blocking(self._layout.adopt, path, id, sha256)
        except FileNotFoundError:
            sha256 = None
        except AlreadyExists:
            pass  # another connection was faster
        done = await self.stat(id)
        if done is None:
            raise NotFound(f"there is no upload {upload_id!r}: it was discarded, or never begun")
        if sha256 not in (None, done.sha256):
            raise AlreadyExists(f"file {id!r} is stored already, with other bytes than upload {upload_id!r}")
        # Left behind when a crash came between the new name and the removal of the old one.
        await self.discard(upload_id)
        return done

    async def discard(self, upload_id: str) -> None:
        path = self._layout.upload_path(upload_id)
        self._used_bytes -= await self._blocking(_discard, path)

    async def _chunks_of(self, path: Path) -> AsyncIterator[bytes]:
        file = await self._blocking(open_for_reading, path)
        try:
            while chunk := await self._blocking(file.read, CHUNK_BYTES):
                yield chunk
        finally:
            file.close()

    async def _take_space(self, what: str, size_bytes: int, written_bytes: int | None = None) -> None:
        """Raises StorageFull when the quota, or the disk, has no room left for so many bytes. `written_bytes` is how
        many of them are still to be written; default: all."""
        await self._require_free_disk(size_bytes if written_bytes is None else written_bytes)
        quota = self._quota_bytes
        if quota is not None and self._used_bytes + size_bytes > quota:
            # Counting while writing errs to the safe side (bytes with two names); measure before refusing.
            await self.use()
            if self._used_bytes + size_bytes > quota:
                raise StorageFull(
                    f"no space left for {what!r}: {self._used_bytes / 1e6:.1f} MB of the {quota / 1e6:.1f} MB that "
                    "videos may take are used; delete videos or raise the quota"
                )
        self._used_bytes += size_bytes

    async def _require_free_disk(self, size_bytes: int) -> None:
        if self._keep_free_bytes == 0:
            return
        free = (await self._blocking(shutil.disk_usage, self._layout.root)).free
        if free - size_bytes < self._keep_free_bytes:
            raise StorageFull(
                f"the disk is full: {free / 1e6:.1f} MB are free, and {self._keep_free_bytes / 1e6:.1f} MB have to "
                "stay free for the databases; delete videos or make room"
            )

    async def _blocking(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run in a thread. A cancelled caller waits for the thread first, so that nothing goes on behind its back with
        a descriptor that is about to be closed."""
        running = asyncio.get_running_loop().run_in_executor(
            self._threads, functools.partial(function, *args, **kwargs)
        )
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            raise


def _write(descriptor: int, chunk: bytes, update: Callable[[bytes], None]) -> None:
    update(chunk)
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _discard(path: Path) -> int:
    """Remove a file if it is there; how many bytes that frees."""
    try:
        size_bytes = path.stat().st_size
        path.unlink()
    except FileNotFoundError:
        return 0
    return size_bytes
