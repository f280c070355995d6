"""A lock that one process holds at a time, kept by the broker."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import ChannelLockedResource

from video_manager.adapters.cluster.broker_address import BrokerAddress
from video_manager.adapters.cluster.broker_answers import answering
from video_manager.adapters.cluster.broker_link import close_quietly, connected
from video_manager.errors import Unavailable

_LOCK_SECONDS = 20.0


@asynccontextmanager
async def locked(address: BrokerAddress, name: str) -> AsyncIterator[AbstractConnection]:
    """Holds an exclusive queue of this name. On a connection of its own, which the holder may use: a lock belongs to a
    connection, and whatever happens the broker frees it with that. Raises Unavailable when another holds it too long.
    """
    connection = await connected(address, f"lock {name}")
    try:
        lock = await _taken(connection, address, name)
        yield connection
        await close_quietly(lock)
    finally:
        await close_quietly(connection)


async def _taken(connection: AbstractConnection, address: BrokerAddress, name: str) -> AbstractChannel:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        with address.permission():
            async with answering(f"taking {name}"):
                channel = await connection.channel(publisher_confirms=False)
                try:
                    await channel.declare_queue(name, exclusive=True, arguments={"x-queue-type": "classic"})
                except ChannelLockedResource:
                    pass  # the broker has closed the channel
                else:
                    return channel
        if time.monotonic() > deadline:
            raise Unavailable(f"{name} on RabbitMQ is held by another process; try again")
        await asyncio.sleep(random.uniform(0.01, 0.05))  # noqa: S311 - no secret
