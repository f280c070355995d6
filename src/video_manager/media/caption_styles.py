"""How word captions look."""

from dataclasses import dataclass
from enum import StrEnum

from video_manager.media.fonts import Font


class CaptionStyleName(StrEnum):
    BOLD = "bold"
    CLEAN = "clean"
    BOX = "box"
    POSTER = "poster"


class Highlight(StrEnum):
    """What marks the word being spoken."""

    COLOUR = "colour"
    BOX = "box"
    REVEAL = "reveal"
    """Words to come are dim, spoken ones white, the current one in the accent colour."""


class CaptionPosition(StrEnum):
    UPPER = "upper"
    CENTER = "center"
    LOWER = "lower"


CENTRE_OF: dict[CaptionPosition, float] = {
    CaptionPosition.UPPER: 0.30,
    CaptionPosition.CENTER: 0.52,
    # Below this the platforms lay their own buttons and texts over a portrait video.
    CaptionPosition.LOWER: 0.68,
}
"""The middle of the caption block as a part of the height."""


@dataclass(frozen=True)
class CaptionStyle:
    """`scale` multiplies the frame's caption size; outline, blur and gaps are parts of the font size."""

    font: Font
    highlight: Highlight
    scale: float = 1.0
    uppercase: bool = False
    outline: float = 0.05
    outline_transparency: float = 0.0
    blur: float = 0.0
    line_gap: float = 1.0
    max_words: int = 4


CAPTION_STYLES: dict[CaptionStyleName, CaptionStyle] = {
    CaptionStyleName.BOLD: CaptionStyle(
        Font.ANTON, Highlight.COLOUR, scale=1.12, uppercase=True, outline=0.055, line_gap=0.66
    ),
    CaptionStyleName.CLEAN: CaptionStyle(
        Font.POPPINS_EXTRA_BOLD,
        Highlight.COLOUR,
        scale=1.14,
        outline=0.045,
        outline_transparency=0.35,
        blur=0.05,
        line_gap=0.62,
    ),
    CaptionStyleName.BOX: CaptionStyle(
        Font.POPPINS_EXTRA_BOLD,
        Highlight.BOX,
        scale=1.1,
        outline=0.035,
        outline_transparency=0.45,
        blur=0.045,
        line_gap=0.72,
        max_words=3,
    ),
    CaptionStyleName.POSTER: CaptionStyle(
        Font.BEBAS_NEUE,
        Highlight.REVEAL,
        scale=1.25,
        uppercase=True,
        outline=0.04,
        outline_transparency=0.4,
        blur=0.05,
        line_gap=0.84,
    ),
}
