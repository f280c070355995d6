"""All fake platforms there are."""

from video_manager.fakes.bluesky import BlueskyFake
from video_manager.fakes.discord import DiscordFake
from video_manager.fakes.linkedin import LinkedInFake
from video_manager.fakes.mastodon import MastodonFake
from video_manager.fakes.meta import MetaFake
from video_manager.fakes.network import Fake
from video_manager.fakes.peertube import PeerTubeFake
from video_manager.fakes.telegram import TelegramFake
from video_manager.fakes.tiktok import TikTokFake
from video_manager.fakes.vimeo import VimeoFake
from video_manager.fakes.webhook import WebhookFake
from video_manager.fakes.x import XFake
from video_manager.fakes.youtube import YouTubeFake

FAKES: tuple[type[Fake], ...] = (
    BlueskyFake,
    DiscordFake,
    LinkedInFake,
    MastodonFake,
    MetaFake,
    PeerTubeFake,
    TelegramFake,
    TikTokFake,
    VimeoFake,
    WebhookFake,
    XFake,
    YouTubeFake,
)
