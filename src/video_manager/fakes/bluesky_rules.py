"""What a Bluesky server refuses in a post, by its lexicon."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import regex
from starlette.requests import Request

from video_manager.fakes.bytes_in import Arrived, take

COLLECTION = "app.bsky.feed.post"
MOST_GRAPHEMES, MOST_TEXT_BYTES = 300, 3000
MOST_CAPTIONS, MOST_CAPTION_BYTES, MOST_VIDEO_BYTES = 20, 20_000, 300_000_000
_TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass
class Wrong(Exception):
    """An error answer of the AT Protocol."""

    status: int
    code: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


def check_key(key: Any) -> str:
    if not isinstance(key, str) or not _TID.fullmatch(key):
        raise _invalid("Invalid record key: the record key for a post must be a TID")
    return key


def check_record(record: Mapping[str, Any], blobs: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises Wrong for a post that is none, or that names blobs which were never uploaded."""
    text = record.get("text")
    if record.get("$type") != COLLECTION or not isinstance(text, str):
        raise _invalid('Record must have the property "text"')
    if len(text.encode()) > MOST_TEXT_BYTES:
        raise _invalid(f"Record/text must not be longer than {MOST_TEXT_BYTES} bytes")
    if len(regex.findall(r"\X", text)) > MOST_GRAPHEMES:
        raise _invalid(f"Record/text grapheme too big (maximum {MOST_GRAPHEMES})")
    _check_instant(record.get("createdAt"))
    for facet in record.get("facets", []):
        _check_facet(facet, len(text.encode()))
    if len(record.get("langs", [])) > 3:
        raise _invalid("Record/langs must not have more than 3 elements")
    _check_embed(record.get("embed", {}), blobs)


def _check_instant(value: Any) -> None:
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise _invalid("Record/createdAt must be an valid atproto datetime (both RFC-3339 and ISO-8601)")


def _check_facet(facet: Mapping[str, Any], size: int) -> None:
    index = facet.get("index", {})
    start, end = index.get("byteStart"), index.get("byteEnd")
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end <= size:
        raise _invalid("Record/facets index is out of the text")
    for feature in facet.get("features", []):
        kind = feature.get("$type")
        needed = {"app.bsky.richtext.facet#link": "uri", "app.bsky.richtext.facet#tag": "tag"}.get(kind)
        if needed is None or not feature.get(needed):
            raise _invalid(f"Record/facets has a wrong feature {kind}")


def _check_embed(embed: Mapping[str, Any], blobs: Mapping[str, Mapping[str, Any]]) -> None:
    if embed.get("$type") != "app.bsky.embed.video":
        raise _invalid("Record/embed: this fake takes videos only")
    _check_blob(embed.get("video", {}), "video/mp4", MOST_VIDEO_BYTES, blobs)
    aspect = embed.get("aspectRatio")
    if aspect is not None and not all(
        isinstance(aspect.get(side), int) and aspect[side] >= 1 for side in ("width", "height")
    ):
        raise _invalid("Record/embed/aspectRatio must have a width and a height of at least 1")
    captions = embed.get("captions", [])
    if len(captions) > MOST_CAPTIONS:
        raise _invalid(f"Record/embed/captions must not have more than {MOST_CAPTIONS} elements")
    for one in captions:
        if not one.get("lang"):
            raise _invalid('Record/embed/captions must have the property "lang"')
        _check_blob(one.get("file", {}), "text/vtt", MOST_CAPTION_BYTES, blobs)


def _check_blob(
    blob: Mapping[str, Any], mime_type: str, most_bytes: int, blobs: Mapping[str, Mapping[str, Any]]
) -> None:
    cid = blob.get("ref", {}).get("$link")
    known = blobs.get(cid)
    if known is None:
        raise Wrong(400, "BlobNotFound", f"Could not find blob: {cid}")
    if blob.get("mimeType") != known["blob"]["mimeType"]:
        raise Wrong(400, "InvalidMimeType", "Referenced Mimetype does not match stored blob.")
    if blob.get("size") != known["blob"]["size"]:
        raise Wrong(400, "InvalidSize", "Referenced Size does not match stored blob.")
    if blob["mimeType"] != mime_type or blob["size"] > most_bytes:
        raise _invalid(f"Record/embed: a blob must be {mime_type} of at most {most_bytes} bytes")


def _invalid(message: str) -> Wrong:
    return Wrong(400, "InvalidRequest", f"Invalid {COLLECTION} record: {message}")


async def taken(request: Request, most_bytes: int) -> Arrived:
    """The request's body. Raises Wrong when it is larger, or has not as many bytes as it says."""
    arrived = Arrived()
    size = request.headers.get("content-length", "")
    if size.isdigit() and int(size) > most_bytes:
        async for _piece in request.stream():
            pass
        raise Wrong(413, "PayloadTooLarge", "request entity too large")
    try:
        await take(request, arrived, most_bytes)
    except ValueError as error:
        raise Wrong(413, "PayloadTooLarge", "request entity too large") from error
    if size.isdigit() and int(size) != arrived.size_bytes:
        raise Wrong(400, "InvalidRequest", "the body is shorter than it says")
    return arrived
