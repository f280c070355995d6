"""The generators that come with the product."""

from video_manager.plugins.api import Generator
from video_manager.plugins.generators.story import Story

GENERATORS: tuple[type[Generator], ...] = (Story,)  # type: ignore[type-arg]  # of any options
