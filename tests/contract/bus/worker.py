"""Processes that publish or consume until they are killed."""

import asyncio
import sys

from tests.contract.bus.backends import BACKENDS
from tests.contract.messages import message

from video_manager.contracts.envelope import Envelope
from video_manager.errors import RetryableError
from video_manager.ports import Subscription

PREFETCH = 5


async def publish(backend: str, place: str, run: str) -> None:
    bus = BACKENDS[backend].connect(place)
    await bus.open()
    await bus.declare("q", ["version.created"])

    async def publish_many(task: int) -> None:
        for n in range(1_000_000):
            ids = [f"{run}-{task}-{n}-{part}" for part in range(2)]
            await bus.publish([message(id) for id in ids])
            print(*ids, flush=True)  # noqa: T201 - its parent reads it

    await asyncio.gather(*(publish_many(task) for task in range(3)))


async def consume(backend: str, place: str, run: str) -> None:
    bus = BACKENDS[backend].connect(place)
    await bus.open()
    failed: set[str] = set()

    async def handle(envelope: Envelope) -> None:
        if envelope.id.endswith("0") and envelope.id not in failed:
            failed.add(envelope.id)
            raise RetryableError("once")
        print(envelope.id, flush=True)  # noqa: T201
        await asyncio.sleep(0.002)

    await bus.consume(Subscription("q", ("version.created",), handle, prefetch=PREFETCH))
    print("started", run, flush=True)  # noqa: T201
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run({"publish": publish, "consume": consume}[sys.argv[1]](*sys.argv[2:]))
