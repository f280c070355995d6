"""From the bus to open pages: hints that something changed. A page that hears one reads again."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable

from nicegui import Event, context, ui

from video_manager.contracts.envelope import Envelope
from video_manager.errors import VideoManagerError
from video_manager.ports import MessageBus

WATCHED = (
    "version.*", "review.*", "video.*", "job.*", "render.finished", "render.failed", "processing.finished",
    "processing.failed", "publication.*", "channel.*", "metrics.collected", "notification.created",
)  # fmt: skip
KEPT_HINTS = 1000
log = logging.getLogger(__name__)


class Hints:
    """The ids of what changed, as they are told; those of the last moments are kept for pages that were just being
    read when one was told."""

    def __init__(self) -> None:
        self.event: Event[str] = Event()
        self._recent: deque[tuple[float, str]] = deque(maxlen=KEPT_HINTS)

    def emit(self, id: str) -> None:
        self._recent.append((time.monotonic(), id))
        self.event.emit(id)

    def since(self, moment: float) -> set[str]:
        """The ids told since that moment of the monotonic clock."""
        return {id for told_at, id in self._recent if told_at >= moment}


class Live:
    """One watcher in this process for all pages."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._starting = asyncio.Lock()
        self._stop: Callable[[], Awaitable[None]] | None = None
        self.progress = Hints()
        """A job of this video reported progress."""
        self.video = Hints()
        """This video changed: its state, verdict, versions or publications."""
        self.publication = Hints()
        self.channel = Hints()
        self.notification = Hints()
        self.metrics = Hints()

    async def start(self) -> None:
        """Begin to watch; again without effect. The first page does it, when the bus is open for sure."""
        async with self._starting:
            if self._stop is None:
                self._stop = await self._bus.watch(WATCHED, self._hear)

    async def stop(self) -> None:
        if self._stop is not None:
            stop, self._stop = self._stop, None
            await stop()

    async def _hear(self, message: Envelope) -> None:
        video = str(message.data.get("video_id", ""))
        match message.type.split(".", 1)[0]:
            case "job" if message.type == "job.progress":
                self.progress.emit(video)
                return
            case "notification":
                self.notification.emit(message.subject)
                return
            case "channel":
                self.channel.emit(message.subject)
                return
            case "metrics":
                self.metrics.emit(message.subject)
                return
            case "publication":
                self.publication.emit(str(message.data.get("publication_id", message.subject)))
        if message.type in ("job.open", "job.cancel", "job.adjust", "publication.create", "publication.withdraw"):
            return  # commands: what they bring about is told by its own event
        if video:
            self.video.emit(video)


def gather(hints: Hints, seconds: float, handle: Callable[[set[str]], Awaitable[None]], opened_at: float) -> None:
    """On this page, call `handle` at most every `seconds`, with all ids told since `opened_at`: also with those told
    after the page had read and before it listened. Ends with the page."""
    told: set[str] = set()
    waiting = False
    client = context.client

    async def hear(id: str) -> None:
        nonlocal waiting
        told.add(id)
        if waiting:
            return
        waiting = True
        await asyncio.sleep(seconds)
        waiting = False
        ids = set(told)
        told.clear()
        if client.is_deleted:
            return
        try:
            await handle(ids)
        except VideoManagerError as error:
            # A hint only: the next press of a button says it to the person (signed out, object gone).
            log.debug("a live update was refused: %s", error)
        except Exception:
            if not client.is_deleted:  # else the page was closed while it was reading again, and lacks what it draws on
                raise

    hints.event.subscribe(hear)
    missed = hints.since(opened_at)
    if missed:
        told |= missed
        ui.timer(0.01, lambda: hear(min(missed)), once=True)
