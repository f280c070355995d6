"""A post as an uploader hands it to a publisher, of made-up bytes, for tests that call one by itself."""

import functools
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from video_manager.plugins.api import Handle, Post

PUBLICATION = "0123456789abcdef0123456789abcdef"


def post_of(
    folder: Path, size_bytes: int = 300_000, *, video: Path | None = None, thumbnail: bytes | Path | None = None,
    captions: bytes | Path | None = None, **facts: Any,
) -> Post:  # fmt: skip
    """With files in that folder; `facts` are what differs from an ordinary post."""
    if video is None:
        video = folder / "video.mp4"
        if not video.exists() or video.stat().st_size != size_bytes:
            video.write_bytes((_lines() * (size_bytes // len(_lines()) + 1))[:size_bytes])
    files = {"thumbnail": (thumbnail, "thumbnail.jpg"), "captions": (captions, "captions.vtt")}
    for role, (given, name) in files.items():
        facts[role] = given
        if isinstance(given, bytes):
            facts[role] = folder / name
            facts[role].write_bytes(given)
            facts.setdefault(f"{role}_bytes", len(given))
    with video.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    usual: dict[str, Any] = {
        "publication_id": PUBLICATION, "video_id": "v1", "version": 1, "title": "Ein Tag am Meer",
        "description": "Am Meer.", "tags": ("meer", "sommer"), "language": "de", "video": video,
        "video_sha256": digest, "thumbnail_sha256": None, "captions_sha256": None, "duration_seconds": 20.0,
        "video_bytes": video.stat().st_size, "width": 1080, "height": 1920,
    }  # fmt: skip
    return Post(**(usual | facts))


@functools.cache
def _lines() -> bytes:
    """1 MiB, none of whose lines is like another."""
    return b"".join(b"%07d\n" % number for number in range(131_072))


def keep(handles: list[Handle]) -> Callable[[Handle], Awaitable[None]]:
    """A `save_handle` that adds a copy of each handle to the list."""

    async def save(handle: Handle) -> None:
        handles.append(dict(handle))

    return save
