"""A whole script read aloud: sentences with natural pauses, cut at a sentence end when time is up."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from video_manager.errors import PermanentError
from video_manager.media.speech import SAMPLE_RATE, SpokenSentence, Voice
from video_manager.media.word_alignment import SpokenWord

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAD_SECONDS = 0.12
"""Before the very first word: viewers decide fast. The voice itself starts each sentence with 0.3 s of silence."""
_PARAGRAPH_PAUSE_SECONDS = 0.22
_ROOT_MEAN_SQUARE = 0.1
_PEAK = 0.9


@dataclass(frozen=True)
class Narration:
    """Mono samples at `speech.SAMPLE_RATE`, the time of every word, and how much of the script was read."""

    samples: "NDArray[np.float32]"
    words: tuple[SpokenWord, ...]
    sentences_read: int
    sentences_in_script: int

    @property
    def duration_seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


def narrate(
    paragraphs: Sequence[Sequence[str]],
    *,
    speed: float,
    seed: int,
    max_seconds: float,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Narration:
    """Read the paragraphs until the script or `max_seconds` ends. Of a first sentence that is too long by itself
    (figures without a full stop), what fits is read, and it does not count as read.

    The same arguments give the same samples. Raises PermanentError when nothing can be read.
    """
    voice = Voice()
    sentences = [(number, text) for number, paragraph in enumerate(paragraphs) for text in paragraph]
    track = _Track()
    read = 0
    for index, (paragraph, text) in enumerate(sentences):
        on_progress(max(track.seconds / max_seconds, index / len(sentences)))
        pause = _PARAGRAPH_PAUSE_SECONDS if index and sentences[index - 1][0] != paragraph else 0.0
        room = max_seconds - track.seconds - pause
        is_first = not track.words
        parts, is_whole = _speak_within(room, voice.speak(text, speed=speed, seed=seed + index), must_begin=is_first)
        if is_whole or is_first:
            track.add(parts, pause)
        if not is_whole:
            break
        read = index + 1
    if not track.words:
        raise PermanentError("Nothing in the text can be read aloud by the English voice.")
    return Narration(_levelled(track.samples()), tuple(track.words), read, len(sentences))


def _speak_within(
    seconds: float, spoken: Iterable[SpokenSentence], *, must_begin: bool
) -> tuple[list[SpokenSentence], bool]:
    """The parts that fit (with `must_begin` at least one), and whether these are all. The others are never made."""
    parts: list[SpokenSentence] = []
    for part in spoken:
        seconds -= part.duration_seconds
        if seconds < 0 and (parts or not must_begin):
            return parts, False
        parts.append(part)
    return parts, True


class _Track:
    """Sentences joined on one time line."""

    def __init__(self) -> None:
        self.words: list[SpokenWord] = []
        self.seconds = 0.0
        self._pieces: list[NDArray[np.float32]] = []

    def add(self, parts: Sequence[SpokenSentence], pause_seconds: float) -> None:
        if self._pieces and pause_seconds:
            self._append(np.zeros(round(pause_seconds * SAMPLE_RATE), np.float32))
        for part in parts:
            skipped = 0.0
            if not self.words and part.words:
                skipped = max(0.0, part.words[0].start_seconds - _LEAD_SECONDS)
            offset = self.seconds - round(skipped * SAMPLE_RATE) / SAMPLE_RATE
            self.words.extend(
                SpokenWord(word.text, word.start_seconds + offset, word.end_seconds + offset) for word in part.words
            )
            self._append(part.samples[round(skipped * SAMPLE_RATE) :])

    def samples(self) -> "NDArray[np.float32]":
        return np.concatenate(self._pieces)

    def _append(self, samples: "NDArray[np.float32]") -> None:
        self._pieces.append(samples)
        self.seconds += len(samples) / SAMPLE_RATE


def _levelled(samples: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """At one working level, so that compressor and ducking meet the same voice every time."""
    loud = samples[np.abs(samples) > 0.01]
    if not len(loud):
        return samples
    gain = min(_ROOT_MEAN_SQUARE / float(np.sqrt(np.mean(loud**2))), _PEAK / float(np.abs(samples).max()))
    return np.asarray(samples * gain, np.float32)
