"""Cuts a stream into chunks of equal size and stores them in batches."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from video_manager.adapters.cluster.grid_layout import Chunk, chunks_of

_BATCH_CHUNKS = 16
"""Of 255 KiB: 4 MiB a round trip. More was not faster."""

Insert = Callable[[list[Chunk]], Awaitable[None]]
Update = Callable[[bytes], Awaitable[None]]


class Chunking:
    """While one batch is being stored the next is gathered, and no third: some 8 MiB of memory whatever the file.

    `insert` stores a batch; batches come in order, one at a time. `update` gets the bytes of each.
    Chunk number `first` begins with the bytes `rest`. Leaving the context waits for the batch under way.
    """

    def __init__(
        self, key: Any, chunk_bytes: int, insert: Insert, *, first: int = 0, rest: bytes = b"",
        update: Update | None = None,
    ) -> None:  # fmt: skip
        self._key = key
        self._chunk_bytes = chunk_bytes
        self._batch_bytes = chunk_bytes * _BATCH_CHUNKS
        self._insert = insert
        self._update = update
        self._next = first
        self._gathered = bytearray(rest)
        self._storing: asyncio.Task[None] | None = None
        self.broken = False
        """A batch could not be stored: what follows it must not be stored either."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._storing is not None:
            await asyncio.wait([self._storing])
            if kind is not None and not self._storing.cancelled():
                self._storing.exception()  # a consequence of the first error, or its cause
                self._storing = None
        await self._settle()

    async def add(self, data: bytes) -> None:
        """Raises what storing an earlier batch raised."""
        self._gathered += data
        while len(self._gathered) >= self._batch_bytes:
            await self._store(self._batch_bytes)

    async def store_whole_chunks(self) -> bytes:
        """Store all but the rest, too short for a chunk, which is returned."""
        await self._store(len(self._gathered) // self._chunk_bytes * self._chunk_bytes)
        await self._settle()
        return bytes(self._gathered)

    async def store_all(self) -> None:
        """Store everything; the last chunk may be short."""
        await self._store(len(self._gathered))
        await self._settle()

    async def _store(self, size_bytes: int) -> None:
        await self._settle()
        if self.broken:
            raise RuntimeError("a batch could not be stored: nothing behind it may be")
        if size_bytes == 0:
            return
        batch = bytes(memoryview(self._gathered)[:size_bytes])
        del self._gathered[:size_bytes]
        pieces = [batch[start : start + self._chunk_bytes] for start in range(0, size_bytes, self._chunk_bytes)]
        first, self._next = self._next, self._next + len(pieces)
        self._storing = asyncio.create_task(self._store_batch(batch, chunks_of(self._key, first, pieces)))

    async def _store_batch(self, batch: bytes, chunks: list[Chunk]) -> None:
        if self._update is None:
            await self._insert(chunks)
        else:
            await asyncio.gather(self._update(batch), self._insert(chunks))

    async def _settle(self) -> None:
        if self._storing is None:
            return
        await asyncio.wait([self._storing])  # unlike awaiting the task, being cancelled here does not cancel it
        storing, self._storing = self._storing, None
        try:
            storing.result()
        except BaseException:
            self.broken = True
            raise
