"""The collectors that come along: each brings back the numbers of the platform whose name it has."""

from video_manager.plugins.collectors.site import SiteCollector

COLLECTORS = (SiteCollector,)
