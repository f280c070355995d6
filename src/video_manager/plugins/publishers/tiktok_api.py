"""TikTok's Content Posting API: its calls, its chunks, and what its error codes ask for."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from video_manager.plugins.platform_http import LONGEST_WORDS, Api, file_bytes

HOST = "https://open.tiktokapis.com"
CHUNK_BYTES = 10 * 10**6
"""5 to 64 MB are allowed. No chunk has more, so that the last one, which publishes, takes no long time; but for the few
bytes that the others leave."""
MINUTE_SECONDS = 60.0
DAY_SECONDS = 86_400.0

_RETRY = frozenset({"internal_error", "internal", "server_error"})
_CONNECT_AGAIN = frozenset({"access_token_invalid", "scope_not_authorized", "scope_permission_missed", "auth_removed"})
_TOMORROW = frozenset({"spam_risk_too_many_posts", "reached_active_user_cap", "spam_risk_too_many_pending_share"})
_ACCOUNT = {
    "unaudited_client_can_only_post_to_private_accounts":
        "TikTok has not audited your app: make the account private, or let the app be audited",
    "spam_risk_user_banned_from_posting": "TikTok does not let this account post: look into its app",
}  # fmt: skip
_CONTENT = {
    "invalid_params": "TikTok did not take the settings of the post",
    "invalid_file_upload": "TikTok did not take the file",
    "privacy_level_option_mismatch": "choose another privacy",
    "url_ownership_unverified": "TikTok does not know the address of the file",
    "file_format_check_failed": "it has to be MP4, MOV or WebM",
    "duration_check_failed": "the video is too long or too short for this account",
    "frame_rate_check_failed": "it needs 23 to 60 pictures a second",
    "picture_size_check_failed": "each side needs 360 to 4096 pixels",
    "spam_risk": "TikTok takes the post for spam",
    "spam_risk_text": "TikTok takes the text for spam",
    "publish_cancelled": "it was cancelled in TikTok",
}


class AddressGone(RetryableError):
    """The upload address takes no more bytes: the upload has to be begun anew."""


@dataclass(frozen=True)
class Chunks:
    """How a file of `size_bytes` is cut: all chunks have `chunk_bytes`, but the last one, which takes the rest, too."""

    size_bytes: int
    chunk_bytes: int
    count: int

    def range(self, index: int) -> tuple[int, int]:
        """First byte, and the one after the last."""
        start = index * self.chunk_bytes
        return start, self.size_bytes if index == self.count - 1 else start + self.chunk_bytes


def cut(size_bytes: int) -> Chunks:
    """Into equal chunks: TikTok counts `size_bytes // chunk_bytes` of them, and the last one takes what is left."""
    count = max(1, math.ceil(size_bytes / CHUNK_BYTES))
    return Chunks(size_bytes, size_bytes // count, count)


class TikTok:
    def __init__(self, context: PublisherContext) -> None:
        self._api = Api(context, "TikTok", _fault)
        self._context = context

    async def get(self, path: str, **params: str) -> dict[str, Any]:
        return _data(await self._api.json("GET", f"{HOST}{path}", params=params))

    async def post(self, path: str, body: Mapping[str, Any], quota: str) -> dict[str, Any]:
        """The `data` of the answer; spends one of the quota first."""
        await self._context.spend(quota)
        headers = {"Content-Type": "application/json; charset=UTF-8"}
        return _data(await self._api.json("POST", f"{HOST}{path}", json=dict(body), headers=headers))

    async def send(
        self, address: str, chunks: Chunks, index: int, video: Path, content_type: str, *, publishes: bool = False,
        sent: Callable[[int], None] = lambda _bytes: None,
    ) -> None:  # fmt: skip
        """One chunk. Raises AddressGone when this address takes it no more (as NotPublished when it `publishes`)."""
        start, end = chunks.range(index)
        headers = {
            "Content-Type": content_type, "Content-Length": str(end - start),
            "Content-Range": f"bytes {start}-{end - 1}/{chunks.size_bytes}",
        }  # fmt: skip
        # Whoever knows the address can send in our name.
        upload = Api(self._context, "TikTok", _upload_fault, hidden=(address,))
        answer = await upload.call(
            "PUT", address, signed=False, headers=headers, publishes=publishes, ok={200, 201, 206},
            stream=file_bytes(video, start, end - start, sent),
        )  # fmt: skip
        if answer.status_code == 206 and index == chunks.count - 1:
            raise RetryableError("TikTok has the last part and still waits for more")


def failure_of(code: str, text: str) -> WorkError | None:
    """What one of TikTok's error codes or fail reasons asks for; None: it is not documented."""
    if code == "rate_limit_exceeded":
        return LimitReached(text, MINUTE_SECONDS)
    if code in _TOMORROW:
        return LimitReached(text, DAY_SECONDS)
    if code in _RETRY:
        return RetryableError(text)
    if code in _CONNECT_AGAIN:
        return ActionRequiredError(f"{text}; connect the channel again and allow everything that is asked for")
    if code in _ACCOUNT:
        return ActionRequiredError(f"{text}; {_ACCOUNT[code]}")
    return PermanentError(f"{text}; {_CONTENT[code]}") if code in _CONTENT else None


def failure_of_post(reason: str) -> WorkError:
    """Why TikTok gave up on a post that it had begun to process. One that nobody documented is final."""
    text = f"TikTok gave up on the post: {reason[:LONGEST_WORDS] or 'it named no reason'}"
    return failure_of(reason, text) or PermanentError(text)


def _data(body: Any) -> dict[str, Any]:
    """TikTok also says 200 and means an error."""
    code, text = _error(body)
    if code != "ok":
        raise failure_of(code, f"TikTok refused it: {text}") or PermanentError(f"TikTok refused it: {text}")
    data = body.get("data")
    return data if isinstance(data, dict) else {}


def _error(body: Any) -> tuple[str, str]:
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        raise RetryableError("TikTok's answer has no `error` part: it is not from its API")
    code = str(error.get("code", ""))[:LONGEST_WORDS]
    return code, f"{code} {error.get('message') or ''}".strip()[:LONGEST_WORDS]


def _fault(answer: httpx.Response) -> WorkError | None:
    try:
        code, text = _error(answer.json())
    except (ValueError, RetryableError):
        return None
    return failure_of(code, f"TikTok answered {answer.status_code}: {text}")


def _upload_fault(answer: httpx.Response) -> WorkError | None:
    """What the upload address answers is no JSON; it lives an hour and takes each byte once, in order."""
    if 400 <= answer.status_code < 500 and answer.status_code not in (408, 429):
        return AddressGone(f"TikTok's upload address answered {answer.status_code}: the upload is begun anew")
    return None
