"""A bus and bare clients for the tests of RabbitMQ. Each bus has a prefix of its own, so that tests share a server."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractChannel

from video_manager.adapters.backoff import Backoff
from video_manager.adapters.cluster.bus import RabbitBus
from video_manager.ports import DeadLetter

QUICK = Backoff(0.02, 0.2)


def new_prefix() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


def rabbit(url: str, prefix: str, *, connect_seconds: float = 10, drain_seconds: float = 10) -> RabbitBus:
    return RabbitBus(url, QUICK, connect_seconds=connect_seconds, drain_seconds=drain_seconds, prefix=prefix)


@asynccontextmanager
async def opened(url: str, prefix: str) -> AsyncIterator[RabbitBus]:
    bus = rabbit(url, prefix)
    await bus.open()
    try:
        yield bus
    finally:
        await bus.close()


@asynccontextmanager
async def bare_channel(url: str) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        yield channel


async def letters(bus: RabbitBus, count: int = 1) -> list[DeadLetter]:
    """Wait until there are so many dead letters."""
    for _ in range(300):
        if len(found := await bus.dead_letters()) >= count:
            assert len(found) == count
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"waited in vain for {count} dead letters")


async def eventually(holds: Callable[[], Awaitable[bool]], timeout_seconds: float = 30) -> None:
    async with asyncio.timeout(timeout_seconds):
        while not await holds():  # noqa: ASYNC110 - nobody can set an event: it is asked over the network
            await asyncio.sleep(0.02)
