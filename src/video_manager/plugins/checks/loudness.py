"""Loudness and clipping after EBU R 128."""

from pydantic import Field

from video_manager.domain.video import Finding, Severity
from video_manager.media.loudness import Loudness as Measured
from video_manager.plugins.api import Check, CheckInput, Context, Options
from video_manager.plugins.checks.inspection import inspect

_FULL_SCALE_DBTP = 0.0
_ROUNDING_DB = 0.05


class LoudnessOptions(Options):
    target_lufs: float = Field(default=-14.0, ge=-31, le=-6, description="Wanted integrated loudness (LUFS).")
    tolerance_lu: float = Field(default=1.0, ge=0.1, le=10, description="How far from it is fine (LU).")
    true_peak_dbtp: float = Field(default=-1.0, ge=-9, le=0, description="Highest true peak that is fine (dBTP).")
    max_range_lu: float = Field(default=15.0, ge=1, le=50, description="Widest range between soft and loud (LU).")


class Loudness(Check[LoudnessOptions]):
    """Always reports what it measured; silent sound is left to the check `silence`."""

    name = "loudness"
    title = "Loudness"
    description = "Measures loudness, range and true peak, and finds sound that is too quiet, too loud or clipped."
    Options = LoudnessOptions

    async def examine(self, input: CheckInput, options: LoudnessOptions, context: Context) -> tuple[Finding, ...]:
        heard = (await inspect(input.video, context)).loudness
        if heard is None:
            return ()
        measured = (
            _measurement("integrated_lufs", heard.integrated_lufs, "LUFS"),
            _measurement("true_peak_dbtp", heard.true_peak_dbtp, "dBTP"),
            _measurement("loudness_range_lu", heard.range_lu, "LU"),
        )
        return measured if heard.is_silent else (*measured, *_faults(heard, options))


def _faults(heard: Measured, options: LoudnessOptions) -> list[Finding]:
    faults: list[Finding] = []
    difference = heard.integrated_lufs - options.target_lufs
    if abs(difference) > options.tolerance_lu:
        word = "loud" if difference > 0 else "quiet"
        faults.append(
            _fault(
                f"too_{word}", Severity.WARNING, heard.integrated_lufs, options.target_lufs, "LUFS",
                f"The sound is too {word}: {heard.integrated_lufs:.1f} LUFS instead of {options.target_lufs:g}. "
                "Platforms will change it.",
            )
        )  # fmt: skip
    if heard.true_peak_dbtp > _FULL_SCALE_DBTP:
        faults.append(
            _fault(
                "clipping", Severity.ERROR, heard.true_peak_dbtp, options.true_peak_dbtp, "dBTP",
                f"The sound clips: its true peak is {heard.true_peak_dbtp:+.1f} dBTP.",
            )
        )  # fmt: skip
    elif heard.true_peak_dbtp > options.true_peak_dbtp + _ROUNDING_DB:
        faults.append(
            _fault(
                "peak_too_high", Severity.WARNING, heard.true_peak_dbtp, options.true_peak_dbtp, "dBTP",
                f"The true peak of {heard.true_peak_dbtp:.1f} dBTP is above {options.true_peak_dbtp:g}: it may clip "
                "when a platform encodes it again.",
            )
        )  # fmt: skip
    if heard.range_lu > options.max_range_lu:
        faults.append(
            _fault(
                "range_too_wide", Severity.WARNING, heard.range_lu, options.max_range_lu, "LU",
                f"Soft and loud parts are {heard.range_lu:.0f} LU apart: on a phone the soft ones will be lost.",
            )
        )  # fmt: skip
    return faults


def _measurement(code: str, value: float, unit: str) -> Finding:
    return Finding(
        check=Loudness.name, code=code, severity=Severity.INFO, message=f"{value:.1f} {unit}",
        measured=round(value, 1), unit=unit,
    )  # fmt: skip


def _fault(code: str, severity: Severity, measured: float, limit: float, unit: str, message: str) -> Finding:
    return Finding(
        check=Loudness.name, code=code, severity=severity, message=message, measured=round(measured, 1), limit=limit,
        unit=unit,
    )  # fmt: skip
