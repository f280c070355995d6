"""The file stores that the contract holds for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from video_manager.adapters.embedded.files import FolderFiles
from video_manager.ports import FileStore


@dataclass(frozen=True)
class Backend:
    """`place` gives the text that names an empty store, for a test's own folder; `connect` an adapter for it, not yet
    open. Processes of their own connect by the same two texts."""

    place: Callable[[Path], str]
    connect: Callable[[str], FileStore]


BACKENDS: dict[str, Backend] = {
    "embedded": Backend(place=lambda folder: str(folder / "store"), connect=lambda place: FolderFiles(Path(place)))
}
