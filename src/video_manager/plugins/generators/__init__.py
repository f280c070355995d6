"""The generators that come with the product."""

from typing import Any

from video_manager.plugins.api import Generator
from video_manager.plugins.generators.slideshow import Slideshow
from video_manager.plugins.generators.story import Story
from video_manager.plugins.generators.test_card import BarsAndTone
from video_manager.plugins.generators.upload import Upload

GENERATORS: tuple[type[Generator[Any]], ...] = (Story, Slideshow, Upload, BarsAndTone)
