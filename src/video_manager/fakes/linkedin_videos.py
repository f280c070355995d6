"""Videos on their way to LinkedIn: uploads that are begun, take what was promised with them, and are sealed.

Strict: each part exactly on its own address and range and in order, receipts in order, captions as SubRip in a form
with all that is to be said about them, and no seal before everything that was promised is there.
"""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from video_manager.fakes.bytes_in import Arrived, take

PART_BYTES = 4 * 2**20
LEAST_BYTES, MOST_BYTES = 75_000, 500 * 10**6
ADDRESS_SECONDS = 3600.0
EXTRAS = {"captions": "uploadCaptions", "thumbnail": "uploadThumbnail"}
"""What can go along with a video, and how it is promised."""
_CAPTIONS = {
    "format": "SRT", "formattedForEasyReader": True, "largeText": True, "source": "USER_PROVIDED",
    "transcriptType": "CLOSED_CAPTION",
}  # fmt: skip
_CUE = re.compile(r"\d+\n(\d\d:\d\d:\d\d,\d{3}) --> (\d\d:\d\d:\d\d,\d{3})\n[^\n]+(?:\n[^\n]+)*")


class Refusal(Exception):
    """An error answer of LinkedIn's API."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.answer = JSONResponse({"status": status, "code": code, "message": message, **more}, status)


@dataclass
class Video:
    """`promised` are the extras that the begin announced, `arrived_extras` those that came: the captions as text, the
    thumbnail's size in bytes."""

    urn: str
    owner: str
    size_bytes: int
    token: str
    ends_at: float
    promised: frozenset[str]
    arrived: Arrived = field(default_factory=Arrived)
    etags: list[str] = field(default_factory=list)
    arrived_extras: dict[str, Any] = field(default_factory=dict)
    status: str = "WAITING_UPLOAD"
    polls: int = 1
    """Questions that are answered PROCESSING."""

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """First and last byte of each part; that of the last one reaches beyond the file."""
        return [(start, start + PART_BYTES - 1) for start in range(0, self.size_bytes, PART_BYTES)]


class VideoUploads:
    """`takes`: the extras that are not refused."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.takes = set(EXTRAS)
        self.failure: str | None = None
        """Why processing fails."""
        self.videos: dict[str, Video] = {}

    def begin(self, wanted: Mapping[str, Any]) -> Response:
        size = wanted["fileSizeBytes"]
        if not LEAST_BYTES <= size <= MOST_BYTES:
            raise Refusal(400, "INVALID_REQUEST", f"fileSizeBytes {size} is not allowed")
        if not all(isinstance(wanted.get(promise, False), bool) for promise in EXTRAS.values()):
            raise Refusal(400, "INVALID_REQUEST", "uploadCaptions and uploadThumbnail must be true or false")
        promised = frozenset(name for name, promise in EXTRAS.items() if wanted.get(promise))
        id = secrets.token_hex(8)
        ends_at = self.now() + ADDRESS_SECONDS
        video = Video(f"urn:li:video:{id}", wanted["owner"], size, secrets.token_urlsafe(6), ends_at, promised)
        self.videos[id] = video
        base = f"https://www.linkedin.com/dms-uploads/{id}"
        value = {
            "uploadUrlsExpireAt": int(ends_at * 1000), "video": video.urn, "uploadToken": video.token,
            "uploadInstructions": [
                {"uploadUrl": f"{base}/{number}?sig={video.token}", "firstByte": first, "lastByte": last}
                for number, (first, last) in enumerate(video.ranges)
            ],
        }  # fmt: skip
        value |= {f"{name}UploadUrl": f"{base}/{name}?sig={video.token}" for name in promised}
        return JSONResponse({"value": value})

    # ---- what comes to the upload's addresses ---------------------------------------------------------------

    async def part(self, request: Request) -> Response:
        video, number = self._addressed(request), request.path_params["part"]
        if number > len(video.etags) or number >= len(video.ranges):
            raise Refusal(400, "BAD_REQUEST", "this fake takes parts in order only")
        first, last = video.ranges[number]
        length = min(last, video.size_bytes - 1) - first + 1
        again = number < len(video.etags)
        arrived = Arrived() if again else video.arrived.copy()
        try:
            taken = await take(request, arrived, length)
        except ValueError:
            taken = -1
        if taken != length:
            raise Refusal(400, "BAD_REQUEST", f"part {number} must have exactly {length} bytes from {first} on")
        if not again:
            video.arrived = arrived
            video.etags.append(f"/ambry-video/{secrets.token_hex(6)}-{number}")
        return Response(status_code=200, headers={"ETag": f'"{video.etags[number]}"'})

    async def thumbnail(self, request: Request) -> Response:
        video = self._addressed(request, promise="thumbnail")
        if request.headers.get("media-type-family") != "STILLIMAGE":
            raise Refusal(400, "BAD_REQUEST", "this is no picture")
        video.arrived_extras["thumbnail"] = await take(request, Arrived())
        return Response(status_code=201)

    async def captions(self, request: Request) -> Response:
        video = self._addressed(request, promise="captions", content_type="multipart/form-data")
        async with request.form() as form:
            about, file = form.get("metadata"), form.get("file")
            if set(form) != {"metadata", "file"} or not isinstance(about, str) or not isinstance(file, UploadFile):
                raise Refusal(400, "BAD_REQUEST", "a form with metadata and file is needed")
            _check_about(json.loads(about))
            video.arrived_extras["captions"] = _checked_captions((await file.read()).decode())
        return Response(status_code=201)

    def _addressed(
        self, request: Request, promise: str | None = None, content_type: str = "application/octet-stream"
    ) -> Video:
        video = self.videos.get(request.path_params["id"])
        if video is None or request.query_params.get("sig") != video.token or self.now() > video.ends_at:
            raise Refusal(403, "FORBIDDEN", "the upload address is not valid (any more)")
        if request.headers.get("Content-Type", "").partition(";")[0] != content_type:
            raise Refusal(400, "BAD_REQUEST", f"Content-Type must be {content_type}")
        if "Authorization" in request.headers:
            raise Refusal(400, "BAD_REQUEST", "an upload address is signed by itself")
        if promise is not None and (promise not in video.promised or promise not in self.takes):
            raise Refusal(400, "BAD_REQUEST", f"no {promise} can be taken here")
        if video.status != "WAITING_UPLOAD":
            raise Refusal(400, "BAD_REQUEST", "the upload is finalized")
        return video

    # ---- the whole ------------------------------------------------------------------------------------------

    def seal(self, given: Mapping[str, Any]) -> Response:
        video = self.known(given["video"])
        if video.status != "WAITING_UPLOAD" or given["uploadToken"] != video.token:
            raise Refusal(400, "INVALID_REQUEST", "this upload cannot be finalized")
        if given["uploadedPartIds"] != video.etags or len(video.etags) != len(video.ranges):
            raise Refusal(400, "INVALID_REQUEST", "uploadedPartIds are not those of all parts in order")
        missing = video.promised - set(video.arrived_extras)
        if missing:
            raise Refusal(400, "INVALID_REQUEST", f"promised and never uploaded: {', '.join(sorted(missing))}")
        video.status = "PROCESSING"
        return Response(status_code=200)

    def known(self, urn: str) -> Video:
        video = self.videos.get(urn.rpartition(":")[2])
        if video is None:
            raise Refusal(404, "NOT_FOUND", f"{urn} does not exist")
        return video

    def show(self, urn: str) -> Response:
        video = self.known(urn)
        if video.status == "PROCESSING":
            video.polls -= 1
            if video.polls < 0:
                video.status = "PROCESSING_FAILED" if self.failure else "AVAILABLE"
        failure = {"processingFailureReason": self.failure} if video.status == "PROCESSING_FAILED" else {}
        return JSONResponse({"id": video.urn, "owner": video.owner, "status": video.status, **failure})


def _check_about(about: Mapping[str, Any]) -> None:
    locale = about.get("locale", {})
    letters = [locale.get("language", ""), *([locale["country"]] if "country" in locale else [])]
    if {name: about.get(name) for name in _CAPTIONS} != _CAPTIONS or set(about) != {*_CAPTIONS, "locale"}:
        raise Refusal(400, "BAD_REQUEST", "the captions' metadata are not complete")
    if not all(re.fullmatch(r"[A-Z]{2,3}", part) for part in letters):
        raise Refusal(400, "BAD_REQUEST", "locale must name a language, and may name a country")


def _checked_captions(text: str) -> str:
    cues = [_CUE.fullmatch(cue) for cue in text.strip("\n").split("\n\n")]
    if not all(cue is not None and cue[1] <= cue[2] for cue in cues):
        raise Refusal(400, "BAD_REQUEST", "the captions are no SubRip")
    return text
