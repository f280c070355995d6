"""What libass burns over every frame: titles that come and go, and a progress bar."""

from dataclasses import dataclass, field
from pathlib import Path

from video_manager.media.ass_file import AssEvent, AssStyle, ass_colour, escaped, rounded_box, write_ass
from video_manager.media.fonts import Font, drawable
from video_manager.media.frame_size import FrameSize
from video_manager.media.palettes import Rgb

_HEADLINE, _SHAPE = "Headline", "Shape"
_BAR_LAYER, _TEXT_LAYER = 0, 2


@dataclass(frozen=True)
class Headline:
    """A title near the top, wrapped to the frame, from `start_seconds` to `end_seconds`."""

    text: str
    start_seconds: float
    end_seconds: float
    centre: float = 0.17
    scale: float = 0.6
    """Font size as a part of the caption size."""
    underline: bool = True
    fade_in_seconds: float = 0.2


@dataclass
class Overlay:
    """Collects what is to be burned in, then writes the ASS file. Times are seconds of the video."""

    size: FrameSize
    accent: Rgb
    headline_font: Font = Font.POPPINS_SEMI_BOLD
    _events: list[AssEvent] = field(default_factory=list, init=False)
    _fonts: set[Font] = field(default_factory=set, init=False)

    @property
    def fonts(self) -> frozenset[Font]:
        """The fonts the written file uses; none when there is nothing to burn in."""
        return frozenset(self._fonts)

    def add_headline(self, headline: Headline) -> None:
        font_size = self.size.caption_font_size * headline.scale
        text = drawable(headline.text, self.headline_font).strip()
        lines = _wrapped(text, self.headline_font, font_size, self.size.width * 0.84)
        if not lines:
            return
        self._fonts.add(self.headline_font)
        middle, gap = self.size.height * headline.centre, font_size * 0.74
        fade = rf"\fad({round(headline.fade_in_seconds * 1000)},300)"
        for number, line in enumerate(lines):
            y = middle + (number - (len(lines) - 1) / 2) * gap
            tags = rf"{{\an5\pos({self.size.width / 2:.1f},{y:.1f})\fs{font_size:.1f}{fade}}}"
            self._add(_TEXT_LAYER, headline.start_seconds, headline.end_seconds, _HEADLINE, tags + escaped(line))
        if not headline.underline:
            return
        width, height = font_size * 1.3, max(4.0, font_size * 0.075)
        left, top = (self.size.width - width) / 2, middle + len(lines) / 2 * gap + font_size * 0.18
        bar = rf"{{\an7\pos({left:.1f},{top:.1f})\bord0\shad0\blur0\c{ass_colour(self.accent)}{fade}\p1}}"
        self._add(
            _TEXT_LAYER, headline.start_seconds, headline.end_seconds, _HEADLINE, bar + rounded_box(width, height)
        )

    def add_progress_bar(self, total_seconds: float) -> None:
        """A thin bar along the lower edge that grows with the video."""
        height = max(4, self.size.height // 200)
        tags = (
            rf"{{\an7\pos(0,{self.size.height - height})\bord0\shad0\blur0\c{ass_colour(self.accent)}"
            rf"\fscx0\t(0,{round(total_seconds * 1000)},\fscx100)\p1}}"
        )
        shape = f"m 0 0 l {self.size.width} 0 {self.size.width} {height} 0 {height}"
        self._fonts.add(self.headline_font)  # libass asks for a font even to draw a shape
        self._add(_BAR_LAYER, 0.0, total_seconds, _SHAPE, tags + shape)

    def write(self, path: Path) -> Path:
        """The ASS file of everything added."""
        size = self.size.caption_font_size * 0.6
        styles = {
            _SHAPE: AssStyle(self.headline_font, size),
            _HEADLINE: AssStyle(self.headline_font, size, 0.045 * size, 110),
        }
        return write_ass(path, self.size, styles, self._events)

    def _add(self, layer: int, start: float, end: float, style: str, text: str) -> None:
        if end > start:
            self._events.append(AssEvent(layer, start, end, style, text))


def _wrapped(text: str, font: Font, font_size: float, max_width: float, max_lines: int = 3) -> list[str]:
    """Lines no wider than `max_width`; what does not fit in `max_lines` ends in an ellipsis."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.metrics.width(f"{lines[-1]} {word}", font_size) <= max_width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], lines[max_lines - 1].rstrip(",;:.") + "…"]
    return lines
