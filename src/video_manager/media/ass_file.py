"""ASS, the subtitle language of libass: events, styles, and the little drawings that we need."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from video_manager.media.fonts import Font
from video_manager.media.frame_size import FrameSize
from video_manager.media.palettes import Rgb

if TYPE_CHECKING:
    from pysubs2 import SSAStyle


@dataclass(frozen=True)
class AssEvent:
    """A text or drawing with its ASS tags, from `start_seconds` to `end_seconds`; higher layers cover lower ones."""

    layer: int
    start_seconds: float
    end_seconds: float
    style: str
    text: str


@dataclass(frozen=True)
class AssStyle:
    """White text on a black outline. Sizes in pixels; `outline_alpha` 0 is solid, 255 invisible."""

    font: Font
    font_size: float
    outline: float = 0.0
    outline_alpha: int = 0


def write_ass(
    path: Path, size: FrameSize, styles: Mapping[str, AssStyle], events: Iterable[AssEvent], matrix: str = "TV.709"
) -> Path:
    """Write an ASS file whose pixels are those of a picture of this size. `matrix` names the colours of the picture
    it is drawn on: `TV.709` for YUV, `None` for RGB."""
    import pysubs2  # noqa: PLC0415 - the idle server never needs it

    document = pysubs2.SSAFile()
    document.info.update({
        "PlayResX": str(size.width),
        "PlayResY": str(size.height),
        "WrapStyle": "2",
        "ScaledBorderAndShadow": "yes",
        "YCbCr Matrix": matrix,
    })  # fmt: skip
    document.styles.clear()
    document.styles.update({name: _style(style) for name, style in styles.items()})
    for event in events:
        document.append(
            pysubs2.SSAEvent(
                start=round(event.start_seconds * 1000),
                end=round(event.end_seconds * 1000),
                layer=event.layer,
                style=event.style,
                text=event.text,
            )
        )
    document.save(str(path), format_="ass")
    return path


def ass_colour(colour: Rgb) -> str:
    red, green, blue = colour
    return f"&H{blue:02X}{green:02X}{red:02X}&"


def escaped(text: str) -> str:
    """Text without what ASS reads as a command."""
    return text.replace("\\", "/").replace("{", "(").replace("}", ")").replace("\n", " ")


def rounded_box(width: float, height: float) -> str:
    """An ASS drawing with rounded corners, from the origin down and to the right."""
    radius = min(width, height) * 0.24
    pull = radius * 0.45  # Bézier control points that come close to a quarter circle
    w, h, r, c = round(width, 1), round(height, 1), round(radius, 1), round(pull, 1)
    return (
        f"m {r} 0 l {w - r:.1f} 0 b {w - c:.1f} 0 {w} {c} {w} {r} l {w} {h - r:.1f} b {w} {h - c:.1f} {w - c:.1f} {h} "
        f"{w - r:.1f} {h} l {r} {h} b {c} {h} 0 {h - c:.1f} 0 {h - r:.1f} l 0 {r} b 0 {c} {c} 0 {r} 0"
    )


def ass_filter(file: Path, fonts_folder: Path, *, draws_alpha: bool = False) -> str:
    """The libass filter that draws `file` with the fonts in `fonts_folder` alone."""
    alpha = ":alpha=1" if draws_alpha else ""
    return f"ass=filename={_filter_path(file)}:fontsdir={_filter_path(fonts_folder)}{alpha}"


def _style(style: AssStyle) -> "SSAStyle":
    import pysubs2  # noqa: PLC0415

    white, black = pysubs2.Color(255, 255, 255), pysubs2.Color(0, 0, 0, style.outline_alpha)
    return pysubs2.SSAStyle(
        fontname=style.font.family, fontsize=style.font_size, primarycolor=white, outlinecolor=black, backcolor=black,
        bold=False, outline=style.outline, shadow=0, alignment=pysubs2.Alignment.MIDDLE_CENTER, marginl=0, marginr=0,
        marginv=0,
    )  # fmt: skip


def _filter_path(path: Path) -> str:
    """A path quoted for a filter graph: once for the option value, once for the graph."""
    escaped_path = str(path).replace("\\", "\\\\").replace("'", "\\'").replace(":", "\\:")
    return "".join(f"\\{character}" if character in "\\'[],;" else character for character in escaped_path)
