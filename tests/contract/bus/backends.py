"""The buses that the contract holds for."""

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from video_manager.adapters.cluster.bus import RabbitBus
from video_manager.adapters.embedded.bus import SqliteBus
from video_manager.adapters.embedded.queue_consumer import Backoff
from video_manager.ports import MessageBus

FIRST_DELAY_SECONDS = 0.02
LONGEST_DELAY_SECONDS = 0.2
_BACKOFF = Backoff(FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS)
RABBITMQ_URL = os.environ.get("VIDEO_MANAGER_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672/")


@dataclass(frozen=True)
class Backend:
    """`place` gives the text that names an empty bus, for a test's own folder; `connect` an adapter for it with short
    delays, not yet open. Processes of their own connect by the same two texts."""

    place: Callable[[Path], str]
    connect: Callable[[str], MessageBus]


def _rabbit(url: str, prefix: str) -> RabbitBus:
    return RabbitBus(url, _BACKOFF, connect_seconds=10, prefix=prefix)


BACKENDS: dict[str, Backend] = {
    "embedded": Backend(
        place=lambda folder: str(folder / "bus.db"),
        connect=lambda place: SqliteBus(Path(place), _BACKOFF),
    ),
    "rabbitmq": Backend(
        place=lambda _: f"{RABBITMQ_URL} contract-{uuid.uuid4().hex[:12]}",
        connect=lambda place: _rabbit(*place.split()),
    ),
}
