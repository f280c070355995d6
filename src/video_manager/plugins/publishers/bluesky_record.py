"""A post as Bluesky stores it: its text, the marked parts of it, and the key that makes it unique."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import regex

from video_manager.plugins.api import Post

COLLECTION = "app.bsky.feed.post"
MOST_GRAPHEMES = 300
MOST_TEXT_BYTES = 3000
MOST_TAG_GRAPHEMES = 64
_LINK = regex.compile(r"(?<![\p{L}\p{N}])https?://[^\s<>\"]+")
_TAG = regex.compile(r"(?<!\S)#([\p{L}\p{N}_][\p{L}\p{N}\p{M}_-]*)")
_LANGUAGE = regex.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{1,8})*")
_KEY_LETTERS = "234567abcdefghijklmnopqrstuvwxyz"
_KEY_EPOCH = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1_000_000)
_KEY_TIME_BITS, _KEY_CLOCK_BITS = 46, 10


def key_of(publication_id: str) -> str:
    """The record key of a publication's post: a valid TID (13 characters), the same through all its attempts.

    A TID is microseconds since 1970 and 10 bits that tell clocks apart. Here all of it comes from the publication's id,
    56 bits in all, from 2024 and the two years after it: a key from the future would be one that others might refuse.
    """
    number = int.from_bytes(hashlib.sha256(publication_id.encode()).digest())
    clock = number & ((1 << _KEY_CLOCK_BITS) - 1)
    time = _KEY_EPOCH + ((number >> _KEY_CLOCK_BITS) & ((1 << _KEY_TIME_BITS) - 1))
    value = (time << _KEY_CLOCK_BITS) | clock
    return "".join(_KEY_LETTERS[(value >> shift) & 31] for shift in range(60, -1, -5))


def text_of(post: Post) -> str:
    """The title, the description, and the tags as hashtags."""
    tags = ("".join(part for part in tag if part.isalnum() or part in "_-") for tag in post.tags)
    hashtags = " ".join(f"#{tag}" for tag in tags if tag)
    return "\n\n".join(part.strip() for part in (post.title, post.description, hashtags) if part.strip())


def graphemes(text: str) -> int:
    """How many characters people see, as Bluesky counts them."""
    return len(regex.findall(r"\X", text))


def facets_of(text: str) -> list[dict[str, Any]]:
    """Its links and hashtags: Bluesky finds none by itself. Their places are counted in bytes of UTF-8."""
    return sorted([*_links(text), *_tags(text)], key=lambda facet: int(facet["index"]["byteStart"]))


def language_of(post: Post) -> str | None:
    return post.language if _LANGUAGE.fullmatch(post.language) else None


def record_of(
    post: Post, video: Mapping[str, Any], captions: Mapping[str, Any] | None, extra: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """The record to be made; `extra` holds the post's alt text, label and presentation."""
    language = language_of(post)
    embed: dict[str, Any] = {"$type": "app.bsky.embed.video", "video": video}
    embed["alt"] = extra["alt_text"] or post.title
    if post.width and post.height:
        embed["aspectRatio"] = {"width": post.width, "height": post.height}
    if captions is not None:
        embed["captions"] = [{"lang": language or "en", "file": captions}]
    if extra["presentation"] != "default":
        embed["presentation"] = extra["presentation"]
    text = text_of(post)
    record: dict[str, Any] = {
        "$type": COLLECTION, "text": text, "createdAt": _instant(now), "embed": embed, "facets": facets_of(text),
    }  # fmt: skip
    if language:
        record["langs"] = [language]
    if extra["label"] != "none":
        record["labels"] = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": extra["label"]}]}
    return record


def _links(text: str) -> Iterator[dict[str, Any]]:
    for match in _LINK.finditer(text):
        url = match.group().rstrip(".,;:!?'*")
        if url.endswith(")") and "(" not in url:
            url = url[:-1]
        start = match.start()
        yield _facet(text, start, start + len(url), [{"$type": "app.bsky.richtext.facet#link", "uri": url}])


def _tags(text: str) -> Iterator[dict[str, Any]]:
    for match in _TAG.finditer(text):
        tag = match.group(1)
        if graphemes(tag) <= MOST_TAG_GRAPHEMES and not tag.isdigit():
            features = [{"$type": "app.bsky.richtext.facet#tag", "tag": tag}]
            yield _facet(text, match.start(), match.end(), features)


def _facet(text: str, start: int, end: int, features: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    index = {"byteStart": len(text[:start].encode()), "byteEnd": len(text[:end].encode())}
    return {"index": index, "features": list(features)}


def _instant(now: datetime) -> str:
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
