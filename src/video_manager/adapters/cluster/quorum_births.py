"""Quorum queues that survive the death of the broker right after they were made.

The broker keeps the name of a new queue's log in memory for about a second (seen in 3.10.8 and 4.0.5). Dying within it,
it has the queue but no longer its log: what it had confirmed is lost. Whoever asks the queue for a message then never
gets an answer (3.10), or loses the whole connection (4.0).
"""

import logging
import uuid
from collections.abc import Awaitable, Callable

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity
from aiormq.exceptions import ConnectionInternalError

from video_manager.adapters.cluster.broker_address import BrokerAddress
from video_manager.adapters.cluster.broker_answers import answering
from video_manager.adapters.cluster.broker_link import close_quietly, connected
from video_manager.adapters.cluster.broker_lock import locked
from video_manager.errors import Unavailable

BIRTH_SECONDS = 40.0
"""How long a birth may take, the deletion of a stillborn queue included, which takes the broker 5 s."""
_PROBE_SECONDS = 3.0
_SPARE_MILLISECONDS = 60_000

_log = logging.getLogger(__name__)


async def give_birth(
    address: BrokerAddress, lock: str, queue: str, declare: Callable[[AbstractChannel], Awaitable[None]],
    is_done: Callable[[AbstractConnection], Awaitable[bool]] | None = None,
) -> None:  # fmt: skip
    """Make the queue with `declare`, one process at a time: of two that make a dead queue anew, one would delete what
    the other has just made, and leave a name that can never be declared again. For a queue that nothing is bound to
    yet, so that no message was ever in it: one that is dead is made anew. Nothing is left to do where `is_done` says,
    once it is our turn, that another process was first. Raises Unavailable."""
    async with locked(address, lock) as connection, answering(f"making queue {queue}", BIRTH_SECONDS):
        if is_done is not None and await is_done(connection):
            return
        channel = await connection.channel(publisher_confirms=False)
        await declare(channel)
        if await _is_dead(address, queue):
            _log.warning("queue %s does not answer since the broker died while it was made; it is made anew", queue)
            await channel.queue_delete(queue)
            await declare(channel)
        # Making another queue writes down the name of the one before.
        await channel.queue_delete(await _spare(channel, queue))
        await channel.close()


async def _is_dead(address: BrokerAddress, queue: str) -> bool:
    """Asked on a connection of its own, which a dead queue may end. Raises Unavailable when the broker answers too
    slowly to tell: a queue that lives, which another process has made meanwhile, must not be taken for dead."""
    connection = await connected(address, f"a look at {queue}")
    try:
        async with answering(f"looking at queue {queue}"):
            try:
                if await _answers(connection, queue):
                    return False
                await _check_speed(connection, queue)
            except ConnectionInternalError:
                pass  # 4.0, at once or some seconds later
    finally:
        await close_quietly(connection)
    return True


async def _check_speed(connection: AbstractConnection, queue: str) -> None:
    """Raises Unavailable when the broker does not even answer for a new queue."""
    channel = await connection.channel(publisher_confirms=False)
    spare = await _spare(channel, queue)
    if not await _answers(connection, spare):
        raise Unavailable(f"RabbitMQ is too slow to tell whether queue {queue} lives")
    await channel.queue_delete(spare)


async def _answers(connection: AbstractConnection, queue: str) -> bool:
    channel = await connection.channel(publisher_confirms=False)
    try:
        # A message goes back when the channel is closed.
        await (await channel.get_queue(queue, ensure=False)).get(fail=False, timeout=_PROBE_SECONDS)
    except TimeoutError:
        return False
    await channel.close()
    return True


async def _spare(channel: AbstractChannel, queue: str) -> str:
    """A new queue of no use but to be there for a moment. Its name was never used, so that nobody has left it dead."""
    name = f"{queue}.birth.{uuid.uuid4().hex}"
    await channel.declare_queue(
        name, durable=True, arguments={"x-queue-type": "quorum", "x-expires": _SPARE_MILLISECONDS}
    )
    return name


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
