"""A post as an uploader hands it to a publisher, for tests that call one by itself."""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from video_manager.plugins.api import Handle, Post


def post_of(folder: Path, *, video: Path | None = None, captions: bytes | None = None, **facts: Any) -> Post:
    """With files in that folder; `facts` are what differs from an ordinary post."""
    if video is None:
        video = folder / "video.mp4"
        video.write_bytes(b"MP4 " * 75_000)
    if captions is not None:
        (folder / "captions.vtt").write_bytes(captions)
        facts["captions"] = folder / "captions.vtt"
        facts["captions_bytes"] = len(captions)
    content = video.read_bytes()
    usual = {
        "publication_id": "c0ffee" * 5 + "00", "video_id": "v1", "version": 1, "title": "Ein Tag am Meer",
        "description": "Am Meer.", "tags": ("meer", "sommer"), "language": "de", "video": video,
        "video_sha256": hashlib.sha256(content).hexdigest(), "thumbnail": None, "thumbnail_sha256": None,
        "captions": None, "captions_sha256": None, "duration_seconds": 20.0, "video_bytes": len(content),
        "width": 1080, "height": 1920,
    }  # fmt: skip
    return Post(**(usual | facts))


def keep(handles: list[Handle]) -> Callable[[Handle], Awaitable[None]]:
    """A `save_handle` that adds a copy of each handle to the list."""

    async def save(handle: Handle) -> None:
        handles.append(dict(handle))

    return save
