"""A queue used as a small table: everything in it is read under a lock, some of it is replaced, the rest stays."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from video_manager.adapters.cluster.broker_address import BrokerAddress
from video_manager.adapters.cluster.broker_answers import ANSWER_SECONDS, answering
from video_manager.adapters.cluster.broker_link import close_quietly
from video_manager.adapters.cluster.broker_lock import locked
from video_manager.adapters.cluster.publisher import Outgoing, Publisher

MOST_ROWS = 20_000
"""More are not looked at; those that wait longest come first."""

_MARK = "end-mark"
_MARK_SECONDS = 60.0


class BrokerTable:
    """`queue` holds the rows; the lock is named after it."""

    def __init__(self, address: BrokerAddress, publisher: Publisher, queue: str) -> None:
        self._address = address
        self._publisher = publisher
        self._queue = queue

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[list[AbstractIncomingMessage]]:
        """All rows, oldest first; those not acknowledged inside are put back. Raises Unavailable."""
        async with locked(self._address, f"{self._queue}.lock") as connection:
            with self._address.permission():
                async with answering(f"reading {self._queue}"):
                    channel = await connection.channel(publisher_confirms=False)
                    messages = await self._read(channel)
            yield messages
            await close_quietly(channel)  # the rows are back before the next one gets the lock

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
