"""Streams of bytes for the suite."""

import random
from collections.abc import AsyncIterator

from video_manager.ports import FileStore


def content(seed: int | str, size_bytes: int) -> bytes:
    """The same seed gives the same bytes."""
    return random.Random(seed).randbytes(size_bytes)


async def stream(data: bytes, chunk_bytes: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), chunk_bytes):
        yield data[start : start + chunk_bytes]


class Broken(Exception):
    """The connection of a sender is gone."""


async def broken_stream(data: bytes, chunk_bytes: int = 100_000) -> AsyncIterator[bytes]:
    """All of `data`, then the connection breaks."""
    async for chunk in stream(data, chunk_bytes):
        yield chunk
    raise Broken


async def whole(files: FileStore, id: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in files.read(id, start, end)])
