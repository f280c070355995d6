"""Local files, on their way into the store and out of it."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from io import FileIO
from pathlib import Path

from video_manager.adapters.cluster.grid_layout import GridFile
from video_manager.adapters.cluster.threads import Threads
from video_manager.adapters.disk import full_disk_named, open_for_reading
from video_manager.errors import PermanentError

_READ_BYTES = 1 << 20


async def chunks_of_path(path: Path, threads: Threads) -> AsyncGenerator[bytes, None]:
    file = await threads.run(open_for_reading, path)
    try:
        while chunk := await threads.run(file.read, _READ_BYTES):
            yield chunk
    finally:
        file.close()


async def write_local(windows: AsyncIterator[Sequence[bytes]], target: Path, file: GridFile, threads: Threads) -> None:
    """`target` becomes a read-only copy, replacing what was there, once all of it has come and its checksum is right.
    Raises StorageFull, PermanentError."""
    partial = target.with_name(f".{target.name}.partial")
    digest = hashlib.sha256()
    with full_disk_named(f"a working copy of file {file.id!r}"):
        output = await threads.run(_open_for_writing, partial)
        try:
            async for window in windows:
                await threads.run(_write, output, window, digest.update)
            output.close()
            _require(file, digest.hexdigest())
            await threads.run(_finish, partial, target)
        except BaseException:
            await threads.run(partial.unlink, missing_ok=True)
            raise
        finally:
            output.close()


def _require(file: GridFile, sha256: str) -> None:
    if file.sha256 not in ("", sha256):
        raise PermanentError(
            f"file {file.id!r} is damaged: its bytes do not have the checksum with which they were stored; restore it "
            "from a backup, or make the video again"
        )


def _open_for_writing(path: Path) -> FileIO:
    return path.open("wb", buffering=0)


def _write(output: FileIO, chunks: Sequence[bytes], update: Callable[[bytes], None]) -> None:
    for chunk in chunks:
        update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[output.write(view) :]


def _finish(partial: Path, target: Path) -> None:
    partial.chmod(0o444)
    partial.replace(target)
