"""Which ffmpeg runs: the one in our wheel, or another that can do all we need."""

import os
import subprocess
from functools import cache
from pathlib import Path

from video_manager.errors import SettingsError

FFMPEG_SETTING = "VIDEO_MANAGER_FFMPEG"

# fmt: off
NEEDED_FILTERS = frozenset({
    "acompressor", "alimiter", "amix", "aresample", "ass", "asplit", "atrim", "blackdetect", "boxblur", "bwdif", "crop",
    "cropdetect", "drawbox", "drawtext", "ebur128", "equalizer", "format", "fps", "freezedetect", "highpass",
    "loudnorm", "overlay", "pad", "scale", "scdet", "setparams", "setpts", "sidechaincompress", "silencedetect", "sine",
    "smptehdbars", "testsrc2", "transpose", "trim", "volume", "xfade",
})
# fmt: on
NEEDED_ENCODERS = frozenset({"libx264", "aac", "png", "mjpeg"})


@cache
def ffmpeg_path() -> str:
    """The ffmpeg to run. Raises SettingsError when the one named by VIDEO_MANAGER_FFMPEG is missing or cannot do
    what the product needs."""
    named = os.environ.get(FFMPEG_SETTING)
    if named is None or not named.strip():
        return _bundled()
    if not Path(named).is_file() or not os.access(named, os.X_OK):
        raise SettingsError(
            f"{FFMPEG_SETTING} names {named}, which is no program that can be run. Give the full path of an ffmpeg "
            "or remove the setting to use the one that comes with the product."
        )
    missing = missing_capabilities(named)
    if missing:
        raise SettingsError(
            f"The ffmpeg named by {FFMPEG_SETTING} ({named}) lacks: {', '.join(missing)}. Use a full build or remove "
            "the setting to use the one that comes with the product."
        )
    return named


def missing_capabilities(program: str) -> list[str]:
    """Needed filters and encoders that this ffmpeg does not list; empty when it will do."""
    filters, encoders = _listed_names(program, "-filters"), _listed_names(program, "-encoders")
    return sorted(f"filter {name}" for name in NEEDED_FILTERS - filters) + sorted(
        f"encoder {name}" for name in NEEDED_ENCODERS - encoders
    )


def _listed_names(program: str, what: str) -> set[str]:
    try:
        answer = subprocess.run(  # noqa: S603 - the program is the administrator's own setting
            [program, "-hide_banner", what],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=30, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SettingsError(f"{program} could not be run to see what it can do: {error}") from error
    return {fields[1] for line in answer.stdout.splitlines() if len(fields := line.split()) >= 2}


def _bundled() -> str:
    import imageio_ffmpeg  # noqa: PLC0415 - only when a program is needed

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise SettingsError(
            f"The ffmpeg that comes with the product does not run on this machine ({error}). Install a full ffmpeg "
            f"and name it in {FFMPEG_SETTING}."
        ) from error
