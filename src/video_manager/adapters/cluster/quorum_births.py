"""Quorum queues that survive the death of the broker right after they were made.

The broker keeps the name of a new queue's log in memory for about a second (seen in 3.10.8 and 4.0.5). Dying within it,
it has the queue but no longer its log: what it had confirmed is lost. The queue never answers again (3.10), or asking
it for a message ends the whole connection (4.0).
"""

import logging
from collections.abc import Awaitable, Callable

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity
from aiormq.exceptions import ConnectionInternalError

from video_manager.adapters.cluster.broker_answers import answering

BIRTH_SECONDS = 40.0
"""How long a birth may take, the deletion of a stillborn queue included, which takes the broker 5 s."""
_PROBE_SECONDS = 3.0

_log = logging.getLogger(__name__)


async def give_birth(
    connection: AbstractConnection, queue: str, declare: Callable[[AbstractChannel], Awaitable[None]],
    stillborn: set[str],
) -> None:  # fmt: skip
    """Make the queue with `declare`. For a queue that nothing is bound to yet, so that no message was ever in it: one
    that does not answer is made anew. One that takes the connection with it raises Unavailable and is noted in
    `stillborn`; the next call, on another connection, makes it anew."""
    async with answering(f"making queue {queue}", BIRTH_SECONDS):
        channel = await connection.channel(publisher_confirms=False)
        await declare(channel)
        if queue in stillborn or not await _answers(connection, queue, stillborn):
            _log.warning("queue %s does not answer since the broker died while it was made; it is made anew", queue)
            stillborn.add(queue)
            await channel.queue_delete(queue)
            await declare(channel)
            stillborn.discard(queue)
        # Making another queue writes down the name of the one before.
        spare = f"{queue}.birth"
        await channel.declare_queue(spare, durable=True, arguments={"x-queue-type": "quorum"})
        await channel.queue_delete(spare)
        await channel.close()


async def _answers(connection: AbstractConnection, queue: str, stillborn: set[str]) -> bool:
    channel = await connection.channel(publisher_confirms=False)
    try:
        await (await channel.get_queue(queue, ensure=False)).get(fail=False, timeout=_PROBE_SECONDS)
    except TimeoutError:
        return False
    except ConnectionInternalError:
        stillborn.add(queue)  # 4.0 may also say so later, to what comes after
        raise
    await channel.close()  # a message goes back
    return True


async def exists(connection: AbstractConnection, *, exchange: str = "", queue: str = "") -> bool:
    """On a channel of its own: the broker closes it when there is no such thing."""
    async with answering(f"looking for {exchange or queue}"):
        channel = await connection.channel(publisher_confirms=False)
        try:
            if exchange:
                await channel.get_exchange(exchange)
            else:
                await channel.get_queue(queue)
        except ChannelNotFoundEntity:
            return False
        await channel.close()
    return True
