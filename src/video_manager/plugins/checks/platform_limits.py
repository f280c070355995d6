"""Whether the platforms will take the video, and whether any player will like it."""

from collections.abc import Iterator

from pydantic import Field

from video_manager.domain.video import Finding, Severity
from video_manager.media.probing import MediaFacts, probe
from video_manager.plugins.api import Check, CheckInput, Context, Options, PlatformLimits

_ASPECT_TOLERANCE = 0.01
_DURATION_TOLERANCE_SECONDS = 0.05
_MEGABYTE = 1_000_000


class PlatformLimitsOptions(Options):
    platforms: tuple[str, ...] = Field(
        default=(), max_length=50, description="Only look at these platforms; none named: at all."
    )
    min_short_side: int = Field(default=360, ge=2, le=4320, description="Smaller pictures are mentioned (pixels).")
    min_seconds: float = Field(default=1.0, ge=0, le=60, description="Shorter videos are mentioned.")


class PlatformLimitsCheck(Check[PlatformLimitsOptions]):
    name = "platform_limits"
    title = "Platform limits"
    description = "Compares duration, size and shape with what each platform accepts, and looks for odd formats."
    Options = PlatformLimitsOptions

    async def examine(self, input: CheckInput, options: PlatformLimitsOptions, context: Context) -> tuple[Finding, ...]:
        facts = probe(input.video)
        context.progress(0.5, "comparing")
        found = list(_odd_format(facts, options))
        for platform, limits in input.limits.items():
            if not options.platforms or platform in options.platforms:
                found += _refusals(platform, facts, limits)
        return tuple(found)


def _refusals(platform: str, facts: MediaFacts, limits: PlatformLimits) -> Iterator[Finding]:
    seconds, longest, shortest = facts.duration_seconds, limits.max_duration_seconds, limits.min_duration_seconds
    if longest is not None and seconds > longest + _DURATION_TOLERANCE_SECONDS:
        text = f"Too long for {platform}: {seconds:.1f} s, at most {longest:g} s."
        yield _finding("too_long", Severity.ERROR, text, seconds, longest, "s")
    if shortest is not None and seconds < shortest - _DURATION_TOLERANCE_SECONDS:
        text = f"Too short for {platform}: {seconds:.1f} s, at least {shortest:g} s."
        yield _finding("too_short", Severity.ERROR, text, seconds, shortest, "s")
    if limits.max_size_bytes is not None and facts.size_bytes > limits.max_size_bytes:
        megabytes, most = facts.size_bytes / _MEGABYTE, limits.max_size_bytes / _MEGABYTE
        text = f"Too large for {platform}: {megabytes:.1f} MB, at most {most:g} MB."
        yield _finding("too_large", Severity.ERROR, text, facts.size_bytes, limits.max_size_bytes, "bytes")
    aspect = facts.width / max(1, facts.height)
    if limits.max_aspect is not None and aspect > limits.max_aspect * (1 + _ASPECT_TOLERANCE):
        yield _shape(platform, facts, aspect, limits.max_aspect, "wide")
    if limits.min_aspect is not None and aspect < limits.min_aspect * (1 - _ASPECT_TOLERANCE):
        yield _shape(platform, facts, aspect, limits.min_aspect, "tall")


def _odd_format(facts: MediaFacts, options: PlatformLimitsOptions) -> Iterator[Finding]:
    short_side = min(facts.width, facts.height)
    if short_side < options.min_short_side:
        text = f"The picture is small: {facts.width}x{facts.height} pixels."
        yield _finding("small_picture", Severity.WARNING, text, short_side, options.min_short_side, "pixels")
    if facts.duration_seconds < options.min_seconds:
        text = f"The video is very short: {facts.duration_seconds:.2f} s."
        yield _finding("very_short", Severity.WARNING, text, facts.duration_seconds, options.min_seconds, "s")
    if facts.is_variable_frame_rate:
        text = "The frame rate varies: the player's timecode is not exact, and some platforms show it unevenly."
        yield _finding("variable_frame_rate", Severity.WARNING, text)
    if facts.rotation:
        text = f"The picture is stored turned by {facts.rotation} degrees; some players will show it lying down."
        yield _finding("rotated", Severity.WARNING, text, facts.rotation, 0, "degrees")
    if facts.video_codec != "h264" or facts.pixel_format != "yuv420p":
        text = f"Some browsers cannot play this video ({facts.video_codec}, {facts.pixel_format})."
        yield _finding("unusual_codec", Severity.WARNING, text)


def _shape(platform: str, facts: MediaFacts, aspect: float, limit: float, word: str) -> Finding:
    text = f"Too {word} for {platform}: {facts.width}x{facts.height} is {aspect:.2f}, the limit is {limit:.2f}."
    return _finding(f"too_{word}", Severity.ERROR, text, round(aspect, 3), limit, "width/height")


def _finding(
    code: str, severity: Severity, message: str, measured: float | None = None, limit: float | None = None,
    unit: str | None = None,
) -> Finding:  # fmt: skip
    return Finding(
        check=PlatformLimitsCheck.name, code=code, severity=severity, message=message,
        measured=None if measured is None else round(measured, 3), limit=limit, unit=unit,
    )  # fmt: skip
