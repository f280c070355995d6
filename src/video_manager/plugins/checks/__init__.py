"""The built-in quality checks, one file each."""

from typing import Any

from video_manager.plugins.api import Check
from video_manager.plugins.checks.black import Black
from video_manager.plugins.checks.frozen import Frozen
from video_manager.plugins.checks.loudness import Loudness
from video_manager.plugins.checks.platform_limits import PlatformLimitsCheck
from video_manager.plugins.checks.silence import Silence

CHECKS: tuple[type[Check[Any]], ...] = (Black, Frozen, Silence, Loudness, PlatformLimitsCheck)
