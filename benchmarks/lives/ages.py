"""How long each message was under way, message by message: exact percentiles, where /metrics has buckets."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from video_manager.adapters.observed_bus import BusActivity, ObservedBus
from video_manager.bootstrap.adapters import Adapters, opened
from video_manager.contracts.envelope import Envelope
from video_manager.ports import Clock, Handler
from video_manager.settings import Settings


@dataclass(frozen=True)
class Hop:
    """One message: its queue, when its handling began (seconds of the clock on the wall) and how long after its making.
    The making comes before the write of the document whose outbox holds the message."""

    queue: str
    at: float
    seconds: float


class Ages(BusActivity):
    """The bus's own record of activity, with every sample kept."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.hops: list[Hop] = []

    def watched(self, queue: str, handler: Handler) -> Handler:
        counted = super().watched(queue, handler)

        async def handle(envelope: Envelope) -> None:
            now = self._clock.now()
            self.hops.append(Hop(queue, now.timestamp(), (now - envelope.time).total_seconds()))
            await counted(envelope)

        return handle

    def write(self, path: Path) -> None:
        path.write_text(json.dumps([[one.queue, one.at, one.seconds] for one in self.hops]))


def read(path: Path) -> list[Hop]:
    return [Hop(*one) for one in json.loads(path.read_text())]


@asynccontextmanager
async def opened_with_ages(settings: Settings) -> AsyncIterator[tuple[Adapters, Ages]]:
    """The adapters of the settings, with the ages of the messages they handle."""
    async with opened(settings) as adapters:
        ages = Ages(adapters.clock)
        yield replace(adapters, bus=ObservedBus(adapters.bus, ages)), ages


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that so many are not above."""
    found = sorted(values)
    return found[min(len(found) - 1, int(share * len(found)))] if found else float("nan")
