"""The platforms that come along."""

from video_manager.plugins.publishers.folder import FolderPublisher
from video_manager.plugins.publishers.site import SitePublisher
from video_manager.plugins.publishers.telegram import TelegramPublisher

PUBLISHERS = (FolderPublisher, SitePublisher, TelegramPublisher)
