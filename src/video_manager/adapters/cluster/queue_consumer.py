"""Taking messages from one queue.

Handlers run in tasks of ours, not in the driver's callbacks: those it cancels when the connection is lost. A handler
that outlives its channel ends in peace; its message comes again, and handlers know the ids they have handled.
"""

import asyncio
import logging
from contextlib import suppress

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity

from video_manager.adapters.cluster.broker_answers import ANSWER_SECONDS, answering
from video_manager.adapters.cluster.broker_link import CLOSE_SECONDS, close_quietly
from video_manager.adapters.cluster.message_handling import Means, MessageHandling
from video_manager.errors import VideoManagerError
from video_manager.ports import Subscription
from video_manager.tasks import end_tasks

_RETRY_SECONDS = 1.0

_log = logging.getLogger(__name__)


class QueueConsumer:
    """The Consumer of one subscription, on a channel of its own."""

    def __init__(self, subscription: Subscription, means: Means) -> None:
        self._subscription = subscription
        self._means = means
        self._queue = means.topology.queue(subscription.queue)
        self._handling = MessageHandling(subscription, means)
        self._running: set[asyncio.Task[None]] = set()
        self._paused = False
        self._changed = asyncio.Event()
        self._started: asyncio.Future[None] | None = None
        self._resting = asyncio.Event()
        self._resting.set()
        self._loop: asyncio.Task[None] | None = None

    @property
    def queue(self) -> str:
        return self._subscription.queue

    async def start(self) -> None:
        """Returns when the broker delivers. Raises Unavailable or SettingsError when it does not come to that."""
        self._started = asyncio.get_running_loop().create_future()
        self._loop = asyncio.create_task(self._keep_consuming(), name=f"consumer of {self.queue}")
        try:
            async with answering(f"taking from queue {self.queue}", 2 * ANSWER_SECONDS):
                await self._started
        except BaseException:
            await self.close(0)
            raise

    async def pause(self) -> None:
        """Returns when the broker delivers no more. Without a connection nothing comes either, nor later."""
        self._paused = True
        self._changed.set()
        await self._resting.wait()

    async def resume(self) -> None:
        self._paused = False
        self._changed.set()

    async def close(self, drain_seconds: float) -> None:
        """Take nothing more, let the handlers end; those that do not in time are cancelled. What is not acknowledged
        goes back to the queue with the channel."""
        self._handling.closing = True
        if self._loop is None:
            return
        if not self._loop.done():
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self.pause()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=drain_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await end_tasks([self._loop])

    # ---- the channel ----------------------------------------------------------------------------------

    async def _keep_consuming(self) -> None:
        while True:
            try:
                channel = await self._means.link.channel(patient=True)
                try:
                    await self._consume(channel)
                finally:
                    self._resting.set()
                    await close_quietly(channel)
                if self._means.link.is_up:
                    _log.warning("RabbitMQ has ended the consumer of queue %s; it is started again", self.queue)
            except Exception as error:  # noqa: BLE001 - whatever the broker does, the consumer must come back
                if self._started is not None and not self._started.done():
                    self._started.set_exception(error)
                _log.warning("cannot take from queue %s, trying again: %s", self.queue, error)
                await asyncio.sleep(_RETRY_SECONDS)
                if isinstance(error.__cause__, ChannelNotFoundEntity):
                    await self._declare_again()

    async def _consume(self, channel: AbstractChannel) -> None:
        """Take while not paused, until the channel is closed or the broker ends the consumer."""
        ended = asyncio.Event()

        def end(*_: object) -> None:
            ended.set()
            self._changed.set()

        channel.close_callbacks.add(end)
        (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(end)
        async with answering(f"preparing to take from {self._queue}"):
            await channel.set_qos(prefetch_count=self._subscription.prefetch)
        queue = await channel.get_queue(self._queue, ensure=False)
        tag: str | None = None
        while not ended.is_set() and not channel.is_closed:
            self._changed.clear()
            if self._paused and tag is not None:
                async with answering(f"pausing {self._queue}"):
                    await queue.cancel(tag)
                tag = None
            elif not self._paused and tag is None:
                self._resting.clear()
                with self._means.address.permission():
                    async with answering(f"taking from {self._queue}"):
                        tag = await queue.consume(self._deliver)
            if tag is None:
                self._resting.set()
            elif self._started is not None and not self._started.done():
                self._started.set_result(None)
            await self._changed.wait()

    async def _declare_again(self) -> None:
        """Somebody has deleted the queue."""
        try:
            channel = await self._means.link.channel()
            try:
                with self._means.address.permission():
                    async with answering(f"declaring queue {self.queue} again"):
                        await self._means.topology.declare_queue(channel, self.queue, self._subscription.types)
                        await self._means.topology.bind_queue(channel, self.queue, self._subscription.types)
            finally:
                await close_quietly(channel)
        except VideoManagerError as error:
            _log.warning("cannot declare queue %s again: %s", self.queue, error)

    async def _deliver(self, message: AbstractIncomingMessage) -> None:
        task = asyncio.create_task(self._handling.handle(message), name=f"{self.queue} {message.delivery_tag}")
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("settling a message of %s failed", self.queue, exc_info=error)
