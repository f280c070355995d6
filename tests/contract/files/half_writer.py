"""A process that stores the beginning of a file in GridFS, says so, and never goes on."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import timedelta

from tests.contract.files.backends import gridfs
from tests.contract.files.streams import content

from video_manager.adapters.cluster.grid_layout import CHUNK_BYTES


async def half() -> AsyncIterator[bytes]:
    for n in range(40):  # two batches of 16 and a half: the first one is stored then
        yield content(n, CHUNK_BYTES)
    print("half", flush=True)  # noqa: T201 - its parent reads it
    await asyncio.Event().wait()


async def write(place: str) -> None:
    files = gridfs(place, stale_after=timedelta(hours=1))
    await files.open()
    await files.put("half", half())


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1]))
