"""Colours that belong together: a background from dark to light and an accent that stands out from it."""

from dataclasses import dataclass
from enum import StrEnum

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Palette:
    """`shades` go from the darkest to the lightest of the background; all are dark enough for white captions."""

    shades: tuple[Rgb, Rgb, Rgb, Rgb]
    glow: Rgb
    accent: Rgb


class PaletteName(StrEnum):
    EMBER = "ember"
    OCEAN = "ocean"
    FOREST = "forest"
    VIOLET = "violet"
    ROSE = "rose"
    SLATE = "slate"


PALETTES: dict[PaletteName, Palette] = {
    PaletteName.EMBER: Palette(
        ((24, 10, 20), (74, 20, 36), (156, 52, 38), (214, 104, 50)), (255, 176, 92), (255, 209, 63)
    ),
    PaletteName.OCEAN: Palette(
        ((6, 14, 34), (10, 42, 84), (14, 88, 134), (34, 140, 168)), (116, 222, 226), (94, 240, 214)
    ),
    PaletteName.FOREST: Palette(
        ((7, 20, 22), (14, 52, 48), (28, 96, 72), (82, 146, 84)), (214, 232, 128), (190, 242, 72)
    ),
    PaletteName.VIOLET: Palette(
        ((14, 8, 38), (44, 22, 92), (98, 44, 156), (158, 74, 190)), (244, 148, 236), (255, 222, 89)
    ),
    PaletteName.ROSE: Palette(
        ((28, 10, 32), (84, 20, 66), (160, 42, 94), (214, 92, 108)), (255, 186, 160), (255, 226, 122)
    ),
    PaletteName.SLATE: Palette(
        ((12, 16, 24), (30, 40, 56), (58, 74, 98), (98, 116, 140)), (196, 214, 236), (92, 200, 255)
    ),
}


def luminance(colour: Rgb) -> float:
    """Relative luminance 0..1 (WCAG 2)."""
    linear = [c / 12.92 if (c := value / 255) <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for value in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Rgb, other: Rgb) -> float:
    """Contrast ratio 1..21 (WCAG 2)."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)
