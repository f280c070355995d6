"""The video on its way to X: uploaded in segments, processed, with captions; nothing of it is public."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from video_manager.errors import PermanentError
from video_manager.plugins.api import Handle, Post, PublisherContext
from video_manager.plugins.publishers.x_api import MediaGone, XApi, segments_of

CAPTION_TYPES = {".vtt": "text/vtt", ".srt": "text/srt"}
SPARE_SECONDS = 900.0
"""A medium that has less left is not gone on with."""
POLL_SECONDS = 5.0


async def begun(x: XApi, post: Post, context: PublisherContext) -> dict[str, Any]:
    size = (await asyncio.to_thread(post.video.stat)).st_size
    now = context.now()
    medium = await x.initialize(size, post.video_type, "tweet_video")
    life = timedelta(seconds=float(medium.get("expires_after_secs") or 0))
    return {
        "media_id": str(medium["id"]), "media_key": str(medium.get("media_key") or f"7_{medium['id']}"),
        "since": now.isoformat(), "expires_at": (now + life).isoformat(), "size_bytes": size, "sent": 0,
        "finalized": False, "captions": False, "warning": None,
    }  # fmt: skip


def resumed(context: PublisherContext) -> dict[str, Any]:
    """What the attempt before had uploaded; empty: nothing that could be gone on with."""
    handle = dict(context.earlier or {})
    if not handle:
        return {}
    left = (datetime.fromisoformat(handle["expires_at"]) - context.now()).total_seconds()
    return handle if left > SPARE_SECONDS else {}


async def send(x: XApi, post: Post, handle: dict[str, Any], context: PublisherContext) -> None:
    """The segments that X does not have for certain, then its processing. A segment that is sent again replaces
    itself: it is named by its index."""
    count = segments_of(handle["size_bytes"])
    for index in range(handle["sent"], count):
        context.progress(index / count, "uploading")
        await x.append(handle["media_id"], index, post.video)
        handle["sent"] = index + 1
        await context.save_handle(handle)
    medium = await _finalized(x, handle)
    handle["finalized"] = True
    if medium.get("expires_after_secs"):
        handle["expires_at"] = (context.now() + timedelta(seconds=float(medium["expires_after_secs"]))).isoformat()
    await context.save_handle(handle)
    while (processing := medium.get("processing_info") or {}).get("state") in ("pending", "in_progress"):
        context.progress(1.0, "X is processing the video")
        await context.sleep(float(processing.get("check_after_secs") or POLL_SECONDS))
        medium = await x.status(handle["media_id"])
    if processing.get("state") == "failed":
        error = processing.get("error") or {}
        reason = str(error.get("message") or error.get("name") or "it named no reason")[:500]
        raise PermanentError(f"X could not process the video: {reason}")


async def _finalized(x: XApi, handle: Handle) -> dict[str, Any]:
    """Where the answer was lost, X refuses to finalize again, and tells the status instead."""
    if handle["finalized"]:
        return await x.status(handle["media_id"])
    try:
        return await x.finalize(handle["media_id"])
    except (PermanentError, MediaGone) as refused:
        try:
            return await x.status(handle["media_id"])
        except (PermanentError, MediaGone):
            raise refused from None


async def send_captions(x: XApi, post: Post, handle: Handle) -> str | None:
    """Subtitles, which belong to the video before it is posted. What X says against them is a warning: the video goes
    without them."""
    file = post.captions or Path()
    kind = CAPTION_TYPES.get(file.suffix)
    if kind is None:
        return f"X takes no captions of the type {file.suffix}"
    try:
        medium = await x.initialize((await asyncio.to_thread(file.stat)).st_size, kind, "subtitles")
        await x.append(str(medium["id"]), 0, file)
        await x.finalize(str(medium["id"]))
        code = post.language.partition("-")[0].upper() or "EN"
        subtitles = {"id": str(medium["id"]), "display_name": post.language or "English", "language_code": code}
        body = {"id": handle["media_id"], "media_category": "TweetVideo", "subtitles": subtitles}
        await x.body("POST", "/2/media/subtitles", json=body)
    except PermanentError as error:
        return f"without captions: {error.detail}"
    return None
