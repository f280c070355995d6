"""Reads chunks by bounded ranges of their numbers: a cursor without an upper bound (GridOut.seek opens one) makes the
server read ahead to the end of the file."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from pymongo import ASCENDING

from video_manager.adapters.cluster.grid_layout import Grid, GridFile
from video_manager.errors import NotFound, PermanentError

_FIRST_WINDOW_CHUNKS = 4
_WINDOW_CHUNKS = 8
"""Of 255 KiB: 2 MiB a query; less at first, so that a player has its first bytes early."""
_AHEAD = 2
"""Windows asked for while one is handed out: 6 MiB of memory a reader."""
_PATIENCE_SECONDS = 5.0


class ChunkMissing(Exception):
    """Chunk `n` is not there, or has a wrong size: the file was deleted meanwhile, or is damaged."""

    def __init__(self, n: int) -> None:
        super().__init__(f"chunk {n}")
        self.n = n


async def read_windows(
    grid: Grid, file: GridFile, first: int = 0, last: int | None = None
) -> AsyncGenerator[list[bytes], None]:
    """The chunks first..last (inclusive; default: all), some at once. Raises ChunkMissing."""
    last = file.chunks - 1 if last is None else last
    pending: deque[asyncio.Task[list[bytes]]] = deque()
    ask, size = first, _FIRST_WINDOW_CHUNKS
    try:
        while True:
            while ask <= last and len(pending) <= _AHEAD:
                upto = min(ask + size - 1, last)
                pending.append(asyncio.create_task(_window(grid, file, ask, upto)))
                ask, size = upto + 1, _WINDOW_CHUNKS
            if not pending:
                return
            await asyncio.wait([pending[0]])
            yield pending.popleft().result()
    finally:
        await _end(pending)


async def read_range(grid: Grid, file: GridFile, start: int, end: int) -> AsyncGenerator[bytes, None]:
    """Bytes start..end, end exclusive and within the file. Raises ChunkMissing."""
    if start >= end:
        return
    n, size = start // file.chunk_bytes, file.chunk_bytes
    windows = read_windows(grid, file, n, (end - 1) // size)
    try:
        async for window in windows:
            for chunk in window:
                if n * size >= start and (n + 1) * size <= end:
                    yield chunk
                else:
                    yield chunk[max(start - n * size, 0) : end - n * size]
                n += 1
    finally:
        await windows.aclose()  # not left to chance: it waits for the answers under way


async def damaged(grid: Grid, file: GridFile, missing: ChunkMissing) -> NotFound | PermanentError:
    """The error to raise for a missing chunk."""
    if not await grid.has_file(file.key):
        return NotFound(f"there is no file {file.id!r} any more: it was deleted meanwhile")
    return PermanentError(
        f"file {file.id!r} is damaged: chunk {missing.n} of {file.chunks} (from byte {missing.n * file.chunk_bytes}) "
        "is not in the database, or has a wrong size; restore it from a backup, or make the video again"
    )


async def _window(grid: Grid, file: GridFile, first: int, last: int) -> list[bytes]:
    query = {"files_id": file.key, "n": {"$gte": first, "$lte": last}}
    found = await grid.chunks.find(query, {"_id": 0, "n": 1, "data": 1}).sort("n", ASCENDING).to_list()
    chunks = {chunk["n"]: chunk["data"] for chunk in found}
    for n in range(first, last + 1):
        if len(chunks.get(n, b"")) != file.size_of(n):
            raise ChunkMissing(n)
    return list(chunks.values())


async def _end(pending: deque[asyncio.Task[list[bytes]]]) -> None:
    """Players break off many reads. The answers under way are waited for: breaking off a query closes its connection,
    and a new one costs more than the bytes."""
    if not pending:
        return
    _, late = await asyncio.wait(pending, timeout=_PATIENCE_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
