"""Brings a video to another aspect ratio, with blurred, cropped or plain surroundings."""

from enum import StrEnum

from pydantic import Field

from video_manager.media.frame_size import Aspect, FrameSize
from video_manager.media.probing import MediaFacts
from video_manager.plugins.api import Context, Options, ProcessingStep, StepInput, StepResult
from video_manager.plugins.steps.encoding import (
    is_delivered_picture,
    output_arguments,
    picture_arguments,
    picture_filters,
    read_video,
    sound_arguments,
)

_SAME_ASPECT = 0.01
_BLUR_AT = 4
"""The surroundings are blurred at a fourth of the size: it looks the same and costs a sixteenth."""
_CENTRED = "overlay=(W-w)/2:(H-h)/2"


class Fill(StrEnum):
    """What becomes of the room around a picture of another shape."""

    BLUR = "blur"
    CROP = "crop"
    FIT = "fit"


class ReframeOptions(Options):
    aspect: Aspect = Field(default=Aspect.PORTRAIT, description="Shape of the result.")
    fill: Fill = Field(
        default=Fill.BLUR,
        description="blur: the whole picture before a blurred copy of it; crop: cut to fill; fit: bars.",
    )
    colour: str = Field(default="#000000", pattern=r"^#[0-9A-Fa-f]{6}$", description="Colour of the bars of `fit`.")
    height: int | None = Field(
        default=None,
        ge=240,
        le=2160,
        description="Height in pixels; left open: 1920 for 9:16, 1080 for the others, and a video of the right shape "
        "keeps its size.",
    )


class Reframe(ProcessingStep[ReframeOptions]):
    """A video that already has the shape (and the height, if one is given) is left alone."""

    name = "reframe"
    title = "Reframe"
    description = "Changes the shape of the picture: 9:16, 1:1 or 16:9."
    Options = ReframeOptions

    async def apply(self, input: StepInput, options: ReframeOptions, context: Context) -> StepResult:
        facts = read_video(input.video)
        size = target_size(facts, options)
        if (facts.width, facts.height) == (size.width, size.height) and is_delivered_picture(facts):
            return StepResult()
        target = context.work_folder / "reframed.mp4"
        await context.media.ffmpeg(
            [
                "-i", str(input.video), "-map", "0:V:0", *sound_arguments(facts),
                "-vf", picture_filters(facts, *_filters(size, options)), *picture_arguments(),
                *output_arguments(target),
            ],
            total_seconds=facts.duration_seconds, stage="reframing",
        )  # fmt: skip
        return StepResult(video=target, facts={"from": f"{facts.width}x{facts.height}"})


def target_size(facts: MediaFacts, options: ReframeOptions) -> FrameSize:
    """Even numbers of pixels, whatever was asked for."""
    across, down = (int(part) for part in options.aspect.value.split(":"))
    if options.height is None:
        has_shape = abs(facts.width / facts.height / (across / down) - 1) <= _SAME_ASPECT
        return FrameSize(_even(facts.width), _even(facts.height)) if has_shape else FrameSize.of(options.aspect)
    return FrameSize(_even(options.height * across / down), _even(options.height))


def _filters(size: FrameSize, options: ReframeOptions) -> list[str]:
    width, height = size.width, size.height
    match options.fill:
        case Fill.CROP:
            return [f"scale={width}:{height}:force_original_aspect_ratio=increase", f"crop={width}:{height}"]
        case Fill.FIT:
            colour = "0x" + options.colour.removeprefix("#")
            return [_inside(width, height), f"pad={width}:{height}:(ow-iw)/2:(oh-ih)/2:color={colour}"]
        case Fill.BLUR:
            small_width, small_height = _even(width / _BLUR_AT), _even(height / _BLUR_AT)
            radius = max(1, min(12, min(small_width, small_height) // 5))
            filled = f"scale={small_width}:{small_height}:force_original_aspect_ratio=increase"
            return [
                f"split[before][behind];[behind]{filled}",
                f"crop={small_width}:{small_height}",
                f"boxblur={radius}:2",
                f"scale={width}:{height}[around];[before]{_inside(width, height)}[whole];[around][whole]{_CENTRED}",
            ]  # fmt: skip


def _inside(width: int, height: int) -> str:
    return f"scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2"


def _even(pixels: float) -> int:
    return max(2, round(pixels / 2) * 2)
