"""Puts a text or a picture into a corner of the video."""

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from video_manager.errors import PermanentError
from video_manager.media.fonts import Font, drawable
from video_manager.media.probing import MediaFacts, probe
from video_manager.plugins.api import Context, Options, ProcessingStep, StepInput, StepResult, source_file
from video_manager.plugins.steps.encoding import (
    filter_path,
    output_arguments,
    picture_arguments,
    picture_filters,
    read_video,
    sound_arguments,
)

_FONT = Font.POPPINS_SEMI_BOLD
_TALLEST_TEXT = 0.12
"""Of the video's height: a short text is not blown up to the whole width asked for."""


class Corner(StrEnum):
    TOP_LEFT = "top-left"
    TOP_RIGHT = "top-right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM_RIGHT = "bottom-right"


class WatermarkOptions(Options):
    text: str | None = Field(default=None, min_length=1, max_length=80, description="The text to show, on one line.")
    picture: str | None = source_file("A picture to show instead, best a PNG.", "image/*", default=None)
    corner: Corner = Field(default=Corner.TOP_RIGHT, description="Where it stands.")
    opacity: float = Field(default=0.7, ge=0.05, le=1, description="1 is solid.")
    margin: float = Field(default=0.04, ge=0, le=0.3, description="Distance to the edges (share of the shorter side).")
    scale: float = Field(default=0.22, ge=0.02, le=1, description="Its width as a share of the video's width.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.text is None) == (self.picture is None):
            raise ValueError("give either text or picture")
        return self


class Watermark(ProcessingStep[WatermarkOptions]):
    name = "watermark"
    title = "Watermark"
    description = "Shows a text or a picture in a corner of the video."
    Options = WatermarkOptions

    async def apply(self, input: StepInput, options: WatermarkOptions, context: Context) -> StepResult:
        facts = read_video(input.video)
        target = context.work_folder / "watermarked.mp4"
        margin = round(options.margin * min(facts.width, facts.height))
        if options.text is not None:
            mark_input: list[str] = []
            graph = picture_filters(facts, _drawn_text(options, facts, margin, context.work_folder))
        else:
            picture = input.sources.get(options.picture or "")
            if picture is None:
                raise PermanentError("the watermark's picture was not handed to this step")
            mark_input = ["-i", str(_checked_picture(picture))]
            graph = picture_filters(facts, _overlaid_picture(options, facts, margin))
        await context.media.ffmpeg(
            [
                "-i", str(input.video), *mark_input, "-filter_complex", f"[0:V:0]{graph}[out]", "-map", "[out]",
                *sound_arguments(facts), *picture_arguments(), *output_arguments(target),
            ],
            total_seconds=facts.duration_seconds, stage="drawing the watermark",
        )  # fmt: skip
        return StepResult(video=target)


def _drawn_text(options: WatermarkOptions, facts: MediaFacts, margin: int, folder: Path) -> str:
    """White with a soft dark edge, so that it reads on any picture. The text goes by file: nothing in it is code."""
    text = drawable(" ".join((options.text or "").split()), _FONT)
    if not text:
        raise PermanentError("the watermark's font has none of the characters of its text; use Latin letters")
    metrics = _FONT.metrics
    em_width = metrics.width(text, metrics.line_units / metrics.units_per_em)
    size = max(6, round(min(options.scale * facts.width / max(em_width, 0.1), _TALLEST_TEXT * facts.height)))
    text_file = folder / "watermark.txt"
    text_file.write_text(text, encoding="utf-8")
    x, y = _position(options.corner, margin, ("w", "h"), ("text_w", "text_h"))
    return (
        f"drawtext=fontfile={filter_path(_FONT.path)}:textfile={filter_path(text_file)}:expansion=none:fontsize={size}"
        f":fontcolor=white@{options.opacity:.3f}:borderw={max(1, round(size / 18))}"
        f":bordercolor=black@{options.opacity * 0.6:.3f}:x={x}:y={y}"
    )


def _overlaid_picture(options: WatermarkOptions, facts: MediaFacts, margin: int) -> str:
    width = max(2, round(options.scale * facts.width))
    x, y = _position(options.corner, margin, ("W", "H"), ("w", "h"))
    return (
        f"null[video];[1:v:0]format=rgba,scale={width}:-1,colorchannelmixer=aa={options.opacity:.3f}[mark]"
        f";[video][mark]overlay={x}:{y}:format=auto"
    )


def _position(corner: Corner, margin: int, whole: tuple[str, str], part: tuple[str, str]) -> tuple[str, str]:
    x = str(margin) if corner in {Corner.TOP_LEFT, Corner.BOTTOM_LEFT} else f"{whole[0]}-{part[0]}-{margin}"
    y = str(margin) if corner in {Corner.TOP_LEFT, Corner.TOP_RIGHT} else f"{whole[1]}-{part[1]}-{margin}"
    return x, y


def _checked_picture(picture: Path) -> Path:
    try:
        facts = probe(picture, "It")
    except PermanentError as error:
        raise PermanentError(
            f"The watermark's picture cannot be used; send a PNG or JPEG. {error.detail}", error.log_excerpt
        ) from error
    if not facts.has_video:
        raise PermanentError("The watermark's picture is no picture; send a PNG or JPEG.")
    return picture
