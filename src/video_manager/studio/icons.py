"""Icons for plugins; one nobody knows gets a plain one."""

_GENERATORS = {"story": "auto_stories", "slideshow": "photo_library", "upload": "upload_file"}
_PLATFORMS = {
    "folder": "folder_open", "site": "public", "youtube": "smart_display", "tiktok": "music_note", "instagram":
    "photo_camera", "facebook": "thumb_up", "x": "tag", "linkedin": "work", "peertube": "hub", "vimeo": "videocam",
    "telegram": "send", "mastodon": "forum",
}  # fmt: skip


def generator_icon(name: str) -> str:
    return _GENERATORS.get(name, "movie_creation")


def platform_icon(name: str) -> str:
    return _PLATFORMS.get(name, "podcasts")
