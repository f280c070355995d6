"""Loudness after EBU R 128: measured by ffmpeg, and brought to a target without pumping."""

import re
from dataclasses import dataclass
from pathlib import Path

from video_manager.errors import PermanentError
from video_manager.media.ffmpeg import Ffmpeg

TARGET_LUFS = -14.0
PEAK_LIMIT_DBTP = -1.5
_SILENCE_LUFS = -70.0
_LIMITER_DB = -2.0
"""Below the promised true peak: the AAC encoder adds up to half a decibel."""

MEASURE_FILTER = "ebur128=peak=true:framelog=quiet"
"""Passes the sound on and writes a summary into the log, for `parse_loudness`."""


@dataclass(frozen=True)
class Loudness:
    """Integrated loudness in LUFS (-70: silence), true peak in dBTP, range in LU."""

    integrated_lufs: float
    true_peak_dbtp: float
    range_lu: float

    @property
    def is_silent(self) -> bool:
        return self.integrated_lufs <= _SILENCE_LUFS


def parse_loudness(log: str) -> Loudness:
    """The summary that MEASURE_FILTER wrote. Raises PermanentError when there is none (no sound)."""
    summary = log.rpartition("Summary:")[2]
    found = {
        name: re.search(rf"{label}:\s+(-?[\d.]+|-?inf|nan) ", summary)
        for name, label in {"integrated": "I", "range": "LRA", "peak": "Peak"}.items()
    }
    numbers = {name: _number(match.group(1)) for name, match in found.items() if match}
    if len(numbers) < len(found):
        raise PermanentError("The loudness could not be measured: the file has no sound.", log[-1000:])
    return Loudness(numbers["integrated"], numbers["peak"], numbers["range"])


async def measure_loudness(path: Path, media: Ffmpeg) -> Loudness:
    """Measure the first sound track of a file. Raises PermanentError when it has none."""
    log = await media.ffmpeg(["-i", str(path), "-map", "0:a:0", "-af", MEASURE_FILTER, "-f", "null", "-"])
    return parse_loudness(log)


def normalize_filter(measured: Loudness, target_lufs: float = TARGET_LUFS) -> str:
    """Filters that bring sound of this loudness to the target: one constant gain, and a limiter at four times the
    sampling rate, so that the peaks between samples are caught too. Silence stays silence."""
    if measured.is_silent:
        return "anull"
    gain = target_lufs - measured.integrated_lufs
    limit = 10 ** (_LIMITER_DB / 20)
    return (
        f"volume={gain:.2f}dB,aresample=192000,alimiter=limit={limit:.4f}:attack=4:release=80:level=disabled,"
        "aresample=48000"
    )


def _number(text: str) -> float:
    return _SILENCE_LUFS if "inf" in text or text == "nan" else float(text)
