"""The built-in quality checks, one file each."""

from typing import Any

from video_manager.plugins.api import Check

CHECKS: tuple[type[Check[Any]], ...] = ()
