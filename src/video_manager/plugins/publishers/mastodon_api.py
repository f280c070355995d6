"""Mastodon's API as a publisher uses it, and what an instance allows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx
import regex

from video_manager.errors import ActionRequiredError, LimitReached, PermanentError, RetryableError, WorkError
from video_manager.plugins.api import PublisherContext
from video_manager.plugins.platform_http import LONGEST_WORDS, RATE_LIMIT_SECONDS, Api, words

USUAL: Mapping[str, Any] = {
    "characters": 500, "characters_of_url": 23, "description_characters": 1500, "video_bytes": 103_809_024,
    "video_pixels": 8_294_400, "video_frames_per_second": 120, "video_types": ["video/mp4", "video/webm"],
}  # fmt: skip
"""What is taken where an instance does not say."""
_LINK = regex.compile(r"https?://\S+")
_MENTION = regex.compile(r"(?<![\w/])(@[\w.-]+)@[\w.-]+\w")


class Mastodon:
    """One instance, with one account's token: that which was entered, or (None) that of the person who signed in."""

    def __init__(self, server: str, token: str | None, context: PublisherContext) -> None:
        self._base = server.rstrip("/")
        self._signature = {"Authorization": f"Bearer {token}"} if token else {}
        hidden = (token,) if token else ()
        self._api = Api(context, "Mastodon", lambda answer: fault_of(answer, context.now()), hidden=hidden)

    async def call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **request: Any
    ) -> httpx.Response:  # fmt: skip
        return await self._api.call(
            method, f"{self._base}{path}", signed=not self._signature, headers={**self._signature, **(headers or {})},
            **request,
        )  # fmt: skip

    async def json(self, method: str, path: str, **request: Any) -> Any:
        return read(await self.call(method, path, **request))


def read(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise RetryableError(f"Mastodon answered no JSON: {words(answer)}") from error


def facts_of(instance: Mapping[str, Any]) -> dict[str, Any]:
    """The limits in the answer of /api/v2/instance, by our names."""
    configuration = _part(instance, "configuration")
    statuses, media = _part(configuration, "statuses"), _part(configuration, "media_attachments")
    read = {
        "characters": statuses.get("max_characters"), "characters_of_url": statuses.get("characters_reserved_per_url"),
        "description_characters": media.get("description_limit"), "video_bytes": media.get("video_size_limit"),
        "video_pixels": media.get("video_matrix_limit"), "video_frames_per_second": media.get("video_frame_rate_limit"),
    }  # fmt: skip
    found = {name: value for name, value in read.items() if isinstance(value, int) and value > 0}
    types = media.get("supported_mime_types")
    videos = [str(one)[:100] for one in types if str(one).startswith("video/")] if isinstance(types, list) else []
    return {**USUAL, **found, **({"video_types": videos[:30]} if videos else {})}


def characters(text: str, of_url: int) -> int:
    """How long a text is for Mastodon: every link counts the same, of a name only the part before the server."""
    text = _LINK.sub("x" * of_url, text)
    return len(regex.findall(r"\X", _MENTION.sub(r"\1", text)))


def fault_of(answer: httpx.Response, now: datetime) -> WorkError | None:
    """What an answer that is no success asks for; None: what its status says."""
    try:
        said = str(answer.json().get("error") or words(answer))[:LONGEST_WORDS]
    except (ValueError, AttributeError):
        said = words(answer)
    text = f"Mastodon answered {answer.status_code}: {said}"
    match answer.status_code:
        case 401:
            return ActionRequiredError(f"{text}; sign in again, or make a new access token and enter it")
        case 403:
            return ActionRequiredError(f"{text}; give the access token the scopes that the guide names, or see whether "
                                       "the account may still post")  # fmt: skip
        case 429:
            return LimitReached(text, _reset_seconds(answer, now))
        case 400 | 404 | 410 | 413 | 422:
            return PermanentError(text)
    return None


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}


def _reset_seconds(answer: httpx.Response, now: datetime) -> float:
    reset = answer.headers.get("X-RateLimit-Reset", "")
    try:
        return max((datetime.fromisoformat(reset) - now).total_seconds(), 1.0)
    except (ValueError, TypeError):
        after = answer.headers.get("Retry-After", "")
        return float(after) if after.isdigit() else RATE_LIMIT_SECONDS
