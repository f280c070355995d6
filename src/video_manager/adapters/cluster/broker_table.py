"""A queue used as a small table: everything in it is read under a lock, some of it is replaced, the rest stays."""

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aiormq.exceptions import ChannelLockedResource

from video_manager.adapters.cluster.broker_address import BrokerAddress
from video_manager.adapters.cluster.broker_answers import ANSWER_SECONDS, answering
from video_manager.adapters.cluster.broker_link import close_quietly, connected
from video_manager.adapters.cluster.publisher import Outgoing, Publisher
from video_manager.errors import Unavailable

MOST_ROWS = 20_000
"""More are not looked at; those that wait longest come first."""

_LOCK_SECONDS = 20.0
_MARK = "end-mark"
_MARK_SECONDS = 60.0


class BrokerTable:
    """`queue` holds the rows; an exclusive queue beside it is the lock, which the broker frees with the connection."""

    def __init__(self, address: BrokerAddress, publisher: Publisher, queue: str) -> None:
        self._address = address
        self._publisher = publisher
        self._queue = queue
        self._lock = f"{queue}.lock"

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[list[AbstractIncomingMessage]]:
        """All rows, oldest first; those not acknowledged inside are put back. Raises Unavailable.

        On a connection of its own: a lock belongs to a connection, and whatever happens it is freed with it."""
        connection = await connected(self._address, f"table {self._queue}")
        try:
            lock = await self._locked(connection)
            with self._address.permission():
                async with answering(f"reading {self._queue}"):
                    rows = await connection.channel(publisher_confirms=False)
                    messages = await self._read(rows)
            yield messages
            # In this order: the rows are back before the next one gets the lock.
            await close_quietly(rows)
            await close_quietly(lock)
        finally:
            await close_quietly(connection)

    async def _locked(self, connection: AbstractConnection) -> AbstractChannel:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            with self._address.permission():
                async with answering(f"locking {self._queue}"):
                    channel = await connection.channel(publisher_confirms=False)
                    try:
                        await channel.declare_queue(self._lock, exclusive=True, arguments={"x-queue-type": "classic"})
                    except ChannelLockedResource:
                        pass  # the broker has closed the channel
                    else:
                        return channel
            if time.monotonic() > deadline:
                raise Unavailable(f"{self._queue} on RabbitMQ is locked by another process; try again")
            await asyncio.sleep(random.uniform(0.01, 0.05))  # noqa: S311 - no secret

    async def _read(self, channel: AbstractChannel) -> list[AbstractIncomingMessage]:
        """Up to a mark that is put behind the last row: the broker does not say when a consumer has everything."""
        await channel.set_qos(prefetch_count=MOST_ROWS + 1)
        arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        mark = Message(b"", type=_MARK, message_id=uuid.uuid4().hex, expiration=_MARK_SECONDS)
        await self._publisher.send([Outgoing("", self._queue, mark)])
        queue = await channel.get_queue(self._queue, ensure=False)
        tag = await queue.consume(arrived.put)
        rows: list[AbstractIncomingMessage] = []
        while len(rows) < MOST_ROWS:
            message = await asyncio.wait_for(arrived.get(), ANSWER_SECONDS)
            if message.type != _MARK:
                rows.append(message)
                continue
            await message.ack()
            if message.message_id == mark.message_id:
                break
        await queue.cancel(tag)
        return rows
