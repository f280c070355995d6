"""Icons and titles of plugins; one nobody knows gets plain ones."""

from video_manager.errors import InvalidInput
from video_manager.plugins.registry import PluginKind
from video_manager.studio.formats import words
from video_manager.studio.session import Visit

_GENERATORS = {"story": "auto_stories", "slideshow": "photo_library", "upload": "upload_file"}
_PLATFORMS = {
    "folder": "folder_open", "site": "public", "youtube": "smart_display", "tiktok": "music_note", "instagram":
    "photo_camera", "facebook": "thumb_up", "x": "tag", "linkedin": "work", "peertube": "hub", "vimeo": "videocam",
    "telegram": "send", "mastodon": "forum", "bluesky": "cloud", "discord": "sports_esports",
    "discord-webhook": "sports_esports", "linkedin-page": "business_center", "webhook": "webhook",
}  # fmt: skip


def generator_icon(name: str) -> str:
    return _GENERATORS.get(name, "movie_creation")


def platform_icon(name: str) -> str:
    return _PLATFORMS.get(name, "podcasts")


def platform_title(visit: Visit, name: str) -> str:
    """As its publisher calls it, also when that is not installed any more."""
    try:
        return visit.parts.registry.description(PluginKind.PUBLISHER, name).title
    except InvalidInput:
        return words(name)
