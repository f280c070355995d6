"""Google's resumable uploads: sessions, chunks of multiples of 256 KiB, exact offsets, 308 until the last byte."""

import asyncio
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from video_manager.fakes.bytes_in import Arrived
from video_manager.fakes.google_discovery import Method, Wrong

GRANULE_BYTES = 256 * 1024
SESSION_SECONDS = 7 * 86400.0
_RANGE = re.compile(r"bytes (?:(?P<first>\d+)-(?P<last>\d+)|\*)/(?P<total>\d+)")


@dataclass
class Session:
    """One upload under way. `resource` is what came with its creation; `made` what came of it."""

    id: str
    owner: str
    total_bytes: int
    content_type: str
    file_name: str
    resource: dict[str, Any]
    until: float
    arrived: Arrived = field(default_factory=Arrived)
    made: dict[str, Any] | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Two chunks at once: the later one finds what the earlier one has stored."""


@dataclass
class Sessions:
    """`finish` makes the resource out of a session whose last byte has come."""

    now: Callable[[], float]
    finish: Callable[[Session], dict[str, Any]]
    open: dict[str, Session] = field(default_factory=dict)

    def begin(self, request: Request, method: Method, owner: str, resource: dict[str, Any]) -> Session:
        """Raises Wrong."""
        size = request.headers.get("X-Upload-Content-Length", "")
        kind = request.headers.get("X-Upload-Content-Type", "")
        if not size.isdigit() or int(size) == 0:
            raise Wrong(400, "mediaBodyRequired", "The request does not include the content that is to be uploaded.")
        if int(size) > method.most_media_bytes:
            raise Wrong(413, "uploadTooLarge", "Request Too Large", "global")
        if not method.takes(kind):
            raise Wrong(400, "badContent", f"Media type '{kind}' is not supported.", "global")
        session = Session(
            secrets.token_urlsafe(24), owner, int(size), kind, request.headers.get("Slug", "unknown"), resource,
            self.now() + SESSION_SECONDS,
        )  # fmt: skip
        self.open[session.id] = session
        return session

    async def put(self, request: Request) -> dict[str, Any] | Response:
        """What was made, or 308 with what is stored so far. Raises Wrong."""
        session = self.open.get(request.query_params.get("upload_id", ""))
        if session is None:
            raise Wrong(404, "notFound", "Upload session not found.", "global")
        if self.now() >= session.until:
            raise Wrong(410, "uploadSessionExpired", "The upload session has expired.", "global")
        async with session.turn:
            return await self._take(request, session)

    async def _take(self, request: Request, session: Session) -> dict[str, Any] | Response:
        if session.made is not None:
            return session.made
        length = request.headers.get("Content-Length", "")
        if not length.isdigit():
            raise Wrong(411, "lengthRequired", "Content-Length is needed.", "global")
        if self._first(request, session, int(length)) is not None:
            await _store(request, session)
        if session.arrived.size_bytes == session.total_bytes:
            session.made = self.finish(session)
            return session.made
        return _so_far(session)

    @staticmethod
    def _first(request: Request, session: Session, length: int) -> int | None:
        """Where the bytes begin; None: it only asks. Raises Wrong."""
        header = request.headers.get("Content-Range", f"bytes 0-{session.total_bytes - 1}/{session.total_bytes}")
        found = _RANGE.fullmatch(header)
        if found is None or int(found["total"]) != session.total_bytes:
            raise _invalid(f"Failed to parse Content-Range header: {header}")
        if found["first"] is None:
            if length:
                raise _invalid("a question about the upload has no body")
            return None
        first, last, stored = int(found["first"]), int(found["last"]), session.arrived.size_bytes
        if first != stored:
            raise _invalid(
                f"Invalid request. According to the Content-Range header, the upload offset is {first} byte(s), "
                f"which is not the already uploaded size of {stored} byte(s)."
            )
        if last - first + 1 != length or last >= session.total_bytes:
            raise _invalid("Invalid request. The Content-Range header does not fit the body.")
        if last + 1 < session.total_bytes and length % GRANULE_BYTES:
            raise _invalid(f"Invalid request. There were {length} byte(s) in the request body, no multiple of 262144.")
        return first


async def _store(request: Request, session: Session) -> None:
    """Whole granules are kept as they come, and the rest with the last byte only: as when a connection breaks."""
    rest = bytearray()
    async for piece in request.stream():
        rest += piece
        whole = len(rest) - len(rest) % GRANULE_BYTES
        if whole:
            session.arrived.add(bytes(rest[:whole]))
            del rest[:whole]
    session.arrived.add(bytes(rest))


def _so_far(session: Session) -> Response:
    stored = session.arrived.size_bytes
    return Response(status_code=308, headers={"Range": f"bytes=0-{stored - 1}"} if stored else {})


def _invalid(message: str) -> Wrong:
    return Wrong(400, "badRequest", message, "global")
