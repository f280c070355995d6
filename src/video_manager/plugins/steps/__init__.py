"""The built-in processing steps, one file each."""

from typing import Any

from video_manager.plugins.api import ProcessingStep
from video_manager.plugins.steps.normalize_loudness import NormalizeLoudness
from video_manager.plugins.steps.thumbnail import Thumbnail

STEPS: tuple[type[ProcessingStep[Any]], ...] = (NormalizeLoudness, Thumbnail)
