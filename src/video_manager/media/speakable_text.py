"""Turns what people send (plain text or Markdown, such as a README) into sentences that can be read aloud.

Kept: paragraphs, list items, table rows. Dropped: code blocks, pictures, HTML, bare addresses, emoji, and headings
(the first one is the title), except when there is nothing else.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.token import Token

WORDS_PER_SECOND = 2.5
"""The voice's pace at speed 1, pauses included."""
MIN_READABLE_SHARE = 0.5
_TITLE_LIMIT = 90


@dataclass(frozen=True)
class Script:
    """What to read: paragraphs of sentences. `title` is the first heading, else the first sentence, shortened."""

    title: str
    paragraphs: tuple[tuple[str, ...], ...]
    has_heading: bool = False

    @property
    def word_count(self) -> int:
        return sum(len(sentence.split()) for paragraph in self.paragraphs for sentence in paragraph)

    @property
    def estimated_seconds(self) -> float:
        """How long reading takes at speed 1, roughly."""
        return self.word_count / WORDS_PER_SECOND


def read_script(text: str) -> Script:
    """The script of a text. It has no paragraphs when nothing of the text can be read aloud."""
    headings: list[str] = []
    paragraphs: list[tuple[str, ...]] = []
    for is_heading, block in _blocks(text):
        sentences = tuple(split_sentences(_speakable(block)))
        if not sentences:
            continue
        if is_heading:
            headings.append(" ".join(sentences))
        else:
            paragraphs.append(sentences)
    if not paragraphs:
        paragraphs = [(_closed(heading),) for heading in headings]
    first = headings[0] if headings else (paragraphs[0][0] if paragraphs else "")
    return Script(shorten(first.rstrip(".:;, "), _TITLE_LIMIT), tuple(paragraphs), bool(headings))


def readable_share(text: str) -> float:
    """Which part of the letters the English voice can read (Latin ones), 0..1."""
    letters = [character for character in text if character.isalpha()]
    if not letters:
        return 1.0
    return sum("LATIN" in unicodedata.name(character, "") for character in letters) / len(letters)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, cut between words."""
    if len(text) <= limit:
        return text
    return text[: limit - 1].rsplit(" ", 1)[0].rstrip(",;:- ") + "…"


# ---- blocks -----------------------------------------------------------------------------------------------


def _blocks(text: str) -> Iterator[tuple[bool, str]]:
    """(is a heading, text) of every block that is to be read."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - the idle server rarely needs it

    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(_without_front_matter(text))
    row: list[str] | None = None
    header: list[str] = []
    in_heading = in_table_head = False
    for token in tokens:
        match token.type:
            case "heading_open" | "heading_close":
                in_heading = token.nesting == 1
            case "thead_open" | "thead_close":
                in_table_head = token.nesting == 1
            case "tr_open":
                row = []
            case "tr_close" if row is not None:
                if in_table_head:
                    header = row
                else:
                    yield False, _row_sentence(header, row)
                row = None
            case "inline":
                words = _inline_text(token.children or [])
                if row is not None:
                    row.append(words)
                else:
                    yield in_heading, words if in_heading else _closed(words)
            case _:
                pass


def _without_front_matter(text: str) -> str:
    return re.sub(r"\A---\n.*?\n---\n", "", text.lstrip("\ufeff"), count=1, flags=re.DOTALL)


def _inline_text(children: "Sequence[Token]") -> str:
    pieces = []
    for child in children:
        if child.type in {"text", "code_inline"}:
            pieces.append(child.content)
        elif child.type in {"softbreak", "hardbreak"}:
            pieces.append(" ")
    return "".join(pieces).strip()


def _row_sentence(header: Sequence[str], row: Sequence[str]) -> str:
    """A table row as a sentence: "First: second, third." Cells of wide tables are led by their column's name."""
    cells = [cell for cell in row if cell.strip()]
    if not cells:
        return ""
    if len(row) > 3 and len(header) == len(row):
        named = [f"{name} {cell}".strip() for name, cell in zip(header[1:], row[1:], strict=True) if cell.strip()]
        cells = [row[0], *named]
    first, rest = cells[0], ", ".join(cell.rstrip(".") for cell in cells[1:])
    return _closed(f"{first}: {rest}" if rest else first)


_SENTENCE_CLOSED = re.compile(r"[.!?\u2026][\"')\u201d\u2019]?$")


def _closed(text: str) -> str:
    """The text with a full stop, so that the voice ends it as a sentence."""
    stripped = text.rstrip()
    if not stripped or _SENTENCE_CLOSED.search(stripped):
        return stripped
    return stripped.rstrip(",;:-") + "."


# ---- characters -------------------------------------------------------------------------------------------

_ADDRESS = re.compile(r"(?:(?:https?|ftp)://|www\.)\S+?(?=[.,;:!?)\]\"']*(?:\s|$))", re.IGNORECASE)
_EMPTY_BRACKETS = re.compile(r"[(\[{]\s*[)\]}]")
_REPLACEMENTS = str.maketrans({
    "\u00a0": " ", "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2192": " to ",
    "\u2190": " from ", "\u2194": " and ", "\u2022": " ", "\u00b7": ",", "|": " ", "`": "", "*": "", "_": " ",
    "<": " ", ">": " ", "{": " ", "}": " ", "[": "(", "]": ")", "~": " ", "^": " ", "\\": " ",
})  # fmt: skip
_RUNS = re.compile(r"[-=#]{2,}|\.{4,}")


def _speakable(text: str) -> str:
    """Plain words: no addresses, no emoji or control characters, typographic marks in their plain form."""
    text = _ADDRESS.sub(" ", text)
    text = text.replace(".*", "").replace("->", " to ").replace("<-", " from ").translate(_REPLACEMENTS)
    text = "".join(character for character in text if _is_kept(character))
    text = _EMPTY_BRACKETS.sub(" ", _RUNS.sub(" ", text))
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\s+(\)|[,.;:!?]+(?=\s|$))", r"\1", text).replace("( ", "(")
    return re.sub(r"^(?:[-:;,.)!?]+\s+)+", "", text)


def _is_kept(character: str) -> bool:
    """Letters and marks the voice may know; other symbols only where people read them aloud."""
    category = unicodedata.category(character)
    if category[0] in "LMNPZ" or character in "\n\t":
        return category != "Mn" or character != "\ufe0f"
    return character in "$£€¥+=%°&@#©®™¢§"


_SENTENCE_END = re.compile(r'[.!?…]+["\')\]]*\s+(?=\S)')
_ABBREVIATION = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|No|vs|etc|e\.g|i\.e|approx|Inc|Ltd|Co|Fig|Vol|a\.m|p\.m)|\b[A-Z])\.\s+$"
)


def split_sentences(text: str) -> Iterator[str]:
    """The sentences of one paragraph; those without a single letter or digit are left out."""
    start = 0
    for match in _SENTENCE_END.finditer(text):
        head = text[start : match.end()]
        goes_on = text[match.end()].islower() or _ABBREVIATION.search(head)
        if not goes_on:
            if any(character.isalnum() for character in head):
                yield head.strip()
            start = match.end()
    tail = text[start:].strip()
    if any(character.isalnum() for character in tail):
        yield tail
