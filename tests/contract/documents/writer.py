"""A process that writes until it is killed, and prints each write after it was acknowledged."""

import asyncio
import sys

from tests.contract.documents.backends import BACKENDS, THINGS
from tests.contract.messages import message

TASKS = 4


async def write(backend: str, place: str, run: str) -> None:
    store = BACKENDS[backend].connect(place)
    await store.open()
    await store.register(THINGS)

    async def write_many(task: int) -> None:
        for n in range(1_000_000):
            id = f"{run}-{task}-{n}"
            await store.insert("things", id, {"id": id, "n": 0}, outbox=[message(f"{id}-1")])
            print("inserted", id, flush=True)  # noqa: T201 - its parent reads it
            await store.replace("things", id, 1, {"id": id, "n": 1}, outbox=[message(f"{id}-2")], handled="h")
            print("replaced", id, flush=True)  # noqa: T201 - its parent reads it

    await asyncio.gather(*(write_many(task) for task in range(TASKS)))


if __name__ == "__main__":
    asyncio.run(write(*sys.argv[1:]))
