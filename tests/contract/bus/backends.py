"""The buses that the contract holds for."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from tests.services import rabbitmq_vhost

from video_manager.adapters.backoff import Backoff
from video_manager.adapters.cluster.bus import RabbitBus
from video_manager.adapters.embedded.bus import SqliteBus
from video_manager.ports import MessageBus

FIRST_DELAY_SECONDS = 0.02
LONGEST_DELAY_SECONDS = 0.2
_BACKOFF = Backoff(FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS)


@dataclass(frozen=True)
class Backend:
    """`place` makes an empty bus for a test's own folder, gives the text that names it, and removes it afterwards;
    `connect` gives an adapter for it with short delays, not yet open. Other processes connect by the same two texts."""

    place: Callable[[Path], AbstractContextManager[str]]
    connect: Callable[[str], MessageBus]


BACKENDS: dict[str, Backend] = {
    "embedded": Backend(
        place=lambda folder: nullcontext(str(folder / "bus.db")),
        connect=lambda place: SqliteBus(Path(place), _BACKOFF),
    ),
    "rabbitmq": Backend(
        place=lambda _: rabbitmq_vhost(),
        connect=lambda place: RabbitBus(place, _BACKOFF, connect_seconds=10),
    ),
}
