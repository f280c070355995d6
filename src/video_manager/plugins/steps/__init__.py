"""The built-in processing steps, one file each."""

from typing import Any

from video_manager.plugins.api import ProcessingStep
from video_manager.plugins.steps.normalize_loudness import NormalizeLoudness
from video_manager.plugins.steps.reframe import Reframe
from video_manager.plugins.steps.thumbnail import Thumbnail
from video_manager.plugins.steps.trim import Trim
from video_manager.plugins.steps.watermark import Watermark

STEPS: tuple[type[ProcessingStep[Any]], ...] = (Trim, Reframe, Watermark, NormalizeLoudness, Thumbnail)
