"""The context of one plugin call: its folder, its tools, and its share of the whole call's progress."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from video_manager.media.ffmpeg import FfmpegTool
from video_manager.plugins.api import MediaTool

ProgressListener = Callable[[float, str], None]


class LocalContext:
    """A Context (see api.py) with local folders. `listener` gets 0..1 of this call alone."""

    def __init__(
        self, plugin: str, work_folder: Path, listener: ProgressListener, secrets: Mapping[str, str] | None = None
    ) -> None:
        self._work_folder = work_folder
        self._listener = listener
        self._secrets = dict(secrets or {})
        self._log = logging.getLogger(f"video_manager.plugin.{plugin}")
        self._media = FfmpegTool(self.progress)

    @property
    def work_folder(self) -> Path:
        return self._work_folder

    @property
    def log(self) -> logging.Logger:
        return self._log

    @property
    def media(self) -> MediaTool:
        return self._media

    @property
    def secrets(self) -> Mapping[str, str]:
        return self._secrets

    def progress(self, fraction: float, stage: str) -> None:
        self._listener(max(0.0, min(1.0, fraction)), stage)


def share(listener: ProgressListener, index: int, total: int, title: str) -> ProgressListener:
    """A listener for part `index` of `total`, whose stages are prefixed with the part's title."""

    def report(fraction: float, stage: str) -> None:
        listener((index + fraction) / max(1, total), f"{title}: {stage}" if stage else title)

    return report
