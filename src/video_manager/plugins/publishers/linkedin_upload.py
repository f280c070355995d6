"""A video on its way to LinkedIn: parts, each to its own address, then the seal, then the wait until it can be posted.

Nothing of it is public. What is kept in the handle is all it takes to go on: the video's name, the addresses, and the
receipts (ETags) of the parts that are there.
"""

from typing import Any

import httpx

from video_manager.errors import PermanentError, RetryableError, WorkError
from video_manager.plugins.api import Handle, Post, PublisherContext
from video_manager.plugins.platform_http import OK, file_bytes, words
from video_manager.plugins.publishers.linkedin_api import LinkedIn, encoded

_ADDRESS_ENDED = frozenset({400, 401, 403, 404, 410})
_STAGE_SENT = 0.9
"""Of the progress; the rest is LinkedIn's work."""
_POLL_SECONDS = (2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
"""Ever more seldom: every question counts against the day's calls."""


class _Ended(Exception):
    """An upload address is not taken any more."""


class VideoUpload:
    def __init__(self, linkedin: LinkedIn, context: PublisherContext, owner: str, post: Post) -> None:
        self._linkedin = linkedin
        self._context = context
        self._owner = owner
        self._post = post
        self._handle: dict[str, Any] = {}
        self._is_ready = False

    async def run(self) -> Handle:
        """Returns when the video can be posted."""
        self._handle = await self._earlier() or await self._begin()
        try:
            await self._send()
        except _Ended:
            self._handle = await self._begin()
            try:
                await self._send()
            except _Ended as error:
                raise RetryableError(f"LinkedIn does not take the video: {error}") from error
        if not self._is_ready:
            await self._wait()
        return self._handle

    async def _keep(self, **changes: Any) -> None:
        self._handle |= changes
        await self._context.save_handle(self._handle)

    async def _begin(self) -> dict[str, Any]:
        wanted = {
            "owner": self._owner, "fileSizeBytes": self._post.video_bytes, "uploadCaptions": False,
            "uploadThumbnail": self._post.thumbnail is not None,
        }  # fmt: skip
        path = "/videos?action=initializeUpload"
        answer = await self._linkedin.json("POST", path, json={"initializeUploadRequest": wanted})
        given = answer["value"]
        last = self._post.video_bytes - 1
        handle = {
            "owner": self._owner, "video": given["video"], "token": given.get("uploadToken") or "",
            "parts": [
                [one["uploadUrl"], one.get("firstByte", 0), one.get("lastByte", last)]
                for one in given["uploadInstructions"]
            ],
            "expires_at": given.get("uploadUrlsExpireAt"), "thumbnail_url": given.get("thumbnailUploadUrl"),
            "etags": [], "sealed": False, "warning": None,
        }  # fmt: skip
        await self._context.save_handle(handle)
        return handle

    async def _earlier(self) -> dict[str, Any] | None:
        """The handle of an attempt before, as far as LinkedIn still knows of it; it is asked, never guessed."""
        earlier = dict(self._context.earlier or {})
        if not earlier.get("video") or earlier.get("owner") != self._owner:
            return None
        match await self._state(earlier["video"]):
            case {"status": "PROCESSING" | "AVAILABLE" as status}:
                self._is_ready = status == "AVAILABLE"
                return {**earlier, "sealed": True}
            case {"status": "WAITING_UPLOAD"} if not earlier["sealed"] and self._lives(earlier):
                return earlier
        return None

    def _lives(self, handle: Handle) -> bool:
        """Whether its addresses do; they end at a time in milliseconds."""
        end = handle.get("expires_at")
        return not end or self._context.now().timestamp() * 1000 < end

    async def _state(self, urn: str) -> dict[str, Any]:
        answer = await self._linkedin.call("GET", f"/videos/{encoded(urn)}", ok={200, 404})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return {}
        state: dict[str, Any] = answer.json()
        return state

    async def _send(self) -> None:
        if self._handle["sealed"]:
            return
        parts, etags = self._handle["parts"], self._handle["etags"]
        for url, first, last in parts[len(etags) :]:
            etags = [*etags, await self._send_part(url, first, last)]
            await self._keep(etags=etags)
        await self._send_thumbnail()
        sealed = {"video": self._handle["video"], "uploadToken": self._handle["token"], "uploadedPartIds": etags}
        await self._linkedin.call("POST", "/videos?action=finalizeUpload", json={"finalizeUploadRequest": sealed})
        await self._keep(sealed=True)

    async def _send_part(self, url: str, first: int, last: int) -> str:
        length, total = last - first + 1, self._post.video_bytes

        def sent(done: int) -> None:
            self._context.progress(_STAGE_SENT * (first + done) / total, "uploading")

        answer = await self._linkedin.put(
            url, stream=file_bytes(self._post.video, first, length, sent), ok=OK | _ADDRESS_ENDED,
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(length)},
        )  # fmt: skip
        if answer.status_code in _ADDRESS_ENDED:
            raise _Ended(f"{answer.status_code}: {words(answer)}")
        etag: str = answer.headers.get("ETag", "").strip('"')
        if not etag:
            raise RetryableError("LinkedIn took a part of the video and gave no receipt (ETag)")
        return etag

    async def _send_thumbnail(self) -> None:
        """Without it LinkedIn chooses a picture: worth a warning, and no failure."""
        url, picture = self._handle["thumbnail_url"], self._post.thumbnail
        if not url or picture is None:
            return
        try:
            headers = {
                "Content-Type": "application/octet-stream", "media-type-family": "STILLIMAGE",
                "Content-Length": str(picture.stat().st_size),
            }  # fmt: skip
            await self._linkedin.put(url, stream=file_bytes(picture), headers=headers)
        except RetryableError:
            raise
        except WorkError as error:
            await self._keep(warning=f"LinkedIn did not take the thumbnail: {error.detail}")

    async def _wait(self) -> None:
        seconds = iter(_POLL_SECONDS)
        self._context.progress(_STAGE_SENT, "waiting for LinkedIn's processing")
        while (state := await self._state(self._handle["video"])).get("status") != "AVAILABLE":
            if state.get("status") == "PROCESSING_FAILED":
                reason = str(state.get("processingFailureReason") or "no reason was given")[:500]
                raise PermanentError(f"LinkedIn could not process the video: {reason}")
            if not state:
                raise RetryableError("LinkedIn does not know the video any more: it is uploaded again")
            await self._context.sleep(next(seconds, _POLL_SECONDS[-1]))
