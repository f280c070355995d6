"""A video's way to YouTube: one resumable session whose address is stored before the first byte.

YouTube makes the video when the last byte has come, and the session then answers with its id. After any trouble the
session is asked where it stands; no offset is ever guessed.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from video_manager.errors import LimitReached, PermanentError, RetryableError
from video_manager.plugins.api import Post, PublisherContext
from video_manager.plugins.platform_http import file_bytes
from video_manager.plugins.publishers.youtube_api import SESSION_GONE, UPLOAD_API, UPLOADS_QUOTA, YouTube, unread

GRANULE_BYTES = 256 * 1024
CHUNK_BYTES = 32 * GRANULE_BYTES
"""8 MiB: every chunk but the last must be a multiple of 256 KiB."""
MOST_STALLS = 5
"""So often in a row a chunk may go wrong; then the ledger tries again later."""
LOOKED_AT = 50
_NEW = timedelta(hours=1)
_LOST = ("failed", "rejected", "deleted")


@dataclass(frozen=True)
class Standing:
    """Where a session stands: `offset` bytes are stored, or the video is made, or the session is gone (both None)."""

    offset: int | None = None
    video_id: str | None = None


def file_name_of(post: Post) -> str:
    """The name that the file has at YouTube: of this publication and of these bytes, so that the owner's list of
    uploads tells what became of them when nothing else does."""
    return f"{post.publication_id}-{post.video_sha256[:16]}{post.video.suffix}"


class VideoUpload:
    """`keep` stores what was learnt of the session or the video, before anything else is done."""

    def __init__(
        self, post: Post, context: PublisherContext, youtube: YouTube, keep: Callable[..., Awaitable[None]]
    ) -> None:
        self._post = post
        self._context = context
        self._youtube = youtube
        self._keep = keep
        self._size = post.video.stat().st_size

    async def run(self, session: str | None, resource: Mapping[str, Any], *, notify: bool) -> str:
        """The video's id. `session` is one that an earlier attempt began."""
        standing = await self._ask(session) if session else Standing()
        if standing.video_id is None and standing.offset is None:
            found = await self.find()
            if found is not None:
                return found
            session = await self._begin(resource, notify=notify)
            standing = Standing(offset=0)
        return standing.video_id or await self._send(str(session), standing.offset or 0)

    # ---- the session -------------------------------------------------------------------------------------------

    async def _begin(self, resource: Mapping[str, Any], *, notify: bool) -> str:
        await self._context.spend(UPLOADS_QUOTA)
        kind = self._post.video_type if self._post.video_type.startswith("video/") else "application/octet-stream"
        parameters = {"uploadType": "resumable", "part": "snippet,status", "notifySubscribers": str(notify).lower()}
        answer = await self._youtube.api.call(
            "POST", f"{UPLOAD_API}/videos", params=parameters, json=dict(resource),
            headers={
                "X-Upload-Content-Length": str(self._size), "X-Upload-Content-Type": kind,
                "Slug": file_name_of(self._post),
            },
        )  # fmt: skip
        session: str = answer.headers.get("Location", "")
        if not _is_googles(session):
            raise unread("it began an upload without a usable address")
        await self._keep(session=session)
        return session

    async def _ask(self, session: str) -> Standing:
        headers = {"Content-Range": f"bytes */{self._size}", "Content-Length": "0"}
        return self._standing(await self._youtube.at_session(session, headers=headers))

    async def _send(self, session: str, offset: int) -> str:
        stalls, is_certain = 0, True
        while True:
            try:
                standing = await (self._chunk(session, offset) if is_certain else self._ask(session))
            except LimitReached:
                raise
            except RetryableError as error:
                stalls, is_certain = stalls + 1, False
                if stalls >= MOST_STALLS:
                    raise
                self._context.log.info("the upload will be asked where it stands: %s", error.detail)
                await self._context.sleep(2.0**stalls)
                continue
            if standing.video_id:
                return standing.video_id
            if standing.offset is None:
                await self._keep(session=None)
                raise RetryableError("YouTube no longer knows the upload: it begins anew")
            stalls = 0 if standing.offset > offset else stalls
            offset, is_certain = standing.offset, True

    async def _chunk(self, session: str, offset: int) -> Standing:
        """The next bytes; where the session stands then."""
        size = self._size
        length = min(CHUNK_BYTES, size - offset)

        def sent(done: int) -> None:
            self._context.progress(0.85 * (offset + done) / size, "uploading")

        headers = {"Content-Range": f"bytes {offset}-{offset + length - 1}/{size}", "Content-Length": str(length)}
        stream = file_bytes(self._post.video, offset, length, sent)
        standing = self._standing(await self._youtube.at_session(session, headers=headers, stream=stream))
        if standing.offset is not None and standing.offset <= offset:
            raise RetryableError("YouTube took none of the last bytes")
        return standing

    def _standing(self, answer: httpx.Response) -> Standing:
        if answer.status_code in SESSION_GONE:
            return Standing()
        if answer.status_code == 308:
            stored = re.fullmatch(r"bytes=0-(\d{1,15})", answer.headers.get("Range", ""))
            offset = int(stored[1]) + 1 if stored else 0
            if offset >= self._size:
                raise RetryableError("YouTube has all bytes and has not yet made the video")
            return Standing(offset=offset)
        try:
            return Standing(video_id=str(answer.json()["id"]))
        except (ValueError, KeyError, TypeError) as error:
            raise unread("the upload ended without a video id") from error

    # ---- when there is no session ------------------------------------------------------------------------------

    async def find(self) -> str | None:
        """The video that these bytes of this publication have become already, among the newest uploads.

        Raises RetryableError while YouTube does not yet know the file name of a new video with the same title.
        """
        ids = await self._newest_uploads()
        if not ids:
            return None
        part = "fileDetails,processingDetails,snippet,status"
        videos = await self._youtube.read("videos", part, id=",".join(ids))
        kept = [video for video in videos if video.get("status", {}).get("uploadStatus") not in _LOST]
        for video in kept:
            if video.get("fileDetails", {}).get("fileName") == file_name_of(self._post):
                return str(video["id"])
        if any(self._may_be_ours(video) for video in kept):
            text = "YouTube does not yet know the file name of a new video with this title: it is looked at again"
            raise RetryableError(text, 30.0)
        return None

    async def _newest_uploads(self) -> list[str]:
        playlist = str(self._context.account.get("uploads") or "")
        if not playlist:
            raise PermanentError("the channel was connected without its list of uploads: connect it again")
        items = await self._youtube.read("playlistItems", "snippet", playlistId=playlist, maxResults=str(LOOKED_AT))
        ids = [item.get("snippet", {}).get("resourceId", {}).get("videoId") for item in items]
        return [str(id) for id in ids if id]

    def _may_be_ours(self, video: Mapping[str, Any]) -> bool:
        known = video.get("processingDetails", {}).get("fileDetailsAvailability") != "inProgress"
        snippet = video.get("snippet", {})
        try:
            is_new = self._context.now() - datetime.fromisoformat(snippet["publishedAt"]) < _NEW
        except (KeyError, ValueError, TypeError):
            is_new = False
        return not known and is_new and snippet.get("title") == self._post.title


def _is_googles(address: str) -> bool:
    """The channel's token goes with every call to it."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return False
    return url.scheme == "https" and url.host.endswith(".googleapis.com")
