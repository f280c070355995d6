"""What a publisher gets for one call, and how much of it is done."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from video_manager.plugins.api import Handle, SiteShelf
from video_manager.plugins.context import LocalContext


@dataclass
class Progress:
    """Written by the publisher (perhaps from a thread), read by whoever renews the lease."""

    fraction: float = 0.0
    stage: str = "starting"

    def report(self, fraction: float, stage: str) -> None:
        self.fraction, self.stage = fraction, stage


async def refuse_handle(_handle: Handle) -> None:
    """For calls that belong to no attempt."""
    raise RuntimeError("only `upload` may save a handle")


class PublishingContext(LocalContext):
    """A PublisherContext (see plugins/api.py)."""

    def __init__(
        self, platform: str, work_folder: Path, progress: Progress, site: SiteShelf, published_folder: Path,
        save_handle: Callable[[Handle], Awaitable[None]] = refuse_handle,
    ) -> None:  # fmt: skip
        super().__init__(platform, work_folder, progress.report)
        self._site = site
        self._published_folder = published_folder
        self._save_handle = save_handle

    @property
    def save_handle(self) -> Callable[[Handle], Awaitable[None]]:
        return self._save_handle

    @property
    def site(self) -> SiteShelf:
        return self._site

    @property
    def published_folder(self) -> Path:
        return self._published_folder
