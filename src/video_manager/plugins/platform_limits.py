"""Faults that a platform would refuse, found from a post's facts before anything is sent."""

from collections.abc import Iterator

from video_manager.domain.video import Finding, Severity
from video_manager.plugins.plugin import PlatformLimits
from video_manager.plugins.publisher_api import Post


def fault(
    platform: str, code: str, message: str, *, measured: float | None = None, limit: float | None = None,
    unit: str | None = None, severity: Severity = Severity.ERROR,
) -> Finding:  # fmt: skip
    """One thing that the platform would refuse, or (a warning) do otherwise than people expect."""
    return Finding(
        check=platform, code=code, severity=severity, message=message, measured=measured, limit=limit, unit=unit
    )


def beyond(platform: str, post: Post, limits: PlatformLimits) -> tuple[Finding, ...]:
    """Where the post exceeds these limits. A fact that is not known (0) is not judged."""
    return tuple(_beyond(platform, post, limits))


def _beyond(platform: str, post: Post, limits: PlatformLimits) -> Iterator[Finding]:
    seconds, aspect = post.duration_seconds, post.width / post.height if post.height else 0.0
    most = (
        ("too_long", "the video lasts", seconds, limits.max_duration_seconds, "s"),
        ("too_large", "the video has", float(post.video_bytes), limits.max_size_bytes, "bytes"),
        ("too_wide", "the picture's width by its height is", aspect, limits.max_aspect, ""),
        ("title_too_long", "the title has", float(len(post.title)), limits.max_title_characters, "characters"),
        (
            "description_too_long", "the description has", float(len(post.description)),
            limits.max_description_characters, "characters",
        ),
        ("tags_too_long", "the tags have", float(sum(map(len, post.tags))), limits.max_tags_characters, "characters"),
    )  # fmt: skip
    for code, subject, measured, limit, unit in most:
        if limit is not None and measured > limit:
            message = f"{subject} {_number(measured)} {unit}".rstrip() + f"; at most {_number(limit)} are allowed"
            yield fault(platform, code, message, measured=measured, limit=limit, unit=unit or None)
    least = (
        ("too_short", "the video lasts", seconds, limits.min_duration_seconds, "s"),
        ("too_narrow", "the picture's width by its height is", aspect, limits.min_aspect, ""),
    )
    for code, subject, measured, limit, unit in least:
        if limit is not None and 0 < measured < limit:
            message = f"{subject} {_number(measured)} {unit}".rstrip() + f"; at least {_number(limit)} are needed"
            yield fault(platform, code, message, measured=measured, limit=limit, unit=unit or None)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
