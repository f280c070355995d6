"""The platforms that come along."""

from video_manager.plugins.publishers.folder import FolderPublisher
from video_manager.plugins.publishers.site import SitePublisher

PUBLISHERS = (FolderPublisher, SitePublisher)
