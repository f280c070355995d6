"""YouTube's Data API as the publisher uses it: each call with what it costs, each error with what it asks for."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from video_manager.errors import ActionRequiredError, LimitReached, PermanentError, RetryableError, WorkError
from video_manager.plugins.api import PublisherContext
from video_manager.plugins.platform_http import Api, Stream, file_bytes, words

TITLE = "YouTube"
UPLOADS_QUOTA = "YouTube uploads a day of this Google project"
UNITS_QUOTA = "YouTube quota units a day of this Google project"
RESET_ZONE = "America/Los_Angeles"
API = "https://www.googleapis.com/youtube/v3"
UPLOAD_API = "https://www.googleapis.com/upload/youtube/v3"
READ_UNITS, WRITE_UNITS, CAPTIONS_UNITS = 1, 50, 400

SESSION_GONE = (404, 410)
SESSION_ANSWERS = (200, 201, 308, *SESSION_GONE)

_DAY_SECONDS, _HOUR_SECONDS = 86400.0, 3600.0
_BOUNDARY = "video-manager-part"
_LONGEST_REASON = 100

_LIMITS = {
    "uploadLimitExceeded": _DAY_SECONDS, "uploadRateLimitExceeded": _HOUR_SECONDS, "rateLimitExceeded": 60.0,
    "userRateLimitExceeded": 60.0,
}  # fmt: skip
"""Seconds to wait. The project's quota is another matter: it comes back at midnight in California."""
_DAILY = ("quotaExceeded", "dailyLimitExceeded")
_FOR_PEOPLE = {
    "youtubeSignupRequired": "this Google account has no YouTube channel: make one, then connect again",
    "forbidden": "check the rights of the account at YouTube, then connect the channel again",
    "accountDelegationForbidden": "the account may not act for this channel: connect it with another account",
    "authenticatedUserAccountClosed": "the YouTube account is closed",
    "authenticatedUserAccountSuspended": "the YouTube account is suspended: see youtube.com",
    "channelClosed": "the channel is closed",
    "channelSuspended": "the channel is suspended: see youtube.com",
    "insufficientPermissions": "connect the channel again and leave every box ticked",
    "accessNotConfigured": "switch on the YouTube Data API v3 in the Google Cloud project",
}
_CONTENT = {
    "invalidTitle": "change the title (1 to 100 characters, no < and >)",
    "invalidDescription": "change the description (at most 5000 bytes, no < and >)",
    "invalidTags": "change the tags (at most 500 characters together, no < and >)",
    "invalidCategoryId": "choose another category",
    "invalidPublishAt": "choose another time",
    "invalidVideoMetadata": "check title, category and the other choices",
    "invalidFilename": "the file name is not accepted",
    "mediaBodyRequired": "the upload had no bytes",
    "defaultLanguageNotSet": "set the language of the texts",
    "forbiddenPrivacySetting": "choose another privacy",
    "forbiddenLicenseSetting": "choose another license",
    "forbiddenEmbedSetting": "choose whether it may be embedded anew",
    "videoNotFound": "the video is not there any more: somebody deleted it",
}


class YouTube:
    """What one channel asks of YouTube. Every method raises what `Api.json` raises, and LimitReached when the day's
    units are used up."""

    def __init__(self, context: PublisherContext) -> None:
        self._context = context
        self.api = Api(context, TITLE, lambda answer: fault_of(answer, context.now()))
        self._extras = Api(context, TITLE, lambda answer: fault_of_extra(answer, context.now()))

    async def at_session(self, session: str, **call: Any) -> httpx.Response:
        """A PUT to an upload's address, with which anybody could upload: no error repeats it."""
        hidden = (session, httpx.URL(session).query.decode())
        api = Api(self._context, TITLE, lambda answer: fault_at_session(answer, self._context.now()), hidden=hidden)
        return await api.call("PUT", session, ok=SESSION_ANSWERS, **call)

    async def read(self, resource: str, part: str, **parameters: str) -> list[dict[str, Any]]:
        """The items of a list: `resource` as in `videos`, 1 unit. A list that is not there (404) has none."""
        await self._context.spend(UNITS_QUOTA, READ_UNITS)
        answer = await self.api.json("GET", f"{API}/{resource}", params={"part": part, **parameters}, ok=(200, 404))
        items = answer.get("items", []) if isinstance(answer, dict) else None
        if not isinstance(items, list):
            raise unread(f"it holds no list of {resource}")
        return [item for item in items if isinstance(item, dict)]

    async def video(self, id: str, part: str) -> dict[str, Any] | None:
        """None: YouTube shows this channel no such video."""
        return next(iter(await self.read("videos", part, id=id)), None)

    async def set_status(self, id: str, status: Mapping[str, Any], *, publishes: bool = True) -> dict[str, Any]:
        """The publishing call, whose units were taken before. Replaces the whole status part; the new one."""
        answer = await self.api.json(
            "PUT", f"{API}/videos", params={"part": "status"}, json={"id": id, "status": dict(status)},
            publishes=publishes,
        )  # fmt: skip
        kept = answer.get("status") if isinstance(answer, dict) else None
        return kept if isinstance(kept, dict) else {}

    async def delete_video(self, id: str) -> None:
        """Without effect when it is gone."""
        await self._context.spend(UNITS_QUOTA, WRITE_UNITS)
        await self.api.call("DELETE", f"{API}/videos", params={"id": id}, ok=(204, 404))

    async def set_thumbnail(self, id: str, image: Path, size_bytes: int) -> None:
        await self._context.spend(UNITS_QUOTA, WRITE_UNITS)
        kind = "image/png" if image.suffix.lower() == ".png" else "image/jpeg"
        await self._extras.call(
            "POST", f"{UPLOAD_API}/thumbnails/set", params={"videoId": id, "uploadType": "media"},
            stream=file_bytes(image), headers={"Content-Type": kind, "Content-Length": str(size_bytes)},
        )  # fmt: skip

    async def add_captions(self, id: str, track: Path, size_bytes: int, language: str) -> None:
        """409: an earlier attempt has done it, and its answer was lost."""
        await self._context.spend(UNITS_QUOTA, CAPTIONS_UNITS)
        snippet = {"videoId": id, "language": language, "name": "Captions", "isDraft": False}
        head, tail = _around({"snippet": snippet})
        length = len(head) + size_bytes + len(tail)
        await self._extras.call(
            "POST", f"{UPLOAD_API}/captions", params={"part": "snippet", "uploadType": "multipart"}, ok=(200, 409),
            stream=_between(head, file_bytes(track), tail),
            headers={"Content-Type": f"multipart/related; boundary={_BOUNDARY}", "Content-Length": str(length)},
        )  # fmt: skip

    async def add_to_playlist(self, id: str, playlist: str) -> None:
        """Without effect when the video is in it."""
        if await self.read("playlistItems", "id", playlistId=playlist, videoId=id):
            return
        await self._context.spend(UNITS_QUOTA, WRITE_UNITS)
        resource = {"kind": "youtube#video", "videoId": id}
        await self._extras.call(
            "POST", f"{API}/playlistItems", params={"part": "snippet"},
            json={"snippet": {"playlistId": playlist, "resourceId": resource}},
        )  # fmt: skip


def fault_of(answer: httpx.Response, now: datetime) -> WorkError | None:
    """What YouTube's `reason` asks for; None: what HTTP means by the status."""
    reason, said = _reason(answer)
    text = f"YouTube answered {answer.status_code} {reason}: {said}"
    if reason in _DAILY:
        return LimitReached(f"{text}; the quota comes back at midnight in California", seconds_to_reset(now))
    if reason in _LIMITS:
        return LimitReached(text, _LIMITS[reason])
    if reason in _FOR_PEOPLE:
        return ActionRequiredError(f"{text}; {_FOR_PEOPLE[reason]}")
    if reason in _CONTENT:
        return PermanentError(f"{text}; {_CONTENT[reason]}")
    return None


def fault_of_extra(answer: httpx.Response, now: datetime) -> WorkError | None:
    """Like `fault_of`, for what comes with a video: that the channel may not have it does not stop the channel."""
    reason, said = _reason(answer)
    if reason == "forbidden":
        return PermanentError(f"YouTube answered {answer.status_code} {reason}: {said}")
    return fault_of(answer, now)


def fault_at_session(answer: httpx.Response, now: datetime) -> WorkError | None:
    """Like `fault_of`, for chunks: one that does not fit (another process may have sent it) is asked about."""
    fault = fault_of(answer, now)
    if fault is None and answer.status_code == 400:
        return RetryableError(f"YouTube did not take a part of the upload: {words(answer)}")
    return fault


def seconds_to_reset(now: datetime) -> float:
    """Until the next midnight in California."""
    place = ZoneInfo(RESET_ZONE)
    tomorrow = now.astimezone(place).date() + timedelta(days=1)
    return max(1.0, (datetime.combine(tomorrow, time(0), place) - now).total_seconds())


def _reason(answer: httpx.Response) -> tuple[str, str]:
    """The machine's word and the words for people, of bounded length."""
    try:
        error = answer.json()["error"]
        first = error["errors"][0]
        return str(first["reason"])[:_LONGEST_REASON], " ".join(str(error["message"]).split())[:500]
    except (ValueError, KeyError, IndexError, TypeError):
        return "", words(answer)


def _around(described: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """What stands before and after the media in a multipart/related body."""
    head = (
        f"--{_BOUNDARY}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{json.dumps(described)}\r\n"
        f"--{_BOUNDARY}\r\nContent-Type: application/octet-stream\r\n\r\n"
    )
    return head.encode(), f"\r\n--{_BOUNDARY}--\r\n".encode()


def _between(head: bytes, media: Stream, tail: bytes) -> Stream:
    async def pieces() -> AsyncIterator[bytes]:
        yield head
        async for piece in media():
            yield piece
        yield tail

    return pieces


def unread(what: str) -> RetryableError:
    """YouTube said something that no one understands: it is asked again."""
    return RetryableError(f"YouTube's answer is not understood: {what}")
