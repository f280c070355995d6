"""The platforms that come along."""

from video_manager.plugins.publishers.bluesky import BlueskyPublisher
from video_manager.plugins.publishers.discord import DiscordPublisher, DiscordWebhookPublisher
from video_manager.plugins.publishers.facebook import FacebookPublisher
from video_manager.plugins.publishers.folder import FolderPublisher
from video_manager.plugins.publishers.instagram import InstagramPublisher
from video_manager.plugins.publishers.linkedin import LinkedInPagePublisher, LinkedInPublisher
from video_manager.plugins.publishers.mastodon import MastodonPublisher
from video_manager.plugins.publishers.peertube import PeerTubePublisher
from video_manager.plugins.publishers.site import SitePublisher
from video_manager.plugins.publishers.telegram import TelegramPublisher
from video_manager.plugins.publishers.tiktok import TikTokPublisher
from video_manager.plugins.publishers.vimeo import VimeoPublisher
from video_manager.plugins.publishers.webhook import WebhookPublisher
from video_manager.plugins.publishers.x import XPublisher
from video_manager.plugins.publishers.youtube import YouTubePublisher

PUBLISHERS = (
    FolderPublisher,
    SitePublisher,
    BlueskyPublisher,
    DiscordPublisher,
    DiscordWebhookPublisher,
    FacebookPublisher,
    InstagramPublisher,
    LinkedInPagePublisher,
    LinkedInPublisher,
    MastodonPublisher,
    PeerTubePublisher,
    TelegramPublisher,
    TikTokPublisher,
    VimeoPublisher,
    WebhookPublisher,
    XPublisher,
    YouTubePublisher,
)
