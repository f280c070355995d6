"""What a collector gets."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from video_manager.plugins.api import MediaTool, SiteCounts


@dataclass(frozen=True)
class CollectingContext:
    """The CollectorContext of one call."""

    work_folder: Path
    platform: str
    media: MediaTool
    secrets: Mapping[str, str]
    site_counts: SiteCounts

    @property
    def log(self) -> logging.Logger:
        return logging.getLogger(f"video_manager.plugins.collectors.{self.platform}")

    def progress(self, fraction: float, stage: str) -> None:
        self.log.debug("%s: %.0f %%", stage, fraction * 100)
