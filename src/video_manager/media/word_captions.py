"""Word captions as pictures: every state of the captions is drawn once by libass, on a strip as high as they need,
and laid over the video from the frame on in which its word starts.

That costs a quarter to nearly a half less than burning the same text into every frame (docs/decisions/0003-media.md).
Every line is placed by itself at a fixed point, so that nothing jumps when the marked word changes.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from video_manager.media.ass_file import AssEvent, AssStyle, ass_colour, ass_filter, escaped, rounded_box, write_ass
from video_manager.media.caption_layout import CaptionGroup
from video_manager.media.caption_styles import CENTRE_OF, CaptionPosition, CaptionStyle, Highlight
from video_manager.media.fonts import Font
from video_manager.media.frame_size import FrameSize
from video_manager.media.palettes import Rgb, contrast

_WHITE: Rgb = (255, 255, 255)
_BLACK: Rgb = (0, 0, 0)
_TEXT, _BOX = "Caption", "Shape"
_BOX_LAYER, _TEXT_LAYER = 1, 2
_REACH = 1.05
"""Of the font size: how far glyphs, outline and box reach from the middle of a line, generously."""


@dataclass(frozen=True)
class CaptionState:
    """What is shown from the frame `start_frame` on: the word `current` of `group` marked, or nothing."""

    start_frame: int
    group: CaptionGroup | None
    current: int = 0


@dataclass(frozen=True)
class WordCaptions:
    """The captions of a whole video of this size and frame rate."""

    groups: Sequence[CaptionGroup]
    style: CaptionStyle
    position: CaptionPosition
    size: FrameSize
    accent: Rgb
    frame_rate: int = 30

    @property
    def fonts(self) -> frozenset[Font]:
        return frozenset({self.style.font} if self.groups else ())

    @cached_property
    def states(self) -> tuple[CaptionState, ...]:
        """Every change, in order, the first one at frame 0; of several within one frame the last counts."""
        states = {0: CaptionState(0, None)}
        for group, following in zip(self.groups, [*self.groups[1:], None], strict=True):
            for index, word in enumerate(group.words):
                frame = self._frame_at(word.start_seconds)
                states[frame] = CaptionState(frame, group, index)
            if following is None or self._frame_at(following.start_seconds) > self._frame_at(group.end_seconds):
                frame = self._frame_at(group.end_seconds)
                states[frame] = CaptionState(frame, None)
        return tuple(states[frame] for frame in sorted(states))

    @cached_property
    def strip(self) -> tuple[int, int]:
        """The first row and the height of the part of the frame that captions are drawn in; both even."""
        reach = max(
            (len(group.lines) - 1) / 2 * group.font_size * self.style.line_gap + group.font_size * _REACH
            for group in self.groups
        )
        middle = self.size.height * CENTRE_OF[self.position]
        top = max(0, math.floor((middle - reach) / 2) * 2)
        return top, min(self.size.height, math.ceil((middle + reach) / 2) * 2) - top

    def filters(self, folder: Path, fonts_folder: Path, picture: str, result: str) -> str:
        """The part of a filter graph that lays the captions over the stream `picture` (YUV 4:2:0), as `result`.
        Writes the ASS file of all states, one a second, into `folder`."""
        if not self.groups:
            return f"[{picture}]null[{result}]"
        top, height = self.strip
        file = self.write(folder / "captions.ass")
        start_frame = _chosen_by_number([state.start_frame for state in self.states])
        return (
            f"color=c=black@0:s={self.size.width}x{height}:r=1:d={len(self.states)},format=gbrap,"
            f"{ass_filter(file, fonts_folder, draws_alpha=True)},unpremultiply=inplace=1,"
            f"scale=out_color_matrix=bt709:out_range=tv,format=yuva420p,settb=1/{self.frame_rate},setpts={start_frame}"
            f"[captions];[{picture}][captions]overlay=0:{top}:eof_action=repeat:format=yuv420[{result}]"
        )

    def write(self, path: Path) -> Path:
        """The ASS file of the strip, in which every state lasts one second."""
        events = [
            replace(event, start_seconds=number, end_seconds=number + 1)
            for number, state in enumerate(self.states)
            if state.group is not None
            for event in self._events(state.group, state.current)
        ]
        size = max((group.font_size for group in self.groups), default=1.0)
        styles = {
            _TEXT: AssStyle(
                self.style.font, size, self.style.outline * size, round(255 * self.style.outline_transparency)
            ),
            _BOX: AssStyle(self.style.font, size),
        }
        return write_ass(path, FrameSize(self.size.width, self.strip[1]), styles, events, matrix="None")

    def _frame_at(self, seconds: float) -> int:
        """The first frame at or after this time."""
        return max(0, math.ceil(seconds * self.frame_rate - 1e-3))

    def _events(self, group: CaptionGroup, current: int) -> Iterator[AssEvent]:
        """The lines of a group while its word `current` is being spoken."""
        style, font_size = self.style, group.font_size
        gap = font_size * style.line_gap
        for number, line in enumerate(group.lines):
            y = self.size.height * CENTRE_OF[self.position] + (number - (len(group.lines) - 1) / 2) * gap
            y -= self.strip[0]
            place = rf"\an5\pos({self.size.width / 2:.1f},{y:.1f})\fs{font_size:.1f}"
            tags = rf"{{{place}\blur{style.blur * font_size:.1f}}}"
            words = " ".join(self._marked(group, index, current) for index in line)
            yield AssEvent(_TEXT_LAYER, 0, 0, _TEXT, tags + words)
            if style.highlight is Highlight.BOX and current in line:
                yield AssEvent(_BOX_LAYER, 0, 0, _BOX, self._box(group, line, current, y))

    def _marked(self, group: CaptionGroup, index: int, current: int) -> str:
        text = escaped(group.words[index].text)
        match self.style.highlight:
            case Highlight.COLOUR:
                colour = self.accent if index == current else _WHITE
            case Highlight.BOX:
                colour = self._box_text_colour() if index == current else _WHITE
                if index == current:  # on its box the word needs no shadow, which would only dirty it
                    return rf"{{\c{ass_colour(colour)}\3a&HFF&}}{text}{{\3a}}"
            case Highlight.REVEAL:
                colour = self.accent if index == current else _WHITE
                if index > current:
                    return rf"{{\c{ass_colour(colour)}\alpha&H78&}}{text}{{\alpha}}"
        return rf"{{\c{ass_colour(colour)}}}{text}"

    def _box_text_colour(self) -> Rgb:
        return _BLACK if contrast(_BLACK, self.accent) > contrast(_WHITE, self.accent) else _WHITE

    def _box(self, group: CaptionGroup, line: tuple[int, ...], current: int, line_y: float) -> str:
        """A rounded box behind the current word, from the font's own measures."""
        font_size, metrics = group.font_size, self.style.font.metrics
        before = "".join(group.words[index].text + " " for index in line if index < current)
        whole = " ".join(group.words[index].text for index in line)
        word_width = metrics.width(group.words[current].text, font_size)
        left = (self.size.width - metrics.width(whole, font_size)) / 2 + metrics.width(before, font_size)
        capitals_middle = line_y - font_size / 2 + metrics.ascent(font_size) - metrics.cap_height(font_size) / 2
        padding = font_size * 0.075
        width, height = word_width + 2 * padding, metrics.cap_height(font_size) * 1.95
        tags = (
            rf"{{\an7\pos({left - padding:.1f},{capitals_middle - height * 0.47:.1f})\bord0\shad0\blur0"
            rf"\c{ass_colour(self.accent)}\p1}}"
        )
        return tags + rounded_box(width, height)


def _chosen_by_number(values: Sequence[int], first: int = 0) -> str:
    """An ffmpeg expression for values[N - first]: a search in halves, as expressions must not be nested deeply."""
    if len(values) == 1:
        return str(values[0])
    middle = len(values) // 2
    left, right = _chosen_by_number(values[:middle], first), _chosen_by_number(values[middle:], first + middle)
    return rf"if(lt(N\,{first + middle})\,{left}\,{right})"
