"""What becomes of a TikTok post whose bytes are there: looked at by its `publish_id`."""

from typing import Any

from video_manager.errors import NotPublished, RetryableError
from video_manager.plugins.api import Answer, Asked, Handle, Published, PublisherContext
from video_manager.plugins.publishers.tiktok_api import TikTok, failure_of_post

STATUS = "questions about posts a minute"
"""The quota of these questions."""
LOOKS = 12
LOOK_SECONDS = 5.0

_MODERATED = "TikTok has the post and is still checking it, so it has not said yet where it is"


async def seen(tiktok: TikTok, handle: Handle, context: PublisherContext) -> Published:
    """After the last chunk: look for a while. A public post gets its address when TikTok has moderated it."""
    asked = Asked(Answer.PENDING)
    for _ in range(LOOKS):
        await context.sleep(LOOK_SECONDS)
        asked = answer_of(await status_of(tiktok, handle), handle)
        if asked.failure is not None:
            raise NotPublished(asked.failure)
        if asked.published is not None and (asked.published.url or not handle["public"]):
            return asked.published
    if asked.published is None:
        raise RetryableError(asked.detail or "TikTok is still processing the video")
    return asked.published


async def status_of(tiktok: TikTok, handle: Handle) -> dict[str, Any]:
    return await tiktok.post("/v2/post/publish/status/fetch/", {"publish_id": handle["publish_id"]}, STATUS)


def answer_of(status: dict[str, Any], handle: Handle) -> Asked:
    state = str(status.get("status", ""))[:100]
    if state == "FAILED":
        return Asked(Answer.ABSENT, failure=failure_of_post(str(status.get("fail_reason") or "")))
    if state in ("PUBLISH_COMPLETE", "SEND_TO_USER_INBOX"):
        return Asked(Answer.PUBLISHED, _published(status, handle))
    arrived = status.get("uploaded_bytes")
    if state == "PROCESSING_UPLOAD" and arrived is not None and int(arrived) < handle["size_bytes"]:
        return Asked(Answer.ABSENT, detail="the last part of the video never arrived", still_uploaded=True)
    return Asked(Answer.PENDING, detail=f"TikTok is still processing the video ({state})")


def _published(status: dict[str, Any], handle: Handle) -> Published:
    ids = status.get("publicaly_available_post_id") or []  # TikTok's spelling
    if not ids:
        return Published(handle["publish_id"], None, handle["warning"] or (_MODERATED if handle["public"] else None))
    name = handle["username"]
    url = f"https://www.tiktok.com/@{name}/video/{ids[0]}" if name else None
    return Published(str(ids[0]), url, handle["warning"])
