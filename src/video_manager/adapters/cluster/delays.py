"""Delayed retries: a queue per length of delay, from which a message goes back to the queue that it failed in.

A time to live per message would not do: it is looked at only at the head of a queue, behind which shorter ones wait.
"""

import asyncio
from functools import partial

from aio_pika import Message
from aio_pika.abc import AbstractConnection

from video_manager.adapters.cluster.broker_address import BrokerAddress
from video_manager.adapters.cluster.broker_answers import answering
from video_manager.adapters.cluster.broker_link import BrokerLink, close_quietly
from video_manager.adapters.cluster.publisher import Outgoing, Publisher, Unroutable
from video_manager.adapters.cluster.quorum_births import exists, give_birth
from video_manager.adapters.cluster.topology import Topology
from video_manager.errors import Unavailable

_TRIES = 3


class Delays:
    def __init__(self, topology: Topology, link: BrokerLink, publisher: Publisher, address: BrokerAddress) -> None:
        self._topology = topology
        self._link = link
        self._publisher = publisher
        self._address = address
        self._declared: set[int] = set()
        self._declaring = asyncio.Lock()

    async def send(self, message: Message, queue: str, delay_seconds: float) -> None:
        """On the broker when it returns; in the queue (its whole name) after the delay. Raises Unavailable."""
        milliseconds = step_ms(delay_seconds)
        for _ in range(_TRIES):
            await self._declare(milliseconds)
            try:
                await self._publisher.send([Outgoing(self._topology.delay(milliseconds), queue, message)])
            except Unroutable:
                self._declared.discard(milliseconds)  # somebody has deleted the queue meanwhile
                continue
            except BaseException:
                # Perhaps because the exchange is gone, which closes the channel: then it is made again.
                self._declared.discard(milliseconds)
                raise
            return
        raise Unavailable(f"the queue for delays of {milliseconds} ms is deleted as soon as it is made")

    async def _declare(self, milliseconds: int) -> None:
        async with self._declaring:
            if milliseconds in self._declared:
                return
            connection = await self._link.connection()
            name = self._topology.delay(milliseconds)
            with self._address.permission():
                if not await _is_whole(name, connection):
                    declare = partial(self._topology.declare_delay, milliseconds=milliseconds)
                    await give_birth(self._address, self._topology.births, name, declare, partial(_is_whole, name))
                async with answering(f"making the queue of a delay of {milliseconds} ms"):
                    channel = await connection.channel(publisher_confirms=False)
                    await self._topology.declare_delay(channel, milliseconds)
                    await self._topology.bind_delay(channel, milliseconds)
                await close_quietly(channel)
            self._declared.add(milliseconds)


async def _is_whole(name: str, connection: AbstractConnection) -> bool:
    """The exchange comes last, but somebody may have deleted the queue alone."""
    return await exists(connection, exchange=name) and await exists(connection, queue=name)


def step_ms(delay_seconds: float) -> int:
    """The delay in milliseconds, rounded up to two steps an octave (512, 768, 1024, 1536 ...): few queues, and nothing
    comes back before its time."""
    milliseconds = max(1, round(delay_seconds * 1000))
    shift = max(0, milliseconds.bit_length() - 2)
    return -(-milliseconds >> shift) << shift
