"""Hints and live listening: what may be lost, and must hold up nobody."""

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from pydantic import ValidationError

from video_manager.adapters.cluster.broker_address import BrokerAddress
from video_manager.adapters.cluster.broker_answers import ANSWER_SECONDS, answering
from video_manager.adapters.cluster.broker_link import BrokerLink, close_quietly
from video_manager.adapters.cluster.topology import Topology
from video_manager.adapters.watchers import Watchers
from video_manager.contracts.envelope import Envelope
from video_manager.ports import Handler
from video_manager.tasks import end_tasks

BACKLOG = 1000
"""Hints that wait for the socket; then the oldest are lost."""

_RETRY_SECONDS = 1.0

_log = logging.getLogger(__name__)


class WatchQueue:
    """One exclusive queue for all watchers of this process, made again with each connection."""

    def __init__(self, topology: Topology, link: BrokerLink, address: BrokerAddress) -> None:
        self._topology = topology
        self._link = link
        self._address = address
        self._watchers = Watchers()
        self._types: list[str] = []
        self._changed = asyncio.Event()
        self._bound = 0
        self._progress = asyncio.Condition()
        self._loop: asyncio.Task[None] | None = None

    async def add(self, types: Sequence[str], handler: Handler) -> Callable[[], Awaitable[None]]:
        """Returns when the broker delivers; without a connection at once, and it delivers when there is one.

        Types stay bound when the last of their watchers stops: pages come and go, and theirs are few."""
        stop = self._watchers.add(types, handler)
        self._types += [type for type in dict.fromkeys(types) if type not in self._types]
        wanted = len(self._types)
        self._changed.set()
        if self._loop is None:
            self._loop = asyncio.create_task(self._keep_listening(), name="watch queue")
        try:
            async with asyncio.timeout(ANSWER_SECONDS if self._link.is_up else 0), self._progress:
                await self._progress.wait_for(lambda: self._bound >= wanted)
        except TimeoutError:
            _log.warning("watching begins when RabbitMQ at %s answers", self._address)
        return stop

    async def close(self) -> None:
        if self._loop is not None:
            await end_tasks([self._loop])
            self._loop = None
        await self._watchers.close()

    async def _keep_listening(self) -> None:
        while True:
            try:
                channel = await self._link.channel(patient=True)
                try:
                    await self._listen(channel)
                finally:
                    self._bound = 0
                    await close_quietly(channel)
            except Exception as error:  # noqa: BLE001 - whatever the broker does, listening must come back
                _log.warning("cannot watch, trying again: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _listen(self, channel: AbstractChannel) -> None:
        ended = asyncio.Event()

        def end(*_: object) -> None:
            ended.set()
            self._changed.set()

        channel.close_callbacks.add(end)
        (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(end)
        with self._address.permission():
            async with answering("making the queue of the watchers"):
                # A new name each time: the broker may not have noticed yet that the connection before is gone.
                name = await self._topology.declare_watch(channel, uuid.uuid4().hex)
                await (await channel.get_queue(name, ensure=False)).consume(self._deliver, no_ack=True)
        while not ended.is_set() and not channel.is_closed:
            self._changed.clear()
            new = self._types[self._bound :]
            with self._address.permission():
                async with answering("binding the queue of the watchers"):
                    await self._topology.bind_watch(channel, name, new)
            async with self._progress:
                self._bound += len(new)
                self._progress.notify_all()
            if len(self._types) == self._bound:
                await self._changed.wait()

    async def _deliver(self, message: AbstractIncomingMessage) -> None:
        try:
            envelope = Envelope.model_validate_json(message.body)
        except ValidationError as error:
            _log.warning("an unreadable message for watchers is ignored: %s", error)
            return
        self._watchers.tell(envelope)


class HintSender:
    """Sends hints without confirms, in a task of its own, while there is a connection."""

    def __init__(self, topology: Topology, link: BrokerLink) -> None:
        self._topology = topology
        self._link = link
        self._waiting: deque[Envelope] = deque(maxlen=BACKLOG)
        self._woken = asyncio.Event()
        self._loop = asyncio.create_task(self._keep_sending(), name="hints")

    def send(self, envelope: Envelope) -> None:
        self._waiting.append(envelope)
        self._woken.set()

    async def close(self) -> None:
        await end_tasks([self._loop])

    async def _keep_sending(self) -> None:
        while True:
            try:
                channel = await self._link.channel(patient=True)
                try:
                    while not channel.is_closed:
                        await self._woken.wait()
                        self._woken.clear()
                        await self._send_waiting(channel)
                finally:
                    await close_quietly(channel)
            except Exception as error:  # noqa: BLE001 - hints may be lost, sending them must not end
                _log.info("hints are lost: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _send_waiting(self, channel: AbstractChannel) -> None:
        exchange = await channel.get_exchange(self._topology.hints, ensure=False)
        while self._waiting:
            envelope = self._waiting.popleft()
            message = Message(
                envelope.model_dump_json().encode(), content_type="application/json", type=envelope.type,
                delivery_mode=DeliveryMode.NOT_PERSISTENT,
            )  # fmt: skip
            async with answering("sending hints"):
                await exchange.publish(message, envelope.type[:255], mandatory=False)
