"""Being written."""

from video_manager.studio.layout import Frame
from video_manager.studio.session import Visit


async def build(visit: Visit, frame: Frame) -> None:
    """Nothing yet."""
