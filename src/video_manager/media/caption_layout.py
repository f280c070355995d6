"""Which words stand together on the screen, in which lines, how large, and from when to when."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from video_manager.media.caption_styles import CaptionStyle
from video_manager.media.fonts import drawable
from video_manager.media.frame_size import FrameSize
from video_manager.media.word_alignment import SpokenWord

SIDE_MARGIN = 0.075
"""Of the frame's width, on each side."""
_MAX_LINES = 2
_PAUSE_SECONDS = 0.35
_LINGER_SECONDS = 0.5
"""How long a caption may stay after its last word when nothing follows."""
_SENTENCE_MARKS = (".", "!", "?", "…", ":", ";")
_CLAUSE_MARKS = (",", "-", "\u2014")


@dataclass(frozen=True)
class CaptionGroup:
    """Words shown together: `lines` of indices into `words`; `font_size` in pixels."""

    words: tuple[SpokenWord, ...]
    lines: tuple[tuple[int, ...], ...]
    font_size: float
    end_seconds: float

    @property
    def start_seconds(self) -> float:
        return self.words[0].start_seconds

    def word_end(self, index: int) -> float:
        """A word is marked until the next one starts."""
        return self.words[index + 1].start_seconds if index + 1 < len(self.words) else self.end_seconds


@dataclass(frozen=True)
class CaptionLayout:
    style: CaptionStyle
    size: FrameSize

    @property
    def max_width(self) -> float:
        return self.size.width * (1 - 2 * SIDE_MARGIN)

    @property
    def font_size(self) -> float:
        return self.size.caption_font_size * self.style.scale

    def groups(self, words: Sequence[SpokenWord], total_seconds: float) -> tuple[CaptionGroup, ...]:
        """Words in groups of at most `style.max_words` that fit into two lines; a group ends with its sentence, at
        a pause, and preferably with its clause."""
        gathered: list[list[SpokenWord]] = []
        for word in self._drawable(words):
            if gathered and self._may_join(gathered[-1], word):
                gathered[-1].append(word)
            else:
                gathered.append([word])
        starts = [group[0].start_seconds for group in gathered[1:]] + [total_seconds]
        return tuple(self._laid_out(group, following) for group, following in zip(gathered, starts, strict=True))

    def _drawable(self, words: Sequence[SpokenWord]) -> list[SpokenWord]:
        shown = []
        for word in words:
            text = drawable(word.text, self.style.font).strip()
            if text:
                shown.append(replace(word, text=text.upper() if self.style.uppercase else text))
        return shown

    def _may_join(self, group: Sequence[SpokenWord], word: SpokenWord) -> bool:
        last = group[-1]
        if len(group) >= self.style.max_words or last.text.endswith(_SENTENCE_MARKS):
            return False
        if word.start_seconds - last.end_seconds > _PAUSE_SECONDS:
            return False
        if len(group) >= 2 and last.text.endswith(_CLAUSE_MARKS):
            return False
        return self._lines([w.text for w in (*group, word)], self.font_size) is not None

    def _laid_out(self, group: Sequence[SpokenWord], following_start: float) -> CaptionGroup:
        texts = [word.text for word in group]
        font_size = self.font_size
        lines = self._lines(texts, font_size)
        if lines is None:  # only a single very long word does not fit
            font_size *= self.max_width / max(self.width(text, font_size) for text in texts)
            lines = tuple((index,) for index in range(len(texts)))
        end = min(following_start, group[-1].end_seconds + _LINGER_SECONDS)
        return CaptionGroup(tuple(group), lines, font_size, max(end, group[-1].end_seconds))

    def _lines(self, texts: Sequence[str], font_size: float) -> tuple[tuple[int, ...], ...] | None:
        """One line if the words fit, else the two most even ones; None when even those are too wide."""
        everything = tuple(range(len(texts)))
        if self.width(" ".join(texts), font_size) <= self.max_width:
            return (everything,)
        splits = [(everything[:cut], everything[cut:]) for cut in range(1, len(texts))]
        widths = [max(self.width(" ".join(texts[i] for i in line), font_size) for line in split) for split in splits]
        best = min(range(len(splits)), key=lambda index: widths[index], default=None)
        if best is None or widths[best] > self.max_width:
            return None
        return splits[best]

    def width(self, text: str, font_size: float) -> float:
        return self.style.font.metrics.width(text, font_size)
