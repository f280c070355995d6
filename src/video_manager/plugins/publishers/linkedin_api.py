"""LinkedIn's versioned API: the headers that every call needs, what its errors mean, and its way of writing texts."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx

from video_manager.errors import (
    ActionRequiredError,
    LimitReached,
    PermanentError,
    RetryableError,
    StillUploaded,
    WorkError,
)
from video_manager.plugins.api import Post, PublisherContext
from video_manager.plugins.platform_http import Api, retry_after, words

REST = "https://api.linkedin.com/rest"
USER_INFO = "https://api.linkedin.com/v2/userinfo"
TITLE = "LinkedIn"
_RESERVED = re.compile(r"[\\<>#~_|\[\]*(){}@]")
_BUSY_SECONDS = 900.0
"""How long to wait where LinkedIn says "too many" and means no day."""


class Duplicate(PermanentError):
    """LinkedIn shows the same already: perhaps this very post, from a call whose answer was lost."""


class LinkedIn:
    """`quota` names what is counted for each call, None where nothing is."""

    def __init__(self, context: PublisherContext, version: str, quota: str | None) -> None:
        self._context = context
        self._version = version
        self._quota = quota
        self._api = Api(context, TITLE, self._fault)

    async def spend(self) -> None:
        if self._quota is not None:
            await self._context.spend(self._quota)

    async def call(self, method: str, path: str, *, publishes: bool = False, **request: Any) -> httpx.Response:
        """What `publishes` must have been counted before: a quota that is used up then would leave it open whether
        the post was made."""
        if not publishes:
            await self.spend()
        headers = {
            "LinkedIn-Version": self._version, "X-Restli-Protocol-Version": "2.0.0", **request.pop("headers", {}),
        }  # fmt: skip
        url = path if path.startswith("https://") else f"{REST}{path}"
        return await self._api.call(method, url, publishes=publishes, headers=headers, **request)

    async def json(self, method: str, path: str, **request: Any) -> Any:
        answer = await self.call(method, path, **request)
        try:
            return answer.json()
        except ValueError as error:
            raise RetryableError(f"LinkedIn answered no JSON: {words(answer)}") from error

    async def send(self, method: str, url: str, **request: Any) -> httpx.Response:
        """To an address that LinkedIn gave for the bytes: it is signed by itself, without the token."""
        return await self._api.call(method, url, signed=False, **request)

    def _fault(self, answer: httpx.Response) -> WorkError | None:
        body = _body(answer)
        code = str(body.get("code") or "")
        text = f"LinkedIn answered {answer.status_code}: {words(answer)}"
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            return LimitReached(text, retry_after(answer) or self._until_allowed(str(body.get("message"))))
        if answer.status_code == httpx.codes.UPGRADE_REQUIRED or code == "VERSION_MISSING":
            return ActionRequiredError(
                f"{text}; the API version {self._version} has ended: enter a newer one in the channel's options"
            )
        if answer.status_code == httpx.codes.FORBIDDEN:
            return ActionRequiredError(f"{text}; the app or the person lacks a right: connect the channel again")
        said = answer.text
        if "DUPLICATE_POST" in said:
            return Duplicate(f"LinkedIn shows this text already{_where(said)}; {words(answer)}")
        if "MEDIA_ASSET_WAITING_UPLOAD" in said or "MEDIA_ASSET_PROCESSING" in code:
            return StillUploaded(text)
        return None

    def _until_allowed(self, message: str) -> float:
        """Limits of a day begin anew at midnight UTC."""
        if "DAY" not in message:
            return _BUSY_SECONDS
        now = self._context.now()
        midnight = datetime(now.year, now.month, now.day, tzinfo=now.tzinfo) + timedelta(days=1)
        return (midnight - now).total_seconds()


def commentary_of(post: Post) -> str:
    """Title, description and tags as LinkedIn's "little text"."""
    tags = " ".join(f"{{hashtag|\\#|{word}}}" for word in map(_word, post.tags) if word)
    return "\n\n".join(part for part in (little_text(post.title), little_text(post.description), tags) if part)


def little_text(text: str) -> str:
    """Characters with a meaning there are escaped: an unescaped one cuts the post off without an error."""
    return _RESERVED.sub(lambda found: "\\" + found[0], text)


def address_of(urn: str) -> str:
    return f"https://www.linkedin.com/feed/update/{urn}/"


def encoded(urn: str) -> str:
    return quote(urn, safe="")


def _word(tag: str) -> str:
    return "".join(letter for letter in tag if letter.isalnum())


def _where(said: str) -> str:
    found = re.search(r"urn:li:(?:share|ugcPost):\d+", said)
    if found is None:
        return ": look at the account whether it is this video"
    return f" as {address_of(found[0])}: is it this video? Then resolve it as published there"


def _body(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
