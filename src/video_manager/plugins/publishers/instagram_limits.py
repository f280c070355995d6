"""What Instagram takes of a reel: its picture and its caption."""

import re
from collections.abc import Iterator

from video_manager.domain.video import Finding, Severity
from video_manager.plugins.api import PlatformLimits, Post
from video_manager.plugins.platform_limits import fault
from video_manager.plugins.publishers.meta_graph import frames_per_second, text_of

LIMITS = PlatformLimits(
    min_duration_seconds=3, max_duration_seconds=900, max_size_bytes=300 * 10**6, min_aspect=0.01, max_aspect=10
)
CAPTION_CHARACTERS, HASHTAGS, MENTIONS = 2200, 30, 20
LOWEST_RATE, HIGHEST_RATE, WIDEST = 23, 60, 1920
REELS_ASPECT = 9 / 16
TYPES = ("video/mp4", "video/quicktime")

_NAME = "instagram"
_HASHTAG, _MENTION = re.compile(r"#\w"), re.compile(r"(?<!\w)@\w")


def caption_of(post: Post) -> str:
    """Reels have one text: the title, the description, and the tags as hashtags."""
    return text_of(post.title, post.description, tags=post.tags)


def picture_faults(post: Post) -> Iterator[Finding]:
    rate = frames_per_second(post)
    if rate is not None and not LOWEST_RATE <= rate <= HIGHEST_RATE:
        text = f"the video has {rate:g} frames a second; {LOWEST_RATE} to {HIGHEST_RATE} are allowed"
        yield fault(_NAME, "frame_rate", text, measured=rate, unit="1/s")
    if post.width > WIDEST:
        text = f"the picture is {post.width} pixels wide; at most {WIDEST} are allowed"
        yield fault(_NAME, "too_many_pixels", text, measured=post.width, limit=WIDEST, unit="px")
    if post.video_type not in TYPES:
        yield fault(_NAME, "file_type", f"the video is {post.video_type}; MP4 or MOV is needed")
    if post.height and abs(post.width / post.height - REELS_ASPECT) > 0.01:
        text = f"the picture is {post.width} x {post.height}; reels are made for 9:16, and others get bars"
        yield fault(_NAME, "not_upright", text, severity=Severity.WARNING)


def text_faults(post: Post, thumb_offset_ms: int | None) -> Iterator[Finding]:
    caption = caption_of(post)
    counted = (
        ("caption_too_long", "characters", len(caption), CAPTION_CHARACTERS),
        ("too_many_hashtags", "hashtags", len(_HASHTAG.findall(caption)), HASHTAGS),
        ("too_many_mentions", "mentions", len(_MENTION.findall(caption)), MENTIONS),
    )
    for code, what, number, most in counted:
        if number > most:
            text = f"title, description and tags have {number:,} {what} together; {most:,} are allowed"
            yield fault(_NAME, code, text, measured=number, limit=most)
    end_ms = post.duration_seconds * 1000
    if thumb_offset_ms and 0 < end_ms <= thumb_offset_ms:
        text = f"the cover is chosen at {thumb_offset_ms} ms, and the video ends at {end_ms:.0f} ms"
        yield fault(_NAME, "thumb_offset", text, measured=thumb_offset_ms, limit=end_ms, unit="ms")
