"""`upload` and `test-card`: sent-in videos become right, or say why not."""

import hashlib
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from video_manager.errors import PermanentError
from video_manager.media.ffmpeg import FfmpegTool
from video_manager.media.loudness import measure_loudness
from video_manager.media.probing import extract_frame, probe
from video_manager.plugins.api import SOURCE_FILE_FORMAT, RenderInput, RenderResult
from video_manager.plugins.generators import GENERATORS
from video_manager.plugins.generators.test_card import BarsAndTone, BarsAndToneOptions
from video_manager.plugins.generators.upload import Upload, UploadOptions

from .conftest import Clips, RecordingContext


async def upload(clips: Clips, name: str, context: RecordingContext) -> RenderResult:
    return await Upload().render(RenderInput(1, "", {"file": clips[name]}), UploadOptions(source="file"), context)


async def test_a_right_file_is_copied_without_loss(clips: Clips, context: RecordingContext) -> None:
    result = await upload(clips, "right.mp4", context)
    assert result.facts["encoded_again"] == "no"
    assert np.array_equal(extract_frame(result.video, 2), extract_frame(clips.right, 2))


@pytest.mark.parametrize(
    ("name", "size", "rate"),
    [
        ("right.mkv", (320, 180), Fraction(30)),
        ("rotated.mp4", (180, 320), Fraction(30)),
        ("variable.mp4", (320, 180), Fraction(24)),
        ("ten-bit.mkv", (320, 180), Fraction(30)),
        ("odd.mkv", (300, 174), Fraction(30)),
        ("wide-pixels.mp4", (640, 180), Fraction(30)),
    ],
)
async def test_other_files_are_made_right(
    clips: Clips, context: RecordingContext, name: str, size: tuple[int, int], rate: Fraction
) -> None:
    source = probe(clips[name])
    result = await upload(clips, name, context)
    facts = probe(result.video)
    assert result.facts["encoded_again"] == "yes"
    assert (facts.width, facts.height) == pytest.approx(size, abs=2)
    assert facts.width % 2 == facts.height % 2 == 0
    assert facts.frame_rate == rate
    assert not facts.is_variable_frame_rate
    assert facts.rotation == 0
    assert facts.has_square_pixels
    assert (facts.video_codec, facts.pixel_format) == ("h264", "yuv420p")
    assert "mp4" in facts.container
    assert facts.has_audio == source.has_audio
    assert facts.duration_seconds == pytest.approx(source.duration_seconds, abs=0.15)
    before, after = extract_frame(clips[name], 2.0), extract_frame(result.video, 2.0)
    if before.shape == after.shape and not source.is_variable_frame_rate:
        assert np.abs(before.astype(int) - after).mean() < 8, "the picture was turned or its colours changed"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("empty.mp4", "zero bytes"),
        ("text.mp4", "not a video"),
        ("cut-off.mp4", "cut off"),
        ("cut-off.mkv", "cut off"),
        ("headless.mp4", "damaged"),
        ("scarred.mp4", "damaged"),
        ("sound.mp3", "no picture"),
        ("dot.mkv", "1x1 pixels"),
        ("still.png", "still picture"),
    ],
)
async def test_bad_files_say_what_is_wrong(clips: Clips, context: RecordingContext, name: str, words: str) -> None:
    with pytest.raises(PermanentError, match=words) as caught:
        await upload(clips, name, context)
    assert caught.value.detail.startswith("The video file "), "a name that the sender never gave it"


async def test_a_vanished_file(clips: Clips, context: RecordingContext) -> None:
    with pytest.raises(PermanentError, match="is gone"):
        await Upload().render(RenderInput(1, "", {}), UploadOptions(source="file"), context)


async def test_a_video_without_sound_stays_without(clips: Clips, context: RecordingContext) -> None:
    result = await upload(clips, "silent.mp4", context)
    assert not probe(result.video).has_audio
    assert result.facts["encoded_again"] == "no"


async def test_the_test_card(context: RecordingContext) -> None:
    options = BarsAndToneOptions(duration_seconds=3, width=270, height=480, frame_rate=25)
    result = await BarsAndTone().render(RenderInput(12, ""), options, context)
    facts = probe(result.video)
    assert (facts.width, facts.height, facts.frame_rate) == (270, 480, Fraction(25))
    assert facts.duration_seconds == pytest.approx(3, abs=0.03)
    loudness = await measure_loudness(result.video, FfmpegTool())
    assert loudness.integrated_lufs == pytest.approx(-14, abs=0.3)
    frames = [extract_frame(result.video, number / 25) for number in range(10)]
    for one, two in pairwise(frames):
        assert np.abs(one.astype(int) - two).mean() > 0.2, "the card stands still"
    first = hashlib.sha256(result.video.read_bytes()).digest()
    again = await BarsAndTone().render(RenderInput(12, ""), options, context)
    assert hashlib.sha256(again.video.read_bytes()).digest() == first


def test_schemas_draw_good_forms() -> None:
    assert [generator.name for generator in GENERATORS] == ["story", "slideshow", "upload", "test-card"]
    assert UploadOptions.model_json_schema()["properties"]["source"]["format"] == SOURCE_FILE_FORMAT
    for generator in GENERATORS:
        schema = generator.Options.model_json_schema()
        for name, field in schema["properties"].items():
            assert field.get("title"), f"{generator.name}.{name} has no title"
            assert field.get("description"), f"{generator.name}.{name} has no description"
