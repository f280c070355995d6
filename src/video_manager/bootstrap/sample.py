"""The first thing a person sees is a real video to review."""

from video_manager.domain.access import SYSTEM
from video_manager.domain.model import derived_id
from video_manager.manager.requests import VideosRequest
from video_manager.manager.service import VideoService

TITLE = "Welcome to video-manager"
TEXT = (
    "Welcome! This video was made on your own machine, just now. A neural voice reads the text, the captions follow "
    "every single word, and the music steps back while somebody speaks. Nothing reaches your audience before you say "
    "so. Watch it, change the title, pick a thumbnail, and approve it. Or ask for another one with other options."
)


async def request_sample(videos: VideoService) -> None:
    """Ask for one video when there has never been any. Its id is fixed, so that two starts ask once."""
    if await videos.count_by_state(SYSTEM):
        return
    request = VideosRequest.model_validate({"generator": "story", "title": TITLE, "options": {"text": TEXT}})
    await videos.request(SYSTEM, request, lambda *parts: derived_id("sample", *parts))
