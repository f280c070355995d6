"""The review queue: the longest waiting first, and where a video stands in it."""

from dataclasses import dataclass

from video_manager.domain.access import Actor
from video_manager.domain.video import VideoState
from video_manager.manager.views import VideoView
from video_manager.studio.session import Visit

LONGEST = 500
"""More than this many waiting videos are not counted through; the queue itself shows them page by page."""


@dataclass(frozen=True)
class Place:
    """`before` and `after` are the ids of the neighbours."""

    words: str
    before: str | None
    after: str | None


async def waiting_videos(visit: Visit, actor: Actor) -> list[VideoView]:
    found: list[VideoView] = []
    cursor = None
    while len(found) < LONGEST:
        page = await visit.parts.videos.list_videos(actor, state=VideoState.IN_REVIEW, cursor=cursor, limit=100)
        found += page.items
        cursor = page.next
        if cursor is None:
            break
    return sorted(found, key=lambda video: (video.versions[-1].ready_at or video.created_at, video.id))


async def find_place(visit: Visit, video_id: str) -> Place:
    ids = [video.id for video in await waiting_videos(visit, visit.opener)]
    if video_id not in ids:
        return Place(f"{len(ids)} in the queue", None, ids[0] if ids else None)
    at = ids.index(video_id)
    before = ids[at - 1] if at > 0 else None
    after = ids[at + 1] if at + 1 < len(ids) else None
    return Place(f"{at + 1} of {len(ids)} in the queue", before, after)
