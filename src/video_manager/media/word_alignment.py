"""Which spoken words belong to which written word: "$3.2 billion" is read "three point two billion dollars"."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True)
class Span:
    """A stretch of time in seconds."""

    start_seconds: float
    end_seconds: float


@dataclass(frozen=True)
class SpokenWord:
    """A word as it is written, and when it is heard."""

    text: str
    start_seconds: float
    end_seconds: float


def align_words(
    written: Sequence[str], expected: Sequence[Sequence[str]], read: Sequence[str], spans: Sequence[Span]
) -> tuple[SpokenWord, ...]:
    """Give every written word its time. `read` are the words as expanded for the voice, `spans` their times, and
    `expected` what each written word would expand to if it stood alone.

    Equal words of `expected` and `read` anchor the match; between anchors the read words are shared out in order,
    and read words with no written one of their own ("dollars") belong to the word before. A written word that is
    not read (a dash) takes no time of its own and is joined to its neighbour's text.
    """
    if not read:
        return ()
    owned: list[list[Span]] = [[] for _ in written]
    owners = [place for place, words in enumerate(expected) for _ in words]
    guessed = [_core(word) for words in expected for word in words]
    matcher = SequenceMatcher(None, guessed, [_core(word) for word in read], autojunk=False)
    for operation, guessed_from, guessed_to, read_from, read_to in matcher.get_opcodes():
        if operation == "equal":
            for guess, place in zip(range(guessed_from, guessed_to), range(read_from, read_to), strict=True):
                owned[owners[guess]].append(spans[place])
        elif operation == "insert":
            owned[owners[max(0, guessed_from - 1)] if owners else 0].extend(spans[read_from:read_to])
        elif operation == "replace":
            places = sorted(set(owners[guessed_from:guessed_to]))
            _share(owned, places, written, spans[read_from:read_to])
    return _joined(written, owned)


def _core(word: str) -> str:
    return "".join(character for character in word.lower() if character.isalnum())


def _share(owned: list[list[Span]], places: Sequence[int], written: Sequence[str], spans: Sequence[Span]) -> None:
    """Share the spans among these written words in order: whole spans when there are enough, else parts of them."""
    speaking = [place for place in places if _core(written[place])] or list(places)
    if len(spans) >= len(speaking):
        for index, span in enumerate(spans):
            owned[speaking[index * len(speaking) // len(spans)]].append(span)
        return
    total = sum(len(written[place]) for place in speaking)
    start, whole = spans[0].start_seconds, spans[-1].end_seconds - spans[0].start_seconds
    for place in speaking:
        end = start + whole * len(written[place]) / total
        owned[place].append(Span(start, end))
        start = end


def _joined(written: Sequence[str], owned: Sequence[Sequence[Span]]) -> tuple[SpokenWord, ...]:
    words: list[SpokenWord] = []
    waiting = ""
    for text, spans in zip(written, owned, strict=True):
        if spans:
            shown = f"{waiting} {text}".strip()
            start, end = min(s.start_seconds for s in spans), max(s.end_seconds for s in spans)
            words.append(SpokenWord(shown, start, end))
            waiting = ""
        elif words:
            last = words[-1]
            words[-1] = SpokenWord(f"{last.text} {text}", last.start_seconds, last.end_seconds)
        else:
            waiting = f"{waiting} {text}".strip()
    return tuple(words)
