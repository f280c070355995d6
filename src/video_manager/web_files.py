"""Stored files over HTTP: whole or by one byte range, cached by their content, the same for every file store."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from video_manager.errors import NotFound
from video_manager.ports import FileStore, StoredFile

PRIVATE = "private, no-cache"
"""Browsers keep the bytes but ask each time, so that a signed-out person sees nothing."""
PUBLIC = "public, max-age=3600"

_RANGE = re.compile(r"bytes=\s*(\d*)\s*-\s*(\d*)\s*", re.ASCII)
_DIGITS = 18
"""Longer numbers are beyond every file."""


@dataclass(frozen=True)
class ByteRange:
    """Bytes start..end, end exclusive."""

    start: int
    end: int


class Unsatisfiable(Exception):
    """The range begins behind the last byte."""


def parse_range(header: str, size_bytes: int) -> ByteRange | None:
    """The single range of a `Range` header; None when the whole file is the right answer (another unit, several
    ranges, nonsense: RFC 9110 lets a server ignore those). Raises Unsatisfiable."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if len(first) > _DIGITS or len(last) > _DIGITS:
        if len(first) > _DIGITS:
            raise Unsatisfiable
        last = ""
    if not first:
        length = min(int(last or size_bytes), size_bytes)
        if length == 0:
            raise Unsatisfiable
        return ByteRange(size_bytes - length, size_bytes)
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size_bytes:
        raise Unsatisfiable
    return ByteRange(start, min(int(last) + 1, size_bytes) if last else size_bytes)


async def file_response(
    files: FileStore, file_id: str, request: Request, content_type: str, *, download_name: str | None = None,
    cache_control: str = PRIVATE,
) -> Response:  # fmt: skip
    """Answer GET or HEAD with 200, 206, 304, 412 or 416. `download_name` makes browsers save it under that name.

    Raises NotFound when the file is not in the store.
    """
    stored = await files.stat(file_id)
    if stored is None:
        raise NotFound("the bytes of this file are gone: they were deleted, or their time of keeping ended")
    headers = _headers(stored, cache_control, download_name)
    if _precondition_failed(request, stored):
        return Response(status_code=412, headers=headers)
    if _unchanged(request, stored):
        return Response(status_code=304, headers=headers)
    headers["Content-Type"] = content_type
    part = None
    if request.headers.get("range") and _range_applies(request, stored):
        try:
            part = parse_range(request.headers["range"], stored.size_bytes)
        except Unsatisfiable:
            headers["Content-Range"] = f"bytes */{stored.size_bytes}"
            return Response(status_code=416, headers=headers)
    start, end = (part.start, part.end) if part else (0, stored.size_bytes)
    headers["Content-Length"] = str(end - start)
    if part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{stored.size_bytes}"
    status = 206 if part else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(files.read(file_id, start, end), status_code=status, headers=headers)


def _headers(stored: StoredFile, cache_control: str, download_name: str | None) -> dict[str, str]:
    headers = {
        "ETag": _etag(stored),
        "Last-Modified": format_datetime(_seconds(stored.created_at), usegmt=True),
        "Accept-Ranges": "bytes",
        "Cache-Control": cache_control,
        "X-Content-Type-Options": "nosniff",
        # Whatever the bytes are, a browser that opens them alone must not run anything.
        "Content-Security-Policy": "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'",
    }
    if download_name is not None:
        plain = re.sub(r"[^A-Za-z0-9._ -]", "_", download_name)
        encoded = quote(download_name, safe="")
        headers["Content-Disposition"] = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    return headers


def _etag(stored: StoredFile) -> str:
    return f'"{stored.sha256 or stored.id}"'


def _listed(header: str, etag: str, *, weak: bool) -> bool:
    names = [part.strip() for part in header.split(",")]
    return "*" in names or etag in (name.removeprefix("W/") if weak else name for name in names)


def _precondition_failed(request: Request, stored: StoredFile) -> bool:
    wanted = request.headers.get("if-match")
    return wanted is not None and not _listed(wanted, _etag(stored), weak=False)


def _unchanged(request: Request, stored: StoredFile) -> bool:
    known = request.headers.get("if-none-match")
    if known is not None:
        return _listed(known, _etag(stored), weak=True)
    since = _date(request.headers.get("if-modified-since"))
    return since is not None and _seconds(stored.created_at) <= since


def _range_applies(request: Request, stored: StoredFile) -> bool:
    """`If-Range`: a part only of the very bytes the client has already."""
    condition = request.headers.get("if-range")
    if condition is None:
        return True
    if condition.startswith(('"', "W/")):
        return condition == _etag(stored)
    date = _date(condition)
    return date is not None and date == _seconds(stored.created_at)


def _seconds(value: datetime) -> datetime:
    """HTTP dates have whole seconds, in GMT."""
    return value.astimezone(UTC).replace(microsecond=0)


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo is not None else None
