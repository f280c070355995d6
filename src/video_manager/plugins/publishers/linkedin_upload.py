"""A video on its way to LinkedIn: captions and thumbnail, then the parts, each to its own address, then the seal, then
the wait until it can be posted.

Nothing of it is public. What is kept in the handle is all it takes to go on: the video's name, the addresses, and the
receipts (ETags) of the parts that are there.

Captions and thumbnail are promised when the upload begins, and LinkedIn may wait for what was promised. So they go
first: where one is refused, the upload begins anew without it, before a byte of the video was sent.
"""

import asyncio
from typing import Any

import httpx

from video_manager.errors import LimitReached, PermanentError, RetryableError, WorkError
from video_manager.plugins.api import Handle, Post, PublisherContext
from video_manager.plugins.platform_http import OK, file_bytes, words
from video_manager.plugins.publishers.linkedin_api import LinkedIn, encoded
from video_manager.plugins.publishers.linkedin_captions import MOST_BYTES, converted, form_of

_ADDRESS_ENDED = frozenset({400, 401, 403, 404, 410})
_STAGE_SENT = 0.9
"""Of the progress; the rest is LinkedIn's work."""
_POLL_SECONDS = (2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
"""Ever more seldom: every question counts against the day's calls."""
_LONGEST_REASON = 300


class _Ended(Exception):
    """An upload address is not taken any more."""


class VideoUpload:
    def __init__(self, linkedin: LinkedIn, context: PublisherContext, owner: str, post: Post) -> None:
        self._linkedin = linkedin
        self._context = context
        self._owner = owner
        self._post = post
        self._handle: dict[str, Any] = {}
        self._subrip = b""
        self._is_resumed = False
        self._is_ready = False

    async def run(self) -> Handle:
        """Returns when the video can be posted."""
        found = await self._earlier()
        self._is_resumed = found is not None
        self._handle = found or {name: one for name, one in self._before.items() if name in ("faults", "without")}
        if not self._handle.get("sealed"):
            await self._read_captions()
            if not self._is_resumed or set(self._handle["extras"]) - set(self._promised):
                await self._begin()
        try:
            await self._send()
        except _Ended:
            await self._begin()
            try:
                await self._send()
            except _Ended as error:
                raise RetryableError(f"LinkedIn does not take the video: {error}") from error
        if not self._is_ready:
            await self._wait()
        return self._handle

    @property
    def _before(self) -> dict[str, Any]:
        return dict(self._context.earlier or {})

    async def _read_captions(self) -> None:
        """Ready to be sent; what cannot be is left out, and that is told with the published post."""
        captions = self._post.captions
        if captions is None or "captions" in self._without:
            return
        if self._post.captions_bytes > MOST_BYTES:
            self._leave_out("captions", f"the captions are left out: more than {MOST_BYTES:,} bytes")
            return
        try:
            self._subrip = await asyncio.to_thread(converted, captions)
        except PermanentError as error:
            self._leave_out("captions", error.detail)

    @property
    def _without(self) -> dict[str, str]:
        """What goes not along with the video, and why."""
        kept: dict[str, str] = self._handle.get("without", {})
        return kept

    def _leave_out(self, name: str, reason: str) -> None:
        self._handle["without"] = self._without | {name: reason[:_LONGEST_REASON]}

    @property
    def _promised(self) -> list[str]:
        """What goes along with the video, by the names of LinkedIn's addresses for it."""
        wanted = {"captions": bool(self._subrip), "thumbnail": self._post.thumbnail is not None}
        return [name for name, is_there in wanted.items() if is_there and name not in self._without]

    async def _keep(self, **changes: Any) -> None:
        self._handle |= changes
        await self._context.save_handle(self._handle)

    async def _begin(self) -> None:
        promised = self._promised
        wanted = {
            "owner": self._owner, "fileSizeBytes": self._post.video_bytes, "uploadCaptions": "captions" in promised,
            "uploadThumbnail": "thumbnail" in promised,
        }  # fmt: skip
        path = "/videos?action=initializeUpload"
        answer = await self._linkedin.json("POST", path, json={"initializeUploadRequest": wanted})
        given = answer["value"]
        last = self._post.video_bytes - 1
        addresses = {name: given.get(f"{name}UploadUrl") for name in promised}
        self._is_resumed = False
        self._handle = {
            "owner": self._owner, "video": given["video"], "token": given.get("uploadToken") or "",
            # The range of the last part may reach beyond the file.
            "parts": [
                [one["uploadUrl"], one.get("firstByte", 0), min(one.get("lastByte", last), last)]
                for one in given["uploadInstructions"]
            ],
            "expires_at": given.get("uploadUrlsExpireAt"), "etags": [], "sealed": False, "without": self._without,
            "extras": {name: address for name, address in addresses.items() if address},
            "faults": self._handle.get("faults", {}), "warning": "; ".join(self._without.values()) or None,
        }  # fmt: skip
        await self._context.save_handle(self._handle)

    async def _earlier(self) -> dict[str, Any] | None:
        """The handle of an attempt before, as far as LinkedIn still knows of it; it is asked, never guessed."""
        earlier = self._before
        if not earlier.get("video") or earlier.get("owner") != self._owner:
            return None
        match await self._state(earlier["video"]):
            case {"status": "PROCESSING" | "AVAILABLE" as status}:
                self._is_ready = status == "AVAILABLE"
                return {**earlier, "sealed": True}
            case {"status": "WAITING_UPLOAD"} if not earlier["sealed"] and "extras" in earlier and self._lives(earlier):
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
        await self._send_extras()
        parts, etags = self._handle["parts"], self._handle["etags"]
        for url, first, last in parts[len(etags) :]:
            etags = [*etags, await self._send_part(url, first, last)]
            await self._keep(etags=etags)
        sealed = {"video": self._handle["video"], "uploadToken": self._handle["token"], "uploadedPartIds": etags}
        await self._linkedin.call("POST", "/videos?action=finalizeUpload", json={"finalizeUploadRequest": sealed})
        await self._keep(sealed=True)

    async def _send_part(self, url: str, first: int, last: int) -> str:
        length, total = last - first + 1, self._post.video_bytes

        def sent(done: int) -> None:
            self._context.progress(_STAGE_SENT * (first + done) / total, "uploading")

        answer = await self._linkedin.send(
            "PUT", url, stream=file_bytes(self._post.video, first, length, sent), ok=OK | _ADDRESS_ENDED,
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(length)},
        )  # fmt: skip
        if answer.status_code in _ADDRESS_ENDED:
            raise _Ended(f"{answer.status_code}: {words(answer)}")
        etag: str = answer.headers.get("ETag", "").strip('"')
        if not etag:
            raise RetryableError("LinkedIn took a part of the video and gave no receipt (ETag)")
        return etag

    async def _send_extras(self) -> None:
        """Captions and thumbnail. The video does not suffer from them: what LinkedIn refuses is left out, and a fault
        is tried again once, with the next attempt."""
        while extras := self._handle["extras"]:
            name, url = next(iter(extras.items()))
            try:
                await self._send_extra(name, url)
            except LimitReached:
                raise
            except WorkError as error:
                if self._is_resumed and not isinstance(error, RetryableError):
                    raise _Ended(error.detail) from error  # perhaps the address alone is too old
                faults = self._handle["faults"]
                if isinstance(error, RetryableError) and name not in faults:
                    await self._keep(faults=faults | {name: error.detail[:_LONGEST_REASON]})
                    raise
                self._leave_out(name, f"LinkedIn did not take the {name}: {error.detail}")
                await self._begin()
            else:
                await self._keep(extras={one: address for one, address in extras.items() if one != name})

    async def _send_extra(self, name: str, url: str) -> None:
        if name == "captions":
            await self._linkedin.send("POST", url, **form_of(self._subrip, self._post.language))
        elif self._post.thumbnail is not None:
            headers = {
                "Content-Type": "application/octet-stream", "media-type-family": "STILLIMAGE",
                "Content-Length": str(self._post.thumbnail.stat().st_size),
            }  # fmt: skip
            await self._linkedin.send("PUT", url, stream=file_bytes(self._post.thumbnail), headers=headers)

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
