"""A process that stores files until it is killed, and prints each step after it was acknowledged."""

import asyncio
import sys

from tests.contract.files.backends import BACKENDS
from tests.contract.files.streams import content, stream

SIZE_BYTES = 1_500_000
PIECE_BYTES = 200_000


def data_of(id: str) -> bytes:
    return content(id.partition(".")[0], SIZE_BYTES)


async def write(backend: str, place: str, run: str) -> None:
    files = BACKENDS[backend].connect(place)
    await files.open()

    async def put_many() -> None:
        for n in range(1_000_000):
            id = f"put-{run}-{n}"
            await files.put(id, stream(data_of(id)))
            print("file", id, flush=True)  # noqa: T201 - its parent reads it
            await files.copy(id, f"{id}.copy")
            print("file", f"{id}.copy", flush=True)  # noqa: T201
            await files.delete(id)
            print("gone", id, flush=True)  # noqa: T201

    async def upload_many() -> None:
        for n in range(1_000_000):
            id = f"upload-{run}-{n}"
            data = data_of(id)
            for start in range(0, SIZE_BYTES, PIECE_BYTES):
                length = await files.append(id, start, stream(data[start : start + PIECE_BYTES], 30_000))
                print("piece", id, length, flush=True)  # noqa: T201
            await files.complete(id, id)
            print("file", id, flush=True)  # noqa: T201

    await asyncio.gather(put_many(), upload_many())


if __name__ == "__main__":
    asyncio.run(write(*sys.argv[1:]))
