"""Markdown and plain text to sentences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from video_manager.media.speakable_text import read_script, readable_share, split_sentences

README = """# Hello *World* \U0001f389
Some text with [a link](http://x.y/z) and `code_name` (see https://example.com/abc). It is 5 p.m. now. Dr. Smith came.

```bash
rm -rf everything
```
![a picture](a.png)

## Parts
- one item
- two **bold** items:
  - nested \U0001f600

| Name | What |
|---|---|
| `./run` | starts it |

<div>markup</div>
"""


def spoken(text: str) -> str:
    return " ".join(sentence for paragraph in read_script(text).paragraphs for sentence in paragraph)


def test_a_readme_becomes_sentences() -> None:
    script = read_script(README)
    assert script.title == "Hello World"
    assert script.has_heading
    assert script.paragraphs == (
        ("Some text with a link and code name (see).", "It is 5 p.m. now.", "Dr. Smith came."),
        ("one item.",),
        ("two bold items.",),
        ("nested.",),
        ("./run: starts it.",),
    )


@pytest.mark.parametrize("unspoken", ["rm -rf", "picture", "http", "example.com", "div", "markup", "|", "`", "*", "#"])
def test_code_pictures_addresses_and_marks_are_not_read(unspoken: str) -> None:
    assert unspoken not in spoken(README)


def test_wide_tables_name_their_columns() -> None:
    text = "| Name | Size | Colour | Price |\n|---|---|---|---|\n| Box | 3 | red | $4 |\n"
    assert spoken(text) == "Box: Size 3, Colour red, Price $4."


def test_headings_are_read_when_there_is_nothing_else() -> None:
    assert spoken("# One thing\n## Another\n") == "One thing. Another."


def test_without_heading_the_first_sentence_is_the_title() -> None:
    script = read_script("The fox ran. The dog slept.")
    assert script.title == "The fox ran"
    assert not script.has_heading


@pytest.mark.parametrize(
    "text", ["", "   \n", "```\ncode\n```", "![x](y.png)", "\U0001f600 \U0001f600", "***", "https://a.b/c"]
)
def test_nothing_to_read(text: str) -> None:
    assert read_script(text).paragraphs == ()


def test_abbreviations_do_not_end_sentences() -> None:
    text = "Mr. J. Fox, e.g. the red one, came at 5 p.m. on Monday. He left! Why? Nobody knows."
    assert list(split_sentences(text)) == [
        "Mr. J. Fox, e.g. the red one, came at 5 p.m. on Monday.",
        "He left!",
        "Why?",
        "Nobody knows.",
    ]


def test_readable_share() -> None:
    assert readable_share("na\u00efve caf\u00e9 2026!") == 1.0
    assert readable_share("\u65e5\u672c\u8a9e\u3067\u3059") == 0.0


@given(st.text(max_size=300))
def test_any_text_can_be_prepared(text: str) -> None:
    for paragraph in read_script(text).paragraphs:
        for sentence in paragraph:
            assert any(character.isalnum() for character in sentence)
            assert "\n" not in sentence
