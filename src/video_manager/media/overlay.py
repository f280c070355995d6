"""What is burned over the picture, written as an ASS file for libass: word captions, a title, a progress bar.

Every line is placed by itself at a fixed point, so that nothing re-wraps or jumps when the marked word changes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from video_manager.media.caption_layout import CaptionGroup
from video_manager.media.caption_styles import CENTRE_OF, CaptionPosition, CaptionStyle, Highlight
from video_manager.media.fonts import Font, drawable
from video_manager.media.frame_size import FrameSize
from video_manager.media.palettes import Rgb, contrast

if TYPE_CHECKING:
    from pysubs2 import SSAFile, SSAStyle

_WHITE: Rgb = (255, 255, 255)
_BLACK: Rgb = (0, 0, 0)
_CAPTION, _HEADLINE, _SHAPE = "Caption", "Headline", "Shape"
_BAR_LAYER, _BOX_LAYER, _TEXT_LAYER = 0, 1, 2


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


@dataclass
class Overlay:
    """Collects what is to be burned in, then writes the ASS file. Times are seconds of the video."""

    size: FrameSize
    accent: Rgb
    caption_style: CaptionStyle
    headline_font: Font = Font.POPPINS_SEMI_BOLD
    _events: "list[_Event]" = field(default_factory=list, init=False)
    _fonts: set[Font] = field(default_factory=set, init=False)

    @property
    def fonts(self) -> frozenset[Font]:
        """The fonts the written file uses."""
        return frozenset(self._fonts)

    def add_captions(self, groups: Sequence[CaptionGroup], position: CaptionPosition) -> None:
        for group in groups:
            self._fonts.add(self.caption_style.font)
            for index in range(len(group.words)):
                self._events.extend(self._caption_events(group, index, position))

    def add_headline(self, headline: Headline) -> None:
        font_size = self.size.caption_font_size * headline.scale
        text = drawable(headline.text, self.headline_font).strip()
        lines = _wrapped(text, self.headline_font, font_size, self.size.width * 0.84)
        if not lines:
            return
        self._fonts.add(self.headline_font)
        middle, gap = self.size.height * headline.centre, font_size * 0.74
        for number, line in enumerate(lines):
            y = middle + (number - (len(lines) - 1) / 2) * gap
            tags = rf"{{\an5\pos({self.size.width / 2:.1f},{y:.1f})\fs{font_size:.1f}\fad(200,300)}}"
            self._add(_TEXT_LAYER, headline.start_seconds, headline.end_seconds, _HEADLINE, tags + _escaped(line))
        if not headline.underline:
            return
        width, height = font_size * 1.3, max(4.0, font_size * 0.075)
        left, top = (self.size.width - width) / 2, middle + len(lines) / 2 * gap + font_size * 0.18
        bar = rf"{{\an7\pos({left:.1f},{top:.1f})\bord0\shad0\blur0\c{_ass_colour(self.accent)}\fad(200,300)\p1}}"
        self._add(
            _TEXT_LAYER, headline.start_seconds, headline.end_seconds, _HEADLINE, bar + _rounded_box(width, height)
        )

    def add_progress_bar(self, total_seconds: float) -> None:
        """A thin bar along the lower edge that grows with the video."""
        height = max(4, self.size.height // 200)
        tags = (
            rf"{{\an7\pos(0,{self.size.height - height})\bord0\shad0\blur0\c{_ass_colour(self.accent)}"
            rf"\fscx0\t(0,{round(total_seconds * 1000)},\fscx100)\p1}}"
        )
        shape = f"m 0 0 l {self.size.width} 0 {self.size.width} {height} 0 {height}"
        self._fonts.add(self.caption_style.font)  # libass asks for a font even to draw a shape
        self._add(_BAR_LAYER, 0.0, total_seconds, _SHAPE, tags + shape)

    def write(self, path: Path) -> Path:
        """The ASS file of everything added."""
        import pysubs2  # noqa: PLC0415 - the idle server never needs it

        document = pysubs2.SSAFile()
        document.info.update({
            "PlayResX": str(self.size.width),
            "PlayResY": str(self.size.height),
            "WrapStyle": "2",
            "ScaledBorderAndShadow": "yes",
            "YCbCr Matrix": "TV.709",
        })  # fmt: skip
        self._define_styles(document)
        for event in self._events:
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

    def _define_styles(self, document: "SSAFile") -> None:
        style, size = self.caption_style, self.size.caption_font_size * self.caption_style.scale
        outline_alpha = round(255 * style.outline_transparency)
        document.styles.clear()
        document.styles[_CAPTION] = _style(style.font, size, style.outline * size, outline_alpha)
        document.styles[_SHAPE] = _style(style.font, size, 0, 0)
        headline_size = self.size.caption_font_size * 0.6
        document.styles[_HEADLINE] = _style(self.headline_font, headline_size, 0.045 * headline_size, 110)

    def _add(self, layer: int, start: float, end: float, style: str, text: str) -> None:
        if end > start:
            self._events.append(_Event(layer, start, end, style, text))

    # ---- captions -----------------------------------------------------------------------------------------

    def _caption_events(self, group: CaptionGroup, current: int, position: CaptionPosition) -> "Iterator[_Event]":
        """The lines of a group while its word `current` is being spoken."""
        style, font_size = self.caption_style, group.font_size
        start, end = group.words[current].start_seconds, group.word_end(current)
        if end <= start:
            return
        gap = font_size * style.line_gap
        for number, line in enumerate(group.lines):
            y = self.size.height * CENTRE_OF[position] + (number - (len(group.lines) - 1) / 2) * gap
            place = rf"\an5\pos({self.size.width / 2:.1f},{y:.1f})\fs{font_size:.1f}"
            tags = rf"{{{place}\blur{style.blur * font_size:.1f}}}"
            words = " ".join(self._marked(group, index, current) for index in line)
            yield _Event(_TEXT_LAYER, start, end, _CAPTION, tags + words)
            if style.highlight is Highlight.BOX and current in line:
                yield _Event(_BOX_LAYER, start, end, _SHAPE, self._box(group, line, current, y))

    def _marked(self, group: CaptionGroup, index: int, current: int) -> str:
        text = _escaped(group.words[index].text)
        match self.caption_style.highlight:
            case Highlight.COLOUR:
                colour = self.accent if index == current else _WHITE
            case Highlight.BOX:
                colour = self._box_text_colour() if index == current else _WHITE
                if index == current:  # on its box the word needs no shadow, which would only dirty it
                    return rf"{{\c{_ass_colour(colour)}\3a&HFF&}}{text}{{\3a}}"
            case Highlight.REVEAL:
                colour = self.accent if index == current else _WHITE
                if index > current:
                    return rf"{{\c{_ass_colour(colour)}\alpha&H78&}}{text}{{\alpha}}"
        return rf"{{\c{_ass_colour(colour)}}}{text}"

    def _box_text_colour(self) -> Rgb:
        return _BLACK if contrast(_BLACK, self.accent) > contrast(_WHITE, self.accent) else _WHITE

    def _box(self, group: CaptionGroup, line: tuple[int, ...], current: int, line_y: float) -> str:
        """A rounded box behind the current word, from the font's own measures."""
        font_size, metrics = group.font_size, self.caption_style.font.metrics
        before = "".join(group.words[index].text + " " for index in line if index < current)
        whole = " ".join(group.words[index].text for index in line)
        word_width = metrics.width(group.words[current].text, font_size)
        left = (self.size.width - metrics.width(whole, font_size)) / 2 + metrics.width(before, font_size)
        capitals_middle = line_y - font_size / 2 + metrics.ascent(font_size) - metrics.cap_height(font_size) / 2
        padding = font_size * 0.075
        width, height = word_width + 2 * padding, metrics.cap_height(font_size) * 1.95
        tags = (
            rf"{{\an7\pos({left - padding:.1f},{capitals_middle - height * 0.47:.1f})\bord0\shad0\blur0"
            rf"\c{_ass_colour(self.accent)}\p1}}"
        )
        return tags + _rounded_box(width, height)


@dataclass(frozen=True)
class _Event:
    layer: int
    start_seconds: float
    end_seconds: float
    style: str
    text: str


def _style(font: Font, font_size: float, outline: float, outline_alpha: int) -> "SSAStyle":
    import pysubs2  # noqa: PLC0415

    white, black = pysubs2.Color(255, 255, 255), pysubs2.Color(0, 0, 0, outline_alpha)
    return pysubs2.SSAStyle(
        fontname=font.family, fontsize=font_size, primarycolor=white, outlinecolor=black, backcolor=black, bold=False,
        outline=outline, shadow=0, alignment=pysubs2.Alignment.MIDDLE_CENTER, marginl=0, marginr=0, marginv=0,
    )  # fmt: skip


def _ass_colour(colour: Rgb) -> str:
    red, green, blue = colour
    return f"&H{blue:02X}{green:02X}{red:02X}&"


def _escaped(text: str) -> str:
    """Text without what ASS reads as a command."""
    return text.replace("\\", "/").replace("{", "(").replace("}", ")").replace("\n", " ")


def _rounded_box(width: float, height: float) -> str:
    """An ASS drawing with rounded corners, from the origin down and to the right."""
    radius = min(width, height) * 0.24
    pull = radius * 0.45  # Bézier control points that come close to a quarter circle
    w, h, r, c = round(width, 1), round(height, 1), round(radius, 1), round(pull, 1)
    return (
        f"m {r} 0 l {w - r:.1f} 0 b {w - c:.1f} 0 {w} {c} {w} {r} l {w} {h - r:.1f} b {w} {h - c:.1f} {w - c:.1f} {h} "
        f"{w - r:.1f} {h} l {r} {h} b {c} {h} 0 {h - c:.1f} 0 {h - r:.1f} l 0 {r} b 0 {c} {c} 0 {r} 0"
    )


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


def subtitles_filter(overlay_file: Path, fonts_folder: Path) -> str:
    """The libass filter that burns in `overlay_file` with the fonts in `fonts_folder` alone."""
    return f"ass=filename={_filter_path(overlay_file)}:fontsdir={_filter_path(fonts_folder)}"


def _filter_path(path: Path) -> str:
    """A path quoted for a filter graph: once for the option value, once for the graph."""
    escaped = str(path).replace("\\", "\\\\").replace("'", "\\'").replace(":", "\\:")
    return "".join(f"\\{character}" if character in "\\'[],;" else character for character in escaped)
