"""X's API: its calls, its media upload, and what its errors ask for."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from video_manager.errors import (
    ActionRequiredError,
    LimitReached,
    PermanentError,
    RetryableError,
    WorkError,
)  # fmt: skip
from video_manager.plugins.api import PublisherContext
from video_manager.plugins.platform_http import LONGEST_WORDS, Api, words

HOST = "https://api.x.com"
SEGMENT_BYTES = 4 * 2**20
"""X wants at most 5 MB; a segment is all of a file that is in memory at once."""
WINDOW_SECONDS = 900.0
"""The window of X's rate limits: how long to wait should an answer not say when it ends."""
_OPERATOR = ("usage-capped", "client-forbidden", "oauth1-permissions", "unsupported-authentication")
"""The ends of the addresses by which X names problems of the developer's account."""


class Duplicate(PermanentError):
    """X has a post with this very text already: perhaps the one that an earlier call made."""


class MediaGone(RetryableError):
    """X does not know the medium (any more): the video has to be uploaded again."""


class XApi:
    def __init__(self, context: PublisherContext) -> None:
        self._context = context
        self._api = Api(context, "X", self._fault)

    async def data(self, method: str, path: str, *, publishes: bool = False, **request: Any) -> dict[str, Any]:
        """The `data` of the answer."""
        found = (await self.body(method, path, publishes=publishes, **request)).get("data")
        if not isinstance(found, dict):
            raise RetryableError(f"X answered {method} {path} without data")
        return found

    async def body(self, method: str, path: str, *, publishes: bool = False, **request: Any) -> dict[str, Any]:
        found = await self._api.json(method, f"{HOST}{path}", publishes=publishes, **request)
        return found if isinstance(found, dict) else {}

    # ---- media ------------------------------------------------------------------------------------------

    async def initialize(self, size_bytes: int, media_type: str, category: str) -> dict[str, Any]:
        """A new medium: `id`, `media_key`, `expires_after_secs`."""
        body = {"media_type": media_type, "total_bytes": size_bytes, "media_category": category}
        return await self.data("POST", "/2/media/upload/initialize", json=body)

    async def append(self, media_id: str, index: int, file: Path) -> None:
        """One segment of the file."""
        segment = await asyncio.to_thread(_segment, file, index)
        await self._api.call(
            "POST", f"{HOST}/2/media/upload/{media_id}/append", data={"segment_index": str(index)},
            files={"media": ("segment", segment, "application/octet-stream")},
        )  # fmt: skip

    async def finalize(self, media_id: str) -> dict[str, Any]:
        return await self.data("POST", f"/2/media/upload/{media_id}/finalize")

    async def status(self, media_id: str) -> dict[str, Any]:
        return await self.data("GET", "/2/media/upload", params={"command": "STATUS", "media_id": media_id})

    # ---- what went wrong --------------------------------------------------------------------------------

    def _fault(self, answer: httpx.Response) -> WorkError | None:
        said, kind = _said(answer)
        text, status = f"X answered {answer.status_code}: {said}", answer.status_code
        if status == 429:
            return LimitReached(text, _until_reset(answer, self._context.now()))
        if status == 402 or any(kind.endswith(problem) for problem in _OPERATOR):
            return ActionRequiredError(f"{text}; look into credits, limits and rights of the app at console.x.com")
        if status == 401 or (status == 403 and "scope" in said.lower()):
            return ActionRequiredError(f"{text}; connect the channel again")
        if status == 403 and "duplicate content" in said.lower():
            return Duplicate(f"{text}; X takes the same text only once: change it")
        if status == 400 and "media" in said.lower() and "invalid" in said.lower():
            return MediaGone(f"{text}; the video is uploaded again")
        return PermanentError(text) if 400 <= status < 500 and status != 408 else None


def segments_of(size_bytes: int) -> int:
    return max(1, -(-size_bytes // SEGMENT_BYTES))


def _segment(file: Path, index: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(index * SEGMENT_BYTES)
        return opened.read(SEGMENT_BYTES)


def _said(answer: httpx.Response) -> tuple[str, str]:
    """The words of an answer, and the address by which X names the problem."""
    try:
        body = answer.json()
    except ValueError:
        return words(answer), ""
    problem: Mapping[str, Any] = body if isinstance(body, dict) else {}
    first = problem.get("errors")
    inner = first[0] if isinstance(first, list) and first and isinstance(first[0], dict) else {}
    parts = dict.fromkeys(
        str(one) for one in (problem.get("detail") or problem.get("title"), inner.get("message")) if one
    )
    return (": ".join(parts) or words(answer))[:LONGEST_WORDS], str(problem.get("type", ""))


def _until_reset(answer: httpx.Response, now: datetime) -> float:
    """X names no Retry-After, but the second at which the window ends."""
    reset = answer.headers.get("x-rate-limit-reset", "")
    return max(1.0, float(reset) - now.timestamp()) if reset.isdigit() else WINDOW_SECONDS
