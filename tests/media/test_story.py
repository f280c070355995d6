"""`story`: a real render, measured; and what it refuses."""

import asyncio
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pysubs2
import pytest
from pydantic import ValidationError

from video_manager.media.caption_layout import CaptionLayout
from video_manager.media.caption_styles import CAPTION_STYLES, CaptionPosition, CaptionStyleName
from video_manager.media.ffmpeg import FfmpegTool
from video_manager.media.frame_size import FrameSize
from video_manager.media.loudness import measure_loudness
from video_manager.media.narration import narrate
from video_manager.media.palettes import PALETTES, PaletteName
from video_manager.media.probing import MediaFacts, extract_frame, probe
from video_manager.media.speakable_text import read_script
from video_manager.media.word_captions import WordCaptions
from video_manager.plugins.api import RenderInput, RenderResult
from video_manager.plugins.generators.story import Story, StoryOptions

from .conftest import RecordingContext

TEXT = "# Two foxes\nIn 2026 a red fox found $3.2 billion, or 3% more. Nobody knew why! \U0001f98a The owl did."


class SmallStory(Story):
    short_side = 270


class HalfSizeStory(Story):
    short_side = 540


def options(**changes: object) -> StoryOptions:
    defaults = {
        "text": TEXT,
        "caption_style": "bold",
        "background": "ridges",
        "palette": "violet",
        "music_mood": "bright",
    }
    return StoryOptions.model_validate(defaults | changes)


def render(folder: Path, seed: int = 7, **changes: object) -> tuple[RenderResult, RecordingContext]:
    folder.mkdir()
    context = RecordingContext(folder)
    return asyncio.run(SmallStory().render(RenderInput(seed, ""), options(**changes), context)), context


@dataclass(frozen=True)
class Rendered:
    result: RenderResult
    context: RecordingContext
    facts: MediaFacts


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    result, context = render(tmp_path_factory.mktemp("story") / "work")
    return Rendered(result, context, probe(result.video))


def test_the_file_is_what_players_and_platforms_expect(story: Rendered) -> None:
    facts = story.facts
    assert (facts.width, facts.height) == (270, 480)
    assert facts.frame_rate == Fraction(30)
    assert not facts.is_variable_frame_rate
    assert (facts.video_codec, facts.pixel_format, facts.audio_codec) == ("h264", "yuv420p", "aac")
    assert (facts.audio_sample_rate, facts.audio_channels) == (48000, 2)
    assert facts.duration_seconds == pytest.approx(float(story.result.facts["duration_seconds"]), abs=0.05)
    head = story.result.video.read_bytes()[:200_000]
    assert head.find(b"moov") < head.find(b"mdat"), "players have to read the whole file before they start"


async def test_loudness(story: Rendered) -> None:
    loudness = await measure_loudness(story.result.video, FfmpegTool())
    assert loudness.integrated_lufs == pytest.approx(-14, abs=1)
    assert loudness.true_peak_dbtp <= -1


def test_captions_follow_the_spoken_words(story: Rendered) -> None:
    script = read_script(TEXT)
    narration = narrate(script.paragraphs, speed=1.0, seed=7, max_seconds=58)
    overlay = pysubs2.load(str(story.context.work_folder / "captions.ass"))
    style = CAPTION_STYLES[CaptionStyleName.BOLD]
    size = FrameSize(story.facts.width, story.facts.height)
    groups = CaptionLayout(style, size).groups(narration.words, story.facts.duration_seconds)
    captions = WordCaptions(groups, style, CaptionPosition.CENTER, size, PALETTES[PaletteName.VIOLET].accent)
    spoken = [(number, state) for number, state in enumerate(captions.states) if state.group is not None]
    assert len(spoken) == len(narration.words)
    for word, (number, state) in zip(narration.words, spoken, strict=True):
        assert 0 <= state.start_frame / 30 - word.start_seconds < 1 / 30
        texts = [event.text for event in overlay if event.start == number * 1000 and event.style == "Caption"]
        marked = [re.search(r"\\c&H59DEFF&\}([^{]+)", text) for text in texts]
        (shown,) = [match.group(1).strip() for match in marked if match]
        assert shown == word.text.upper()


def test_captions_show_what_is_written(story: Rendered) -> None:
    assert story.result.captions is not None
    cues = pysubs2.load(str(story.result.captions))
    text = " ".join(cue.plaintext.replace("\n", " ") for cue in cues)
    assert text == "In 2026 a red fox found $3.2 billion, or 3% more. Nobody knew why! The owl did."
    for earlier, later in pairwise(cues):
        assert earlier.end <= later.start


def test_captions_are_really_in_the_picture(story: Rendered) -> None:
    """The accent colour stands in the caption band while words are spoken, and nowhere after the last one."""
    accent, seconds = np.array([255, 222, 89]), story.facts.duration_seconds
    band = slice(200, 300)
    spoken = np.abs(extract_frame(story.result.video, 1.0)[band].astype(int) - accent).sum(axis=2)
    after = np.abs(extract_frame(story.result.video, seconds - 0.3)[band].astype(int) - accent).sum(axis=2)
    assert (spoken < 90).sum() > 150
    assert (after < 90).sum() < 20


def test_every_frame_moves(tmp_path: Path) -> None:
    """At half the real size; in the smallest one a slow ridge moves less than the encoder can show."""
    context = RecordingContext(tmp_path)
    story = HalfSizeStory().render(RenderInput(7, ""), options(text="Two foxes ran away."), context)
    with av.open(str(asyncio.run(story).video)) as container:
        frames = [frame.to_ndarray(format="gray")[640:940].astype(int) for frame in container.decode(video=0)]
    assert len(frames) > 40
    assert all(np.abs(one - two).max() > 0 for one, two in pairwise(frames[:-1]))


def test_metadata_and_facts(story: Rendered) -> None:
    metadata = story.result.metadata
    assert metadata.title == "Two foxes"
    assert metadata.description is not None
    assert metadata.description.startswith("In 2026 a red fox")
    assert "foxes" in metadata.tags
    assert story.result.facts["sentences_read"] == story.result.facts["sentences_in_text"]
    assert "cut" not in story.result.facts


def test_progress_rises_to_the_end(story: Rendered) -> None:
    fractions = [fraction for fraction, _ in story.context.reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(fractions) > 30
    assert {"Speaking", "Making music", "Mixing", "Rendering"} <= {stage for _, stage in story.context.reports}


def test_the_same_spec_gives_the_same_bytes(story: Rendered, tmp_path: Path) -> None:
    again, _ = render(tmp_path / "again")
    assert again.captions is not None
    assert story.result.captions is not None
    for one, two in ((story.result.video, again.video), (story.result.captions, again.captions)):
        assert hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(two.read_bytes()).digest()


def test_a_long_text_is_cut_and_says_so(tmp_path: Path) -> None:
    text = "One short sentence here. " * 40
    result, _ = render(
        tmp_path / "long", text=text, max_seconds=10, caption_style="box", background="aurora", music_level=0
    )
    assert probe(result.video).duration_seconds <= 10
    assert int(result.facts["sentences_read"]) < 40
    assert "cut after" in str(result.facts["cut"])


@pytest.mark.parametrize(
    ("caption_style", "background", "aspect", "position"),
    [("clean", "bokeh", "1:1", "lower"), ("box", "silk", "16:9", "upper"), ("poster", "rays", "9:16", "center")],
)
def test_every_look_renders(tmp_path: Path, caption_style: str, background: str, aspect: str, position: str) -> None:
    result, _ = render(
        tmp_path / "look", text="Hello there.", caption_style=caption_style, background=background, aspect=aspect,
        caption_position=position, music_mood="calm", show_title=False,
    )  # fmt: skip
    facts = probe(result.video)
    assert f"{facts.width}x{facts.height}" == {"1:1": "270x270", "16:9": "480x270", "9:16": "270x480"}[aspect]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "at least 1"),
        ("  \n\t ", "empty"),
        ("```\nonly code\n```", "nothing in the text"),
        ("\U0001f600 \U0001f680", "nothing in the text"),
        ("\u3053\u308c\u306f\u65e5\u672c\u8a9e\u306e\u6587\u7ae0\u3067\u3059\u3002", "Latin"),
        ("word " * 1600, "minutes"),
        ("x" * 20_001, "20000"),
    ],
)
def test_texts_that_cannot_be_read_are_refused_with_a_reason(text: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        StoryOptions(text=text)
    assert caught.value.errors()[0]["loc"] == ("text",)


async def test_cancelling_ends_ffmpeg(make_context: Callable[[str], RecordingContext]) -> None:
    context = make_context("cancelled")
    task = asyncio.create_task(Story().render(RenderInput(1, ""), options(), context))
    while not any(stage == "Rendering" for _, stage in context.reports):  # noqa: ASYNC110 - it reports, no event
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_plugin_modules_load_cheaply() -> None:
    """The server imports every plugin for its options; what renders must not come with it."""
    program = (
        "import sys, video_manager.plugins.generators as g; [c.Options.model_json_schema() for c in g.GENERATORS];"
        "print([n for n in ('numpy','cv2','av','onnxruntime','hibari','pysubs2','imageio_ffmpeg') if n in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
