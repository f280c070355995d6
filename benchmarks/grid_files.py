"""Video files in GridFS, with the raw driver beside them in the same run.

    PYTHONPATH=src python benchmarks/grid_files.py MONGODB_URL [MEGABYTES] [ROUNDS]

MONGODB_URL names a server, without a database: one of its own is made and dropped. MEGABYTES is the size of the file
(default 500); servers keep many times of it on their disk for a while. Each rate is the middle one of so many ROUNDS
(default 3): other programs on the same machine move them.
"""

import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import pymongo
from bson import ObjectId
from gridfs.asynchronous import AsyncGridFSBucket

from video_manager.adapters.cluster.files import GridFiles
from video_manager.adapters.cluster.grid_layout import CHUNK_BYTES
from video_manager.adapters.cluster.mongo import MongoConnection

MEBIBYTE = 1 << 20
RANGES = 100
"""A round."""
_DROP_SECONDS = 600.0


def show(name: str, value: float, unit: str) -> None:
    print(f"{name:<64}{value:>10,.1f} {unit}", flush=True)


class Bench:
    def __init__(self, connection: MongoConnection, megabytes: int, rounds: int) -> None:
        self.files = GridFiles(connection)
        self.connection = connection
        self.size_bytes = megabytes * MEBIBYTE
        self.rounds = rounds
        self.piece = os.urandom(MEBIBYTE)
        self.key: ObjectId | None = None

    @property
    def bucket(self) -> AsyncGridFSBucket:
        return AsyncGridFSBucket(self.connection.database, bucket_name="raw")

    async def stream(self) -> AsyncIterator[bytes]:
        for _ in range(self.size_bytes // MEBIBYTE):
            yield self.piece

    # ---- writing

    async def put(self) -> None:
        await self.files.put(uuid4().hex, self.stream())

    async def append(self) -> None:
        await self.files.append(uuid4().hex, 0, self.stream())

    async def write_by_driver(self) -> None:
        async with self.bucket.open_upload_stream("raw") as file:
            async for piece in self.stream():
                await file.write(piece)

    async def insert_bare_chunks(self) -> None:
        """One batch of 16 after the other, no checksum: what the server takes."""
        chunks, key, data = self.connection.database["bare.chunks"], ObjectId(), self.piece[:CHUNK_BYTES]
        for first in range(0, self.size_bytes // CHUNK_BYTES, 16):
            await chunks.insert_many([{"files_id": key, "n": first + n, "data": data} for n in range(16)])

    # ---- reading

    async def read(self) -> None:
        size_bytes = sum([len(chunk) async for chunk in self.files.read("video")])
        assert size_bytes == self.size_bytes  # noqa: S101 - a figure of work that was not done is worth nothing

    async def read_by_driver(self) -> None:
        database = self.connection.database
        async with await AsyncGridFSBucket(database).open_download_stream_by_name("video") as file:
            while await file.read(MEBIBYTE):
                pass

    async def read_bare_chunks(self) -> None:
        async for _ in self.connection.database["fs.chunks"].find({"files_id": self.key}).sort("n", 1):
            pass

    async def read_range(self, start: int) -> None:
        async for _ in self.files.read("video", start, start + MEBIBYTE):
            pass

    async def read_bare_range(self, start: int) -> None:
        """The chunks alone, by one query, their file already known."""
        first, last = start // CHUNK_BYTES, (start + MEBIBYTE - 1) // CHUNK_BYTES
        query = {"files_id": self.key, "n": {"$gte": first, "$lte": last}}
        await self.connection.database["fs.chunks"].find(query).sort("n", 1).to_list()

    async def find_key(self) -> None:
        stored = await self.connection.database["fs.files"].find_one({"filename": "video"})
        assert stored is not None  # noqa: S101 - as above
        self.key = stored["_id"]


async def compare(bench: Bench, works: dict[str, Callable[[], Awaitable[None]]]) -> None:
    """By turns, so that what disturbs one disturbs all."""
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(bench.rounds):
        for name, work in works.items():
            start = time.perf_counter()
            await work()
            rates[name].append(bench.size_bytes / 1e6 / (time.perf_counter() - start))
    for name, found in rates.items():
        show(name, statistics.median(found), "MB/s")


async def compare_ranges(bench: Bench) -> None:
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(RANGES * bench.rounds):
        for work, seconds in ((bench.read_range, ours), (bench.read_bare_range, bare)):
            offset = random.randrange(bench.size_bytes - MEBIBYTE)  # noqa: S311 - no secret
            start = time.perf_counter()
            await work(offset)
            seconds.append(time.perf_counter() - start)
    for name, seconds in (("read", ours), ("bare query", bare)):
        cuts = statistics.quantiles(seconds, n=100)
        show(f"1 MiB at a random offset, {name}: p50", cuts[49] * 1000, "ms")
        show(f"1 MiB at a random offset, {name}: p95", cuts[94] * 1000, "ms")


async def measure(url: str, megabytes: int, rounds: int) -> None:
    base, _, options = url.partition("?")
    connection = MongoConnection(f"{base.rstrip('/')}/vm_bench_{uuid4().hex[:8]}?{options}")
    bench = Bench(connection, megabytes, rounds)
    await bench.files.open()
    try:
        await bench.files.put("video", bench.stream())
        await bench.find_key()
        print(f"file of {megabytes} MiB, chunks of {CHUNK_BYTES // 1024} KiB, middle of {rounds}")
        await compare(bench, {"write: put (sha256)": bench.put, "write: append to an upload": bench.append,
                              "write: AsyncGridFSBucket": bench.write_by_driver,
                              "write: insert_many of bare chunks": bench.insert_bare_chunks})  # fmt: skip
        await compare(bench, {"read: read": bench.read, "read: GridOut.read": bench.read_by_driver,
                              "read: cursor over bare chunks": bench.read_bare_chunks})  # fmt: skip
        await compare_ranges(bench)
    finally:
        with pymongo.timeout(_DROP_SECONDS):
            await connection.database.client.drop_database(connection.database.name)
        await bench.files.close()


def main() -> None:
    url, megabytes, rounds = [*sys.argv[1:], *("500", "3")[len(sys.argv) - 2 :]]
    asyncio.run(measure(url, int(megabytes), int(rounds)))


if __name__ == "__main__":
    main()
