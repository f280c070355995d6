"""Live events for browsers and programs: hints to read something again."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
from fastapi import APIRouter, Request
from sse_starlette import EventSourceResponse, JSONServerSentEvent, ServerSentEvent
from starlette.responses import Response

from video_manager.contracts.catalogue import EVENTS, HINTS
from video_manager.contracts.envelope import Envelope
from video_manager.domain.access import Right
from video_manager.gateway.guard import Recheck
from video_manager.ports import MessageBus
from video_manager.web import CurrentActor

QUEUE_SIZE = 200
"""A client this many events behind is dropped; it comes back and reads the lists again."""

HEARTBEAT_SECONDS = 15.0
_SEND_TIMEOUT_SECONDS = 20.0
_FAREWELL_SECONDS = 1.0

logger = logging.getLogger(__name__)


class EventFeed:
    """One watch of the bus for all the clients of this process."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._stop: Callable[[], Awaitable[None]] | None = None
        self._clients: set[asyncio.Queue[Envelope | None]] = set()
        self._farewell: asyncio.Task[None] | None = None
        self.stopping = anyio.Event()
        """Set by the streams themselves when the server begins to shut down: all of them end then."""

    async def open(self) -> None:
        self.stopping = anyio.Event()
        self._farewell = asyncio.create_task(self._end_when_stopping(), name="event feed")
        self._stop = await self._bus.watch([kind.type for kind in (*EVENTS, *HINTS)], self._deliver)

    async def close(self) -> None:
        """End all streams, so that a shutdown need not wait for the clients to go."""
        if self._stop is not None:
            await self._stop()
            self._stop = None
        self.stopping.set()
        if self._farewell is not None:
            await self._farewell

    async def events(self, recheck: Recheck, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> AsyncIterator[Envelope]:
        """Until the client is too slow, or may no longer view. Who asks is checked again at every heartbeat."""
        client: asyncio.Queue[Envelope | None] = asyncio.Queue(QUEUE_SIZE)
        if self.stopping.is_set():
            return
        self._clients.add(client)
        loop = asyncio.get_running_loop()
        check_at = loop.time() + heartbeat_seconds
        try:
            while True:
                try:
                    async with asyncio.timeout_at(check_at):
                        envelope = await client.get()
                except TimeoutError:
                    check_at = loop.time() + heartbeat_seconds
                    actor = await recheck()
                    if actor is None or not actor.may(Right.VIEW):
                        return
                    continue
                if envelope is None:
                    return
                yield envelope
        finally:
            self._clients.discard(client)

    @property
    def clients(self) -> int:
        return len(self._clients)

    async def _end_when_stopping(self) -> None:
        await self.stopping.wait()
        for client in self._clients:
            _end(client)

    async def _deliver(self, envelope: Envelope) -> None:
        for client in tuple(self._clients):
            if client.full():
                self._clients.discard(client)
                logger.info("an event stream was %d events behind and is dropped", QUEUE_SIZE)
                _end(client)
            else:
                client.put_nowait(envelope)


def event_routes(feed: EventFeed) -> APIRouter:
    router = APIRouter(tags=["events"])

    @router.get(
        "/events", response_class=Response,
        responses={200: {"content": {"text/event-stream": {}}, "description": "An endless stream."}},
    )  # fmt: skip
    async def events(request: Request, actor: CurrentActor) -> Response:
        """Server-sent events: `event` is the message type (such as `job.progress`), `id` its id, `data` the whole
        envelope as JSON. They are hints: some may be missing, nothing is sent again after a reconnect
        (`Last-Event-ID` is ignored), so read the lists again then."""
        actor.require(Right.VIEW)
        return EventSourceResponse(
            _stream(feed, request.state.recheck),
            ping=HEARTBEAT_SECONDS,
            ping_message_factory=lambda: ServerSentEvent(comment="still here"),
            send_timeout=_SEND_TIMEOUT_SECONDS,
            # The server's shutdown is seen before the lifespan's end: the stream closes as it should.
            shutdown_event=feed.stopping,
            shutdown_grace_period=_FAREWELL_SECONDS,
        )

    return router


async def _stream(feed: EventFeed, recheck: Recheck) -> AsyncIterator[ServerSentEvent]:
    # Sent at once, so that the client knows that it listens from here on.
    yield ServerSentEvent(comment="listening", retry=2000)
    async for envelope in feed.events(recheck):
        yield JSONServerSentEvent(envelope.model_dump(mode="json"), event=envelope.type, id=envelope.id)


def _end(client: asyncio.Queue[Envelope | None]) -> None:
    """What waits is given up: the client reads the lists again anyway."""
    while not client.empty():
        client.get_nowait()
    client.put_nowait(None)
