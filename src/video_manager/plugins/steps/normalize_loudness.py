"""Brings the sound to one loudness, measured before and after; the picture is copied whenever it can be."""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from video_manager.errors import PermanentError
from video_manager.media.loudness import measure_loudness
from video_manager.media.probing import MediaFacts
from video_manager.plugins.api import Context, Options, ProcessingStep, StepInput, StepResult
from video_manager.plugins.steps.encoding import (
    AUDIO_ARGUMENTS,
    SILENCE,
    is_delivered_picture,
    is_delivered_sound,
    output_arguments,
    picture_arguments,
    picture_filters,
    read_video,
)

_SILENT_BELOW_LUFS = -60.0
"""Quieter than this is silence or noise; lifting it by 46 dB would only publish the noise."""
_TOLERANCE_LU = 0.5
_ENCODER_HEADROOM_DB = 0.5
"""AAC adds up to about this to the true peak."""
_MOST_PASSES = 3


class NormalizeLoudnessOptions(Options):
    target_lufs: float = Field(default=-14.0, ge=-31, le=-6, description="Integrated loudness of the result (LUFS).")
    true_peak_dbtp: float = Field(default=-1.0, ge=-9, le=-0.1, description="Highest true peak of the result (dBTP).")


@dataclass(frozen=True)
class Loudness:
    """What the loudnorm filter measured: LUFS, dBTP, LU."""

    integrated: float
    true_peak: float
    range: float
    threshold: float

    @property
    def is_silent(self) -> bool:
        return self.integrated < _SILENT_BELOW_LUFS


@dataclass(frozen=True)
class Aim:
    """What one pass tells the filter to reach; corrected by what the last pass really reached."""

    integrated: float
    true_peak: float

    def corrected(self, reached: Loudness, options: NormalizeLoudnessOptions) -> "Aim":
        too_loud = max(0.0, reached.true_peak - options.true_peak_dbtp)
        missed = max(-3.0, min(3.0, options.target_lufs - reached.integrated))
        return Aim(
            integrated=max(-40.0, min(-5.0, self.integrated + missed)),
            true_peak=max(-9.0, self.true_peak - (too_loud + 0.2 if too_loud else 0.0)),
        )


class NormalizeLoudness(ProcessingStep[NormalizeLoudnessOptions]):
    """A video without sound gets a silent track, as some platforms refuse one without; silent sound stays silent.
    Also makes any video what players and platforms expect: constant frame rate H.264 and AAC."""

    name = "normalize_loudness"
    title = "Even loudness"
    description = "Brings the sound to the loudness that platforms expect, without clipping."
    Options = NormalizeLoudnessOptions

    async def apply(self, input: StepInput, options: NormalizeLoudnessOptions, context: Context) -> StepResult:
        facts = read_video(input.video)
        if not facts.has_audio:
            return await _with_silent_track(input.video, facts, context)
        if is_delivered_picture(facts) and is_delivered_sound(facts):
            heard = await _measured_quickly(input.video, context)
            if _is_reached(heard, options):
                return StepResult(facts=_facts(heard, heard))
        before = await measure(input.video, facts, context)
        is_right = before.is_silent or _is_reached(before, options)
        if is_right and is_delivered_picture(facts) and is_delivered_sound(facts):
            return StepResult(facts=_facts(before, before))
        if is_right:
            target = context.work_folder / "loudness.mp4"
            await _write(input.video, input.video, facts, target, "aresample=48000:async=1:first_pts=0", context)
            return StepResult(video=target, facts=_facts(before, before))
        target, after = await _normalized(input.video, facts, before, options, context)
        return StepResult(video=target, facts=_facts(before, after))


async def measure(video: Path, facts: MediaFacts, context: Context) -> Loudness:
    log = await context.media.ffmpeg(
        ["-i", str(video), "-map", "0:a:0", "-af", "loudnorm=print_format=json", "-f", "null", "-"],
        total_seconds=facts.duration_seconds, stage="measuring",
    )  # fmt: skip
    found = re.findall(r"\{[^{}]*\"input_i\"[^{}]*\}", log)
    if not found:
        raise PermanentError("the loudness could not be measured: the sound may be damaged", log[-2000:])
    values = json.loads(found[-1])
    return Loudness(
        integrated=_decibel(values["input_i"]),
        true_peak=_decibel(values["input_tp"]),
        range=_decibel(values["input_lra"], lowest=0.0),
        threshold=_decibel(values["input_thresh"]),
    )


async def _normalized(
    video: Path, facts: MediaFacts, before: Loudness, options: NormalizeLoudnessOptions, context: Context
) -> tuple[Path, Loudness]:
    """Write, measure, and where the encoder overshot aim lower and write again; later passes copy the picture."""
    aim = Aim(options.target_lufs, options.true_peak_dbtp - _ENCODER_HEADROOM_DB)
    picture, picture_facts = video, facts
    for number in range(1, _MOST_PASSES + 1):
        target = context.work_folder / f"loudness-{number}.mp4"
        await _write(picture, video, picture_facts, target, _loudnorm(before, aim), context)
        picture, picture_facts = target, read_video(target)
        after = await measure(target, picture_facts, context)
        if _is_reached(after, options):
            break
        aim = aim.corrected(after, options)
    return target, after


async def _write(
    picture: Path, sound: Path, picture_facts: MediaFacts, target: Path, sound_filters: str, context: Context
) -> None:
    encode = ["-c:v", "copy"]
    if not is_delivered_picture(picture_facts):
        encode = ["-vf", picture_filters(picture_facts), *picture_arguments()]
    await context.media.ffmpeg(
        [
            "-i", str(picture), "-i", str(sound), "-map", "0:V:0", "-map", "1:a:0", *encode,
            "-af", sound_filters, *AUDIO_ARGUMENTS, *output_arguments(target),
        ],
        total_seconds=picture_facts.duration_seconds, stage="writing",
    )  # fmt: skip


async def _with_silent_track(video: Path, facts: MediaFacts, context: Context) -> StepResult:
    target = context.work_folder / "loudness.mp4"
    encode = ["-c:v", "copy"]
    if not is_delivered_picture(facts):
        encode = ["-vf", picture_filters(facts), *picture_arguments()]
    await context.media.ffmpeg(
        [
            "-i", str(video), *SILENCE, "-map", "0:V:0", "-map", "1:a:0", *encode, *AUDIO_ARGUMENTS, "-shortest",
            *output_arguments(target),
        ],
        total_seconds=facts.duration_seconds, stage="adding a silent track",
    )  # fmt: skip
    return StepResult(video=target, facts={"sound": "silent track added"})


def _loudnorm(before: Loudness, aim: Aim) -> str:
    """The second pass. A range at least as wide as the sound's own keeps it one even gain where peaks allow."""
    wide = min(50.0, max(7.0, math.ceil(before.range) + 1.0))
    return (
        f"aresample=48000:async=1:first_pts=0,loudnorm=I={aim.integrated:.2f}:TP={aim.true_peak:.2f}:LRA={wide:.1f}"
        f":measured_I={before.integrated:.2f}:measured_TP={before.true_peak:.2f}:measured_LRA={before.range:.2f}"
        f":measured_thresh={before.threshold:.2f}:linear=true,aresample=48000"
    )


def _is_reached(loudness: Loudness, options: NormalizeLoudnessOptions) -> bool:
    return (
        abs(loudness.integrated - options.target_lufs) <= _TOLERANCE_LU and loudness.true_peak <= options.true_peak_dbtp
    )


async def _measured_quickly(video: Path, context: Context) -> Loudness:
    """Without the threshold, which only a change of loudness needs; a quarter of the cost."""
    heard = await measure_loudness(video, context.media)
    return Loudness(heard.integrated_lufs, heard.true_peak_dbtp, heard.range_lu, threshold=-70.0)


def _decibel(text: str, lowest: float = -99.0) -> float:
    """Loudnorm writes `-inf` for silence, and its own options take nothing below -99."""
    value = float(text)
    return max(lowest, value) if math.isfinite(value) else lowest


def _facts(before: Loudness, after: Loudness) -> dict[str, float]:
    return {
        "input_lufs": round(before.integrated, 1),
        "output_lufs": round(after.integrated, 1),
        "output_true_peak_dbtp": round(after.true_peak, 1),
    }
