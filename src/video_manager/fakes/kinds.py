"""All fake platforms there are."""

from video_manager.fakes.network import Fake
from video_manager.fakes.telegram import TelegramFake

FAKES: tuple[type[Fake], ...] = (TelegramFake,)
