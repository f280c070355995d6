"""What every step that writes a video agrees on: constant frame rate H.264, BT.709, AAC at 48 kHz, web order."""

from fractions import Fraction
from pathlib import Path

from video_manager.errors import PermanentError
from video_manager.media.delivery import delivered_rate
from video_manager.media.encoding import AUDIO_ARGUMENTS, COLOUR_PARAMETERS, FILE_ARGUMENTS
from video_manager.media.probing import MediaFacts, probe

__all__ = [
    "AUDIO_ARGUMENTS", "SILENCE", "filter_path", "is_delivered_picture", "is_delivered_sound",
    "output_arguments", "picture_arguments", "picture_filters", "read_video", "sound_arguments",
]  # fmt: skip

_HIGHEST_RATE = Fraction(60)
_LEAST_INTERLACED_PIXELS = 16
"""The filter that undoes interlacing refuses tiny pictures."""
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
        and facts.has_square_pixels
        and facts.frame_rate is not None
        and facts.frame_rate <= _HIGHEST_RATE
        and facts.width % 2 == facts.height % 2 == 0
    )


def is_delivered_sound(facts: MediaFacts) -> bool:
    return facts.audio_codec == "aac" and facts.audio_sample_rate == 48000 and facts.audio_channels == 2


def picture_filters(facts: MediaFacts, *own: str) -> str:
    """A filter chain from the decoded (already upright) picture to what is written. `own` may change the size."""
    square = "scale=w='max(2,trunc(iw*sar/2)*2)':h='max(2,trunc(ih/2)*2)':out_color_matrix=bt709:out_range=tv"
    woven = ["bwdif=deint=interlaced"] if min(facts.width, facts.height) >= _LEAST_INTERLACED_PIXELS else []
    return ",".join(
        [
            *woven,
            f"fps={delivered_rate(facts)}",
            square,
            "setsar=1",
            *own,
            "setsar=1",
            "format=yuv420p",
            COLOUR_PARAMETERS,
        ]
    )


def picture_arguments() -> list[str]:
    """Encoder settings, finer than a render's so that a second encoding does not show; the same input gives the same
    file. The colour tags repeat what the filters made of the picture."""
    return [
        "-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p", "-profile:v", "high",
        "-threads", "4", "-g", "60", "-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709",
        "-color_trc", "bt709",
    ]  # fmt: skip


def output_arguments(target: Path) -> list[str]:
    """For web players, and without the tags of the camera: a phone's video names the place it was taken."""
    return ["-map_chapters", "-1", *FILE_ARGUMENTS, "-f", "mp4", str(target)]


def sound_arguments(facts: MediaFacts) -> list[str]:
    """The first sound track, copied where it can stay; nothing for a silent film."""
    if not facts.has_audio:
        return []
    return ["-map", "0:a:0", *(("-c:a", "copy") if is_delivered_sound(facts) else AUDIO_ARGUMENTS)]


def filter_path(path: Path) -> str:
    """A path as the value of a filter's option: escaped for the option, then for the graph."""
    escaped = str(path).replace("\\", "\\\\").replace("'", "\\'").replace(":", "\\:")
    return "".join(f"\\{character}" if character in "\\'[],;" else character for character in escaped)
