"""The buses that the contract holds for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from video_manager.adapters.embedded.bus import SqliteBus
from video_manager.adapters.embedded.queue_consumer import Backoff
from video_manager.ports import MessageBus

FIRST_DELAY_SECONDS = 0.02
LONGEST_DELAY_SECONDS = 0.2


@dataclass(frozen=True)
class Backend:
    """`place` gives the text that names an empty bus, for a test's own folder; `connect` an adapter for it with short
    delays, not yet open. Processes of their own connect by the same two texts."""

    place: Callable[[Path], str]
    connect: Callable[[str], MessageBus]
    levels: int
    """How many priorities it tells apart."""


BACKENDS: dict[str, Backend] = {
    "embedded": Backend(
        place=lambda folder: str(folder / "bus.db"),
        connect=lambda place: SqliteBus(Path(place), Backoff(FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS)),
        levels=10,
    )
}
