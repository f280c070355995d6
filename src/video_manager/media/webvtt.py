"""Captions as a file of their own (WebVTT), for players and platforms."""

from collections.abc import Sequence
from pathlib import Path

from video_manager.media.word_alignment import SpokenWord

_MAX_CUE_CHARACTERS = 84
_LINE_CHARACTERS = 42
_MAX_CUE_SECONDS = 6.0
_PAUSE_SECONDS = 1.0
_SENTENCE_MARKS = (".", "!", "?", "…")


def write_webvtt(words: Sequence[SpokenWord], path: Path) -> Path:
    """Write the words as cues of at most two lines and six seconds that end with their sentence."""
    import pysubs2  # noqa: PLC0415 - the idle server never needs it

    document = pysubs2.SSAFile()
    for cue in _cues(words):
        document.append(
            pysubs2.SSAEvent(
                start=round(cue[0].start_seconds * 1000),
                end=round(cue[-1].end_seconds * 1000),
                text=_two_lines([word.text for word in cue]),
            )
        )
    document.save(str(path), format_="vtt")
    return path


def _cues(words: Sequence[SpokenWord]) -> list[list[SpokenWord]]:
    cues: list[list[SpokenWord]] = []
    for word in words:
        if cues and _belongs(cues[-1], word):
            cues[-1].append(word)
        else:
            cues.append([word])
    return cues


def _belongs(cue: Sequence[SpokenWord], word: SpokenWord) -> bool:
    last = cue[-1]
    characters = sum(len(w.text) + 1 for w in cue) + len(word.text)
    return (
        not last.text.endswith(_SENTENCE_MARKS)
        and characters <= _MAX_CUE_CHARACTERS
        and word.end_seconds - cue[0].start_seconds <= _MAX_CUE_SECONDS
        and word.start_seconds - last.end_seconds <= _PAUSE_SECONDS
    )


def _two_lines(texts: Sequence[str]) -> str:
    whole = " ".join(texts)
    if len(whole) <= _LINE_CHARACTERS:
        return whole
    cuts = range(1, len(texts))
    best = min(cuts, key=lambda cut: max(len(" ".join(texts[:cut])), len(" ".join(texts[cut:]))), default=0)
    return r"\N".join(" ".join(part) for part in (texts[:best], texts[best:]) if part)
