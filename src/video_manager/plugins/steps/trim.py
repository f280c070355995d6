"""Keeps one stretch of a video, exact to the frame, and moves the captions with it."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from video_manager.errors import PermanentError
from video_manager.media.delivery import delivered_rate
from video_manager.media.probing import MediaFacts
from video_manager.plugins.api import Context, Options, ProcessingStep, StepInput, StepResult
from video_manager.plugins.steps.encoding import (
    AUDIO_ARGUMENTS,
    output_arguments,
    picture_arguments,
    picture_filters,
    read_video,
)


class TrimOptions(Options):
    start_seconds: float = Field(default=0.0, ge=0, le=86400, description="Where the result begins.")
    end_seconds: float | None = Field(
        default=None, gt=0, le=86400, description="Where it ends; left open: at the end of the video."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end_seconds is not None and self.end_seconds <= self.start_seconds:
            raise ValueError(
                f"end_seconds ({self.end_seconds}) must be later than start_seconds ({self.start_seconds})"
            )
        return self


class Trim(ProcessingStep[TrimOptions]):
    """Encodes the stretch again: a cut by copying would begin at the next key frame, and keep what was cut away in
    the file. A stretch that covers the whole video changes nothing."""

    name = "trim"
    title = "Trim"
    description = "Keeps the part between two moments."
    Options = TrimOptions

    async def apply(self, input: StepInput, options: TrimOptions, context: Context) -> StepResult:
        facts = read_video(input.video)
        frame_seconds = float(1 / delivered_rate(facts))
        start, end = options.start_seconds, min(options.end_seconds or facts.duration_seconds, facts.duration_seconds)
        if start < frame_seconds / 2 and end > facts.duration_seconds - frame_seconds / 2:
            return StepResult()
        if start > facts.duration_seconds - frame_seconds:
            raise PermanentError(
                f"the trim begins at {start:g} s, but the video is only {facts.duration_seconds:.2f} s long; "
                "choose an earlier start_seconds"
            )
        target = context.work_folder / "trimmed.mp4"
        await context.media.ffmpeg(_arguments(input.video, facts, start, end, target), total_seconds=end - start,
                                   stage="trimming")  # fmt: skip
        captions = None if input.captions is None else _move_captions(input.captions, start, end, context.work_folder)
        return StepResult(video=target, captions=captions, facts={"kept_seconds": round(end - start, 3)})


def _arguments(video: Path, facts: MediaFacts, start: float, end: float, target: Path) -> list[str]:
    """Filters cut on exact frames of the constant rate; `-ss` before the input only skips most of the decoding."""
    skipped = max(0.0, start - 10.0)
    first, last = start - skipped, end - skipped
    picture = picture_filters(facts, f"trim=start={first:.6f}:end={last:.6f}", "setpts=PTS-STARTPTS")
    sound: list[str] = []
    if facts.has_audio:
        cut = f"aresample=48000:async=1:first_pts=0,atrim=start={first:.6f}:end={last:.6f},asetpts=PTS-STARTPTS"
        sound = ["-map", "0:a:0", "-af", cut, *AUDIO_ARGUMENTS]
    return [
        "-ss", f"{skipped:.6f}", "-i", str(video), "-map", "0:V:0", *sound, "-vf", picture, *picture_arguments(),
        *output_arguments(target),
    ]  # fmt: skip


def _move_captions(captions: Path, start: float, end: float, folder: Path) -> Path:
    """The cues of the stretch, shifted to its beginning; those across an edge are shortened."""
    import pysubs2  # noqa: PLC0415 - the idle server never needs it

    try:
        document = pysubs2.load(str(captions))
    except (pysubs2.exceptions.Pysubs2Error, UnicodeDecodeError) as error:
        raise PermanentError(f"the captions cannot be trimmed with the video: {error}") from error
    begin, length = round(start * 1000), round((end - start) * 1000)
    document.shift(ms=-begin)
    kept = [event for event in document.events if event.end > 0 and event.start < length]
    for event in kept:
        event.start, event.end = max(0, event.start), min(length, event.end)
    document.events = kept
    target = folder / captions.with_suffix(".vtt").name
    document.save(str(target), format_="vtt")
    return target
