"""What every step that writes a video agrees on: constant frame rate H.264, BT.709, AAC at 48 kHz, web order."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from video_manager.errors import PermanentError
from video_manager.media.probing import MediaFacts, probe

_USUAL_RATES = (24, 25, 30, 50, 60)
_HIGHEST_RATE = Fraction(60)
_COLOUR = "color_primaries=bt709:color_trc=bt709:colorspace=bt709"
AUDIO_ARGUMENTS = ("-c:a", "aac", "-b:a", "192k", "-ar", "48000", "-ac", "2")
SILENCE = ("-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo")


def read_video(path: Path) -> MediaFacts:
    """The facts of a video that a step is about to work on. Raises PermanentError when there is no picture."""
    facts = probe(path)
    if not facts.has_video:
        raise PermanentError(f"{path.name} has sound but no picture; a video is needed")
    return facts


def is_delivered_picture(facts: MediaFacts) -> bool:
    """Whether the picture can stay as it is: what `picture_arguments` would write anyway."""
    return (
        facts.video_codec == "h264"
        and facts.pixel_format == "yuv420p"
        and facts.container.startswith("mov")
        and not facts.is_variable_frame_rate
        and facts.rotation == 0
        and facts.frame_rate is not None
        and facts.frame_rate <= _HIGHEST_RATE
        and facts.width % 2 == facts.height % 2 == 0
    )


def is_delivered_sound(facts: MediaFacts) -> bool:
    return facts.audio_codec == "aac" and facts.audio_sample_rate == 48000 and facts.audio_channels == 2


def constant_rate(facts: MediaFacts) -> Fraction:
    """The frame rate to write: the video's own, or for a varying one the next usual rate above its average."""
    average = facts.frame_rate
    if average is None or average <= 0:
        return Fraction(30)
    if facts.is_variable_frame_rate:
        return Fraction(next((rate for rate in _USUAL_RATES if rate >= average * Fraction(97, 100)), 60))
    return min(average, _HIGHEST_RATE)


def picture_filters(facts: MediaFacts, *own: str) -> str:
    """A filter chain from the decoded (already upright) picture to what is written. `own` may change the size."""
    square = "scale=w='max(2,trunc(iw*sar/2)*2)':h='max(2,trunc(ih/2)*2)':out_color_matrix=bt709:out_range=tv"
    return ",".join(
        [f"fps={constant_rate(facts)}", square, "setsar=1", *own, "format=yuv420p", f"setparams=range=tv:{_COLOUR}"]
    )


def picture_arguments() -> list[str]:
    """Encoder settings; the colour tags repeat what the filters made of the picture."""
    return [
        "-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p", "-profile:v", "high",
        "-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
    ]  # fmt: skip


def output_arguments(target: Path) -> list[str]:
    """For web players, and without the tags of the camera: a phone's video names the place it was taken."""
    return ["-map_metadata", "-1", "-map_chapters", "-1", "-movflags", "+faststart", "-f", "mp4", str(target)]


def encoded_copy(
    video: Path, facts: MediaFacts, target: Path, filters: Sequence[str], *, before_input: Sequence[str] = ()
) -> list[str]:
    """Arguments that write `video` with the given picture filters; the sound is carried over."""
    sound = ["-map", "0:a:0", *_sound_arguments(facts)] if facts.has_audio else []
    return [
        *before_input, "-i", str(video), "-map", "0:V:0", *sound, "-vf", picture_filters(facts, *filters),
        *picture_arguments(), *output_arguments(target),
    ]  # fmt: skip


def _sound_arguments(facts: MediaFacts) -> Sequence[str]:
    return ("-c:a", "copy") if is_delivered_sound(facts) else AUDIO_ARGUMENTS
