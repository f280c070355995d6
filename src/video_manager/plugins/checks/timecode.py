"""How a stretch of a video is told to people."""

from video_manager.plugins.checks.inspection import Stretch


def shown(stretch: Stretch) -> str:
    """`for 2.5 s, from 0:03.0`"""
    minutes, seconds = divmod(stretch.start_seconds, 60)
    return f"for {stretch.seconds:.1f} s, from {int(minutes)}:{seconds:04.1f}"
