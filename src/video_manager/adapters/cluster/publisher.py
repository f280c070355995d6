"""Publishing with confirms: many at once, and nothing is taken for sent that the broker has not confirmed."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, HeadersType
from aio_pika.exceptions import DeliveryError, PublishError
from aiormq import Channel

from video_manager.adapters.cluster.broker_address import BrokerAddress
from video_manager.adapters.cluster.broker_answers import answering
from video_manager.adapters.cluster.broker_link import BrokerLink
from video_manager.contracts.envelope import Envelope
from video_manager.errors import PermanentError, Unavailable

IN_FLIGHT = 500
"""Messages sent before the confirm of the first is waited for."""

LARGEST_BYTES = 8 << 20
"""RabbitMQ 4 takes 16 MiB; a larger message would close the channel, and fail what is sent beside it."""

_LONGEST_NAME_BYTES = 255
_LAST_WORDS_SECONDS = 0.2
"""For the driver to tell those that wait why the channel was closed."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outgoing:
    """`must_arrive`: without a queue that takes it, sending it raises Unroutable."""

    exchange: str
    routing_key: str
    message: Message
    must_arrive: bool = True


class Unroutable(Exception):
    """No queue takes this message."""

    def __init__(self, outgoing: Outgoing) -> None:
        super().__init__(outgoing.routing_key)
        self.outgoing = outgoing


class Publisher:
    """All confirmed publishing of a process, over one channel that is made again whenever it was closed."""

    def __init__(self, link: BrokerLink, address: BrokerAddress) -> None:
        self._link = link
        self._address = address
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self._sending: dict[str, asyncio.Task[None]] = {}

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """In this order, and all confirmed when it returns. Raises Unavailable, or Unroutable for the first that
        nobody takes; the others of its group may have been sent."""
        for start in range(0, len(messages), IN_FLIGHT):
            await self._send_group(messages[start : start + IN_FLIGHT])

    async def _send_group(self, group: Sequence[Outgoing]) -> None:
        tasks: list[asyncio.Task[None]] = []
        try:
            with self._address.permission():
                async with answering(f"publishing {len(group)} messages"):
                    channel = await self._open_channel()
                    # Each in a task of its own: the driver cancels what waits on a lost connection.
                    tasks = [asyncio.create_task(self._send(channel, one)) for one in group]
                    await self._finish(channel, tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _finish(self, channel: AbstractChannel, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Wait for all; raise an error of one, rather than that of a message that nobody takes. A lost connection ends
        it at once: what the driver has not yet sent would wait for a writer that is gone."""
        all_done: asyncio.Future[Any] = asyncio.gather(*tasks, return_exceptions=True)
        closed: asyncio.Future[Any] = asyncio.ensure_future(channel.closed())
        try:
            await asyncio.wait({all_done, closed}, return_when=asyncio.FIRST_COMPLETED)
            if not all_done.done():
                await asyncio.wait({all_done}, timeout=_LAST_WORDS_SECONDS)
        finally:
            closed.cancel()
        if any(not task.done() or task.cancelled() for task in tasks):
            raise Unavailable("the connection to RabbitMQ was lost while publishing")
        errors = [error for task in tasks if (error := task.exception()) is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, Unroutable)):
            raise error

    async def _send(self, channel: AbstractChannel, outgoing: Outgoing) -> None:
        """The driver finds the message that was returned by its id. Two of one id at once would be mistaken for each
        other, and the one that nobody takes could count as sent: the second waits for the first."""
        id = outgoing.message.message_id or ""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for mypy: this is a coroutine
        while (other := self._sending.get(id)) is not None:
            await asyncio.wait({other})
        self._sending[id] = task
        try:
            # Below the exchange object, whose publish waits for the socket before it lets the next message go.
            below = await channel.get_underlay_channel()
            assert isinstance(below, Channel)  # noqa: S101 - for mypy: `wait` is not in its abstract class
            await below.basic_publish(
                outgoing.message.body, exchange=outgoing.exchange, routing_key=outgoing.routing_key,
                properties=outgoing.message.properties, mandatory=outgoing.must_arrive, wait=False,
            )  # fmt: skip
        except PublishError as error:
            raise Unroutable(outgoing) from error
        except DeliveryError as error:
            raise Unavailable(f"RabbitMQ did not accept a message for {outgoing.routing_key!r}") from error
        finally:
            del self._sending[id]

    async def _open_channel(self) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._link.channel(confirms=True)
            return self._channel


def message_of(envelope: Envelope) -> Message:
    """Raises PermanentError for what no broker takes."""
    body = envelope.model_dump_json().encode()
    if len(body) > LARGEST_BYTES or len(envelope.type.encode()) > _LONGEST_NAME_BYTES:
        raise PermanentError(
            f"message {envelope.id[:80]} ({envelope.type[:80]}) is too large for RabbitMQ: "
            f"{len(body)} bytes, of which {LARGEST_BYTES} may be sent"
        )
    short = len(envelope.id.encode()) <= _LONGEST_NAME_BYTES
    return persistent(
        body, message_id=envelope.id if short else None, type=envelope.type, priority=envelope.priority,
    )  # fmt: skip


def persistent(
    body: bytes, *, message_id: str | None, type: str | None, priority: int | None, headers: HeadersType | None = None
) -> Message:
    """JSON that survives a restart of the broker."""
    return Message(
        body, content_type="application/json", delivery_mode=DeliveryMode.PERSISTENT, message_id=message_id,
        type=type, priority=priority, headers=headers,
    )  # fmt: skip
