"""Publishing with confirms: many at once, and nothing is taken for sent that the broker has not confirmed."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

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
        channel = await self._open_channel()
        with self._address.permission():
            async with answering(f"confirming {len(group)} messages"):
                # Each in a task of its own: the driver cancels what waits on a lost connection.
                results = await asyncio.gather(*(self._send(channel, one) for one in group), return_exceptions=True)
                errors = [result for result in results if isinstance(result, BaseException)]
                for error in sorted(errors, key=lambda error: isinstance(error, Unroutable)):
                    if isinstance(error, asyncio.CancelledError):
                        raise Unavailable("the connection to RabbitMQ was lost while publishing") from error
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
