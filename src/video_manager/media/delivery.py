"""The form in which every video goes on: upright, constant frame rate, H.264 4:2:0 and AAC in MP4."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from video_manager.errors import PermanentError
from video_manager.media.encoding import AUDIO_ARGUMENTS, FILE_ARGUMENTS, VIDEO_ARGUMENTS
from video_manager.media.ffmpeg import Ffmpeg
from video_manager.media.probing import MediaFacts, probe

MIN_SIDE_PIXELS = 16
MIN_SECONDS = 0.1
_MAX_SIDE_PIXELS = 3840
_HIGHEST_RATE = Fraction(60)
_USUAL_RATES = tuple(Fraction(rate) for rate in (24, 25, 30, 50, 60))
_MAX_DECODE_ERROR_SHARE = 0.05
_MISSING_SHARE = 0.05
_MISSING_SECONDS = 0.5


@dataclass(frozen=True)
class Delivery:
    video: Path
    facts: MediaFacts
    was_copied: bool


async def deliver(source: Path, name: str, target: Path, media: Ffmpeg, stage: str) -> Delivery:
    """Bring a sent-in file into that form as `target`, without encoding again what is right already. `name` says in
    errors which file it is. Raises PermanentError when there is nothing to be shown, or too little is intact."""
    facts = probe(source, name)
    require_video(facts, name)
    copied = _is_right(facts)
    log_arguments = _copy_arguments(source, target) if copied else _encode_arguments(source, facts, target)
    try:
        await media.ffmpeg(log_arguments, total_seconds=facts.duration_seconds, stage=stage)
        result = probe(target)
    except PermanentError as error:
        raise PermanentError(
            f"{name} is damaged: too many of its pictures or sounds cannot be decoded. Send the file again.",
            error.log_excerpt or error.detail,
        ) from error
    missing = facts.duration_seconds - result.duration_seconds
    if missing > max(_MISSING_SECONDS, facts.duration_seconds * _MISSING_SHARE):
        raise PermanentError(
            f"{name} is cut off: it says it lasts {facts.duration_seconds:.1f} s, but only "
            f"{result.duration_seconds:.1f} s are there. Send the whole file again."
        )
    return Delivery(target, result, copied)


def require_video(facts: MediaFacts, name: str) -> None:
    """Raises PermanentError unless there is a moving picture of a usable size."""
    if not facts.has_video:
        raise PermanentError(f"{name} has sound but no picture. Send a video.")
    if facts.frame_rate is None:
        raise PermanentError(f"{name} is a still picture, no video. Use the slide show for pictures.")
    if min(facts.width, facts.height) < MIN_SIDE_PIXELS:
        raise PermanentError(
            f"{name} is only {facts.width}x{facts.height} pixels; at least {MIN_SIDE_PIXELS}x{MIN_SIDE_PIXELS} are "
            "needed."
        )
    if facts.duration_seconds < MIN_SECONDS:
        raise PermanentError(f"{name} lasts only {facts.duration_seconds:.2f} s; it holds no more than a picture.")


def _is_right(facts: MediaFacts) -> bool:
    return (
        "mp4" in facts.container
        and facts.video_codec == "h264"
        and facts.pixel_format == "yuv420p"
        and not facts.is_variable_frame_rate
        and facts.frame_rate is not None
        and facts.frame_rate <= _HIGHEST_RATE
        and facts.rotation == 0
        and facts.has_square_pixels
        and facts.width % 2 == facts.height % 2 == 0
        and max(facts.width, facts.height) <= _MAX_SIDE_PIXELS
        and (not facts.has_audio or (facts.audio_codec == "aac" and facts.audio_sample_rate in {44100, 48000}))
    )


def _copy_arguments(source: Path, target: Path) -> list[str]:
    """Copy the streams, and decode them once on the way: a copy alone would carry damage on unseen."""
    tracks = ["-map", "0:v:0", "-map", "0:a:0?"]
    return [
        "-max_error_rate", str(_MAX_DECODE_ERROR_SHARE), "-i", str(source),
        *tracks, "-c", "copy", *FILE_ARGUMENTS, str(target),
        *tracks, "-f", "null", "-",
    ]  # fmt: skip


def _encode_arguments(source: Path, facts: MediaFacts, target: Path) -> list[str]:
    rate = delivered_rate(facts)
    shrink = min(1.0, _MAX_SIDE_PIXELS / max(facts.width, facts.height))
    width, height = (max(2, round(side * shrink / 2) * 2) for side in (facts.width, facts.height))
    picture = (
        f"bwdif=deint=interlaced,fps={rate},scale={width}:{height}:flags=bicubic:out_color_matrix=bt709:out_range=tv,"
        "setsar=1,format=yuv420p"
    )
    return [
        "-max_error_rate", str(_MAX_DECODE_ERROR_SHARE), "-i", str(source), "-map", "0:v:0", "-map", "0:a:0?",
        "-vf", picture, "-af", "aresample=48000:async=1:first_pts=0", *VIDEO_ARGUMENTS, *AUDIO_ARGUMENTS,
        "-fps_mode", "cfr", *FILE_ARGUMENTS, str(target),
    ]  # fmt: skip


def delivered_rate(facts: MediaFacts) -> Fraction:
    """The frame rate to encode with: the file's own when it is constant and usual, else the next usual one above."""
    rate = facts.frame_rate or Fraction(30)
    if not facts.is_variable_frame_rate and 1 <= rate <= _HIGHEST_RATE:
        return rate.limit_denominator(1001)
    return next((usual for usual in _USUAL_RATES if usual >= rate * Fraction(98, 100)), _HIGHEST_RATE)
