"""Captions: grouping, layout, and what is really drawn."""

from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pysubs2
import pytest

from video_manager.errors import PermanentError
from video_manager.media.ass_file import ass_filter
from video_manager.media.caption_layout import SIDE_MARGIN, CaptionLayout
from video_manager.media.caption_styles import (
    CAPTION_STYLES,
    CaptionPosition,
    CaptionStyle,
    CaptionStyleName,
    Highlight,
)
from video_manager.media.ffmpeg import run_ffmpeg
from video_manager.media.fonts import Font, drawable, prepare_fonts_folder, require_fonts_were_used
from video_manager.media.frame_size import Aspect, FrameSize
from video_manager.media.overlay import Headline, Overlay
from video_manager.media.palettes import PALETTES, contrast
from video_manager.media.probing import extract_frame
from video_manager.media.webvtt import write_webvtt
from video_manager.media.word_alignment import SpokenWord
from video_manager.media.word_captions import WordCaptions

PORTRAIT = FrameSize.of(Aspect.PORTRAIT)
STYLES = pytest.mark.parametrize("style", CAPTION_STYLES.values(), ids=list(CAPTION_STYLES))


def words(text: str, each: float = 0.3, start: float = 0.1) -> list[SpokenWord]:
    return [
        SpokenWord(word, start + index * each, start + index * each + each * 0.9)
        for index, word in enumerate(text.split())
    ]


LONG = words(
    "It was the best of times, it was the worst of times. Nobody knew why, incomprehensibilities notwithstanding!"
)


@STYLES
def test_groups_hold_every_word_and_fit_the_frame(style: CaptionStyle) -> None:
    layout = CaptionLayout(style, PORTRAIT)
    groups = layout.groups(LONG, 20)
    shown = [word.text.lower() for group in groups for word in group.words]
    assert shown == [word.text.lower() for word in LONG]
    for group in groups:
        assert 1 <= len(group.words) <= style.max_words
        for line in group.lines:
            width = layout.width(" ".join(group.words[index].text for index in line), group.font_size)
            assert width <= PORTRAIT.width * (1 - 2 * SIDE_MARGIN) + 1
    for earlier, later in pairwise(groups):
        assert earlier.end_seconds <= later.start_seconds


@STYLES
def test_a_group_ends_with_its_sentence(style: CaptionStyle) -> None:
    for group in CaptionLayout(style, PORTRAIT).groups(LONG, 20):
        assert not any(word.text.endswith((".", "!")) for word in group.words[:-1])


def test_a_pause_parts_groups() -> None:
    spoken = [SpokenWord("one", 0, 0.3), SpokenWord("two", 1.5, 1.8)]
    groups = CaptionLayout(CAPTION_STYLES[CaptionStyleName.BOLD], PORTRAIT).groups(spoken, 3)
    assert [group.start_seconds for group in groups] == [0, 1.5]
    assert groups[0].end_seconds < 1.0


def test_professional_size() -> None:
    assert PORTRAIT.caption_font_size == pytest.approx(165, abs=2)


def test_accents_stand_out_from_every_shade() -> None:
    for palette in PALETTES.values():
        assert all(contrast(palette.accent, shade) > 1.6 for shade in palette.shades)
        assert contrast((255, 255, 255), palette.shades[1]) > 7


def test_characters_a_font_lacks_are_replaced_or_dropped() -> None:
    assert drawable("caf\u00e9 \u201cok\u201d", Font.ANTON) == "caf\u00e9 \u201cok\u201d"
    assert drawable("fox \U0001f600 \u65e5", Font.ANTON).strip() == "fox"
    for font in Font:
        text = drawable("\u017b\u00f3\u0142\u0107 \u2192 \ufb01ne \u2212 \U0001f680", font)
        assert all(font.metrics.has(character) for character in text if character != " ")


Burn = Callable[[WordCaptions | Overlay, float], Awaitable[Path]]


@pytest.fixture
def burn(tmp_path: Path) -> Burn:
    async def run(drawn: WordCaptions | Overlay, seconds: float) -> Path:
        folder = tmp_path / "it's, [a]: folder"
        fonts = prepare_fonts_folder(folder / "fonts", drawn.fonts)
        target = tmp_path / "burned.mkv"
        size = f"{drawn.size.width}x{drawn.size.height}"
        if isinstance(drawn, Overlay):
            graph = f"[0:v]{ass_filter(drawn.write(folder / 'overlay.ass'), fonts)}[v]"
        else:
            graph = f"[0:v]format=yuv420p[p];{drawn.filters(folder, fonts, 'p', 'v')}"
        log = await run_ffmpeg([
            "-f", "lavfi", "-i", f"color=black:s={size}:r=30:d={seconds}", "-filter_complex", graph, "-map", "[v]",
            "-c:v", "ffv1", str(target),
        ])  # fmt: skip
        require_fonts_were_used(log, drawn.fonts)
        return target

    return run


@STYLES
async def test_the_marked_word_is_the_one_spoken(style: CaptionStyle, burn: Burn) -> None:
    """The accent colour appears where the word stands, from the very frame on which it starts."""
    size, accent = FrameSize.of(Aspect.PORTRAIT, 540), (255, 209, 63)
    spoken = words("go for it", each=0.5, start=0.2)
    layout = CaptionLayout(style, size)
    (group,) = layout.groups(spoken, 2)
    assert group.lines == ((0, 1, 2),)
    video = await burn(WordCaptions([group], style, CaptionPosition.CENTER, size, accent), 2.6)
    assert extract_frame(video, 5 / 30).max() < 40, "a caption came too early"
    assert extract_frame(video, 6 / 30 + 0.001).max() > 40, "the first caption came too late"
    assert extract_frame(video, group.end_seconds + 0.1).max() < 40, "the last caption stayed"
    line = " ".join(word.text for word in group.words)
    left = (size.width - layout.width(line, group.font_size)) / 2
    for index, word in enumerate(group.words):
        frame = extract_frame(video, word.start_seconds + 0.3).astype(int)
        assert style.highlight is Highlight.REVEAL or frame.max() > 245, "white is not white"
        marked = np.abs(frame - accent).sum(axis=2) < 60
        before = layout.width("".join(w.text + " " for w in group.words[:index]), group.font_size)
        middle = left + before + layout.width(word.text, group.font_size) / 2
        assert marked.sum() > 200
        assert abs(np.nonzero(marked)[1].mean() - middle) < size.width * 0.02
        rows = np.nonzero(marked)[0]
        assert abs(rows.mean() / size.height - 0.52) < 0.03


@pytest.mark.parametrize("position", CaptionPosition)
@pytest.mark.parametrize("aspect", Aspect)
@STYLES
async def test_captions_stay_within_the_safe_area(
    style: CaptionStyle, aspect: Aspect, position: CaptionPosition, burn: Burn
) -> None:
    """Not cut off by their strip, with room at the sides, and above what platforms lay over the lower part."""
    size = FrameSize.of(aspect, 270)
    spoken = words("Jumbled \u00c5gypten qualify", each=0.2, start=0.0) + words("incomprehensibilities", start=0.6)
    captions = WordCaptions(CaptionLayout(style, size).groups(spoken, 2), style, position, size, (255, 209, 63))
    video = await burn(captions, 1.2)
    top, height = captions.strip
    for seconds in (0.1, 0.3, 0.5, 0.7):
        rows, columns = np.nonzero(extract_frame(video, seconds).max(axis=2) > 40)
        assert top + 2 < rows.min()
        assert rows.max() < min(top + height - 2, size.height * 0.86)
        assert size.width * 0.05 < columns.min()
        assert columns.max() < size.width * 0.95


def test_every_word_starts_on_its_frame_however_many_there_are() -> None:
    spoken = words("word " * 1800, each=0.31)
    style = CAPTION_STYLES[CaptionStyleName.CLEAN]
    groups = CaptionLayout(style, PORTRAIT).groups(spoken, 600)
    captions = WordCaptions(groups, style, CaptionPosition.CENTER, PORTRAIT, (255, 0, 0))
    shown = {state.start_frame: state for state in captions.states if state.group is not None}
    assert len(shown) == len(spoken)
    for word in spoken:
        frame = next(number for number in range(10**6) if number >= word.start_seconds * 30 - 1e-3)
        state = shown[frame]
        assert state.group is not None
        assert state.group.words[state.current].start_seconds == word.start_seconds


async def test_an_hour_of_words_is_still_a_graph_that_ffmpeg_takes(burn: Burn) -> None:
    size, style = FrameSize(64, 64), CAPTION_STYLES[CaptionStyleName.BOLD]
    groups = CaptionLayout(style, size).groups(words("word " * 1800, each=0.31), 600)
    captions = WordCaptions(groups, style, CaptionPosition.CENTER, size, (255, 209, 63))
    assert extract_frame(await burn(captions, 5), 4.9).max() > 40


async def test_headline_and_progress_bar(burn: Burn) -> None:
    size = FrameSize.of(Aspect.PORTRAIT, 270)
    overlay = Overlay(size, (0, 255, 0))
    overlay.add_headline(Headline("A {strange} \\N title that is long enough for two lines", 0, 1.5, fade_in_seconds=0))
    overlay.add_progress_bar(2.0)
    video = await burn(overlay, 2)
    assert extract_frame(video, 0)[: size.height // 3].max() > 200, "a poster without its title"
    middle = extract_frame(video, 1.0)
    assert middle[: size.height // 3].max() > 200
    bar = middle[-2, :, 1] > 200
    assert 0.4 < bar.mean() < 0.6
    assert bar[:100].all()
    assert extract_frame(video, 1.9)[: size.height // 3].max() < 40


async def test_a_missing_font_is_an_error_not_another_font(tmp_path: Path) -> None:
    overlay = Overlay(FrameSize(320, 180), (255, 0, 0), Font.ANTON)
    overlay.add_headline(Headline("hello", 0, 1))
    wrong = prepare_fonts_folder(tmp_path / "wrong", frozenset({Font.BEBAS_NEUE}))
    log = await run_ffmpeg([
        "-f", "lavfi", "-i", "color=black:s=320x180:d=1",
        "-vf", ass_filter(overlay.write(tmp_path / "o.ass"), wrong), "-f", "null", "-",
    ])  # fmt: skip
    with pytest.raises(PermanentError, match="Anton"):
        require_fonts_were_used(log, overlay.fonts)


def test_no_captions_drawn_is_an_error() -> None:
    with pytest.raises(PermanentError, match="never loaded"):
        require_fonts_were_used("frame= 10", frozenset({Font.ANTON}))


def test_webvtt_cues_hold_all_words_in_time(tmp_path: Path) -> None:
    cues = list(pysubs2.load(str(write_webvtt(LONG, tmp_path / "c.vtt"))))
    assert " ".join(cue.plaintext.replace("\n", " ") for cue in cues) == " ".join(word.text for word in LONG)
    assert cues[0].start == 100
    for cue in cues:
        assert cue.duration <= 6000
        assert all(len(line) <= 50 for line in cue.plaintext.split("\n"))
        assert len(cue.plaintext.split("\n")) <= 2
    for earlier, later in pairwise(cues):
        assert earlier.end <= later.start
