"""A connection to RabbitMQ that comes back by itself.

Not the driver's own RobustConnection: it restores channels and consumers as objects, while here each user makes its
own channel again in a loop of its own, which also covers a channel that was closed for a fault or a timeout.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection

from video_manager.adapters.cluster import broker_answers
from video_manager.adapters.cluster.broker_address import BrokerAddress
from video_manager.adapters.cluster.broker_answers import ANSWER_SECONDS, answering
from video_manager.errors import SettingsError, Unavailable, VideoManagerError
from video_manager.tasks import end_tasks

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 3.0
CLOSE_SECONDS = 2.0
"""A broker that does not answer by then frees everything when it notices."""

_log = logging.getLogger(__name__)
for _name in ("aiormq", "aio_pika"):
    # Each lost connection is one warning of ours; theirs are several lines at ERROR at every try, with stack traces.
    logging.getLogger(_name).setLevel(logging.CRITICAL)

OnOpen = Callable[[AbstractConnection], Awaitable[None]]


class BrokerLink:
    """`purpose` is shown in the broker's list of connections. `on_open` runs on each new connection before anybody
    else gets it."""

    def __init__(self, address: BrokerAddress, purpose: str) -> None:
        self.on_open: OnOpen | None = None
        self._address = address
        self._purpose = purpose
        self._connection: AbstractConnection | None = None
        self._up = asyncio.Event()
        self._lost = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def is_up(self) -> bool:
        return self._up.is_set()

    async def open(self, connect_seconds: float) -> None:
        """Raises SettingsError at once when waiting cannot help, Unavailable when nobody answers in time."""
        deadline = time.monotonic() + connect_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._connect(min(ANSWER_SECONDS, max(1.0, deadline - time.monotonic())))
                break
            except SettingsError:
                raise
            except VideoManagerError as error:
                if time.monotonic() + pause > deadline:
                    raise Unavailable(f"{error.detail}; waited {connect_seconds:g} s for it") from error
                _log.info("waiting for RabbitMQ at %s: %s", self._address, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        self._keeper = asyncio.create_task(self._keep_open(), name=f"connection for {self._purpose}")

    async def close(self) -> None:
        if self._keeper is not None:
            await end_tasks([self._keeper])
            self._keeper = None
        self._up.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            await close_quietly(connection)

    async def connection(self, *, patient: bool = False) -> AbstractConnection:
        """The open connection. Raises Unavailable when there is none in time; a patient one waits for ever."""
        try:
            async with asyncio.timeout(None if patient else broker_answers.ANSWER_SECONDS):
                await self._up.wait()
        except TimeoutError as error:
            raise Unavailable(f"there is no connection to RabbitMQ at {self._address}; it is tried again") from error
        if self._connection is None:
            raise Unavailable(f"the connection to RabbitMQ at {self._address} is closed")
        return self._connection

    async def channel(self, *, confirms: bool = False, patient: bool = False) -> AbstractChannel:
        """A new channel; whoever asks closes it. Raises Unavailable."""
        connection = await self.connection(patient=patient)
        async with answering("opening a channel"):
            return await connection.channel(publisher_confirms=confirms, on_return_raises=confirms)

    async def _connect(self, within_seconds: float) -> None:
        """Raises SettingsError or Unavailable."""
        connection = await connected(self._address, self._purpose, within_seconds)
        self._connection = connection
        self._lost.clear()
        try:
            connection.close_callbacks.add(self._when_lost)
            _check_alive(connection)
            if self.on_open is not None:
                await self.on_open(connection)
        except BaseException:
            await close_quietly(connection)
            raise
        if not self._lost.is_set():
            self._up.set()

    async def _when_lost(self, connection: AbstractConnection | None, error: BaseException | None) -> None:
        if connection is not self._connection:
            return  # the last words of one that was replaced already
        if self.is_up:
            # The driver cancels its reader when no heartbeat comes.
            reason = "no sign of life" if isinstance(error, asyncio.CancelledError) else error
            _log.warning("the connection to RabbitMQ at %s for %s was lost: %s", self._address, self._purpose, reason)
        self._up.clear()
        self._lost.set()

    async def _keep_open(self) -> None:
        while True:
            await self._lost.wait()
            if self._connection is not None:
                await close_quietly(self._connection)
            pause = _FIRST_PAUSE_SECONDS
            said = ""
            while True:
                # Spread, so that all processes do not fall upon a broker that has just come back.
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
                try:
                    await self._connect(ANSWER_SECONDS)
                    break
                except VideoManagerError as error:
                    if error.detail != said:
                        _log.warning("trying again: %s", error)
                        said = error.detail
                except Exception as error:  # noqa: BLE001 - whatever went wrong, the connection must come back
                    _log.warning("connecting to RabbitMQ failed, trying again: %s", error, exc_info=error)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            _log.info("connected to RabbitMQ at %s for %s again", self._address, self._purpose)


def _check_alive(connection: AbstractConnection) -> None:
    """One that was lost before the driver knew whom to tell would be taken for open for ever."""
    if connection.transport is None or connection.transport.connection.is_closed:
        raise Unavailable("the connection to RabbitMQ was lost as soon as it was made")


async def connected(address: BrokerAddress, purpose: str, within_seconds: float = ANSWER_SECONDS) -> AbstractConnection:
    """A new connection to a server that is fit. Raises SettingsError or Unavailable."""
    connection = aio_pika.Connection(address.url, client_properties={"connection_name": f"video-manager {purpose}"})
    try:
        async with answering(f"connecting to {address}", within_seconds + 1):
            try:
                await connection.connect(timeout=within_seconds)
            except Exception as error:
                if isinstance(error, TimeoutError):
                    raise
                raise address.explained(error) from error
        if connection.transport is not None:
            address.check_server(dict(connection.transport.connection.server_properties or {}))
    except BaseException:
        await close_quietly(connection)
        raise
    return connection


async def close_quietly(what: AbstractConnection | AbstractChannel) -> None:
    """Closing is a courtesy: a broker that does not answer frees the same things when it notices."""
    with suppress(VideoManagerError):
        async with answering("closing", CLOSE_SECONDS):
            await what.close()
