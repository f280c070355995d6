"""`slideshow`: a real render, and pictures of every kind."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from video_manager.errors import PermanentError
from video_manager.media.ffmpeg import FfmpegTool
from video_manager.media.fit import Fit
from video_manager.media.frame_size import FrameSize
from video_manager.media.loudness import measure_loudness
from video_manager.media.pictures import fit_picture, read_picture
from video_manager.media.probing import extract_frame, probe
from video_manager.plugins.api import SOURCE_FILE_FORMAT, RenderInput
from video_manager.plugins.generators.slideshow import Slideshow, SlideshowOptions

from .conftest import RecordingContext


class SmallSlideshow(Slideshow):
    short_side = 270


def picture(width: int, height: int, colour: tuple[int, int, int]) -> np.ndarray:
    image = np.full((height, width, 3), colour, np.uint8)
    cv2.circle(image, (width // 4, height // 4), max(2, min(width, height) // 8), (255, 255, 255), -1)
    return image


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Path]:
    folder = tmp_path / "pictures"
    folder.mkdir()
    images = {
        "wide": picture(801, 399, (200, 40, 40)),
        "tall": picture(451, 801, (40, 200, 40)),
        "tiny": picture(1, 1, (0, 0, 0)),
    }
    for name, image in images.items():
        cv2.imwrite(str(folder / f"{name}.png"), image)
    cv2.imwrite(str(folder / "photo.jpg"), picture(640, 480, (40, 40, 200)))
    whole = (folder / "photo.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "cut.png").write_bytes((folder / "wide.png").read_bytes()[:300])
    (folder / "text.jpg").write_bytes(b"no picture at all" * 50)
    (folder / "empty.jpg").write_bytes(b"")
    return {path.name: path for path in folder.iterdir()}


async def test_a_slide_show(sources: dict[str, Path], context: RecordingContext) -> None:
    options = SlideshowOptions.model_validate({
        "pictures": ["wide.png", "tall.png", "photo.jpg"], "captions": ["First", "", "Last"], "title_card": "A title",
        "seconds_per_picture": 1.5, "transition": "fade", "music_mood": "calm", "palette": "ember",
    })  # fmt: skip
    result = await SmallSlideshow().render(RenderInput(3, "", sources), options, context)
    facts = probe(result.video)
    assert (facts.width, facts.height) == (270, 480)
    assert facts.frame_rate == Fraction(30)
    assert not facts.is_variable_frame_rate
    assert facts.duration_seconds == pytest.approx((4 * 45 - 3 * 15) / 30, abs=0.05)
    loudness = await measure_loudness(result.video, FfmpegTool())
    assert loudness.integrated_lufs == pytest.approx(-14, abs=1)
    assert loudness.true_peak_dbtp <= -1
    middle = [extract_frame(result.video, seconds)[240, 135] for seconds in (0.5, 1.75, 2.75, 3.9)]
    assert middle[1].argmax() == 2, "the blue picture is not there"
    assert middle[2].argmax() == 1, "the green picture is not there"
    assert middle[3].argmax() == 0, "the red picture is not there"
    fractions = [fraction for fraction, _ in context.reports]
    assert fractions == sorted(fractions)
    assert result.metadata.title == "A title"


async def test_the_zoom_moves_in_every_frame_of_the_file(
    sources: dict[str, Path], make_context: Callable[[str], RecordingContext]
) -> None:
    """The edge of a disc, measured in the encoded file, never stops."""
    options = SlideshowOptions(
        pictures=["tall.png"], seconds_per_picture=2, zoom=0.3, transition="cut", with_music=False, fit="crop"
    )
    result = await SmallSlideshow().render(RenderInput(2, "", sources), options, make_context("zoom"))
    assert not probe(result.video).has_audio
    light = []
    for number in range(58):
        frame = extract_frame(result.video, number / 30 + 0.001)
        light.append(float((frame.min(axis=2) > 120).astype(float).mean() * frame.shape[0] * frame.shape[1]))
    steps = np.diff(np.array(light)[::6])
    assert (steps > 0).all() or (steps < 0).all(), f"the disc does not grow evenly: {light}"
    frames = [extract_frame(result.video, number / 30 + 0.001) for number in range(20, 40)]
    assert all((one != two).any() for one, two in pairwise(frames))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tiny.png", "only 1x1 pixels"),
        ("cut.jpg", "cut off"),
        ("cut.png", "damaged or cut off"),
        ("text.jpg", "no picture"),
        ("empty.jpg", "zero bytes"),
        ("gone.jpg", "gone"),
    ],
)
async def test_a_bad_picture_is_named(
    sources: dict[str, Path], context: RecordingContext, name: str, words: str
) -> None:
    options = SlideshowOptions(pictures=["wide.png", name])
    with pytest.raises(PermanentError, match=words) as caught:
        await SmallSlideshow().render(RenderInput(1, "", sources), options, context)
    assert caught.value.detail.startswith("Picture 2 "), "the sender knows its place, not the name it has here"


def test_exif_rotation_is_honoured(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    cv2.imwrite(str(path), np.vstack([np.full((100, 300, 3), 255, np.uint8), np.zeros((100, 300, 3), np.uint8)]))
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # orientation 6: turn clockwise
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    path.write_bytes(path.read_bytes()[:2] + segment + path.read_bytes()[2:])
    image = read_picture(path, "Picture")
    assert image.shape[:2] == (300, 200)
    assert image[:, 150:].mean() > 250, "the upper half must be on the right"
    assert image[:, :50].mean() < 5


def test_transparency_is_white(tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    cv2.imwrite(str(path), np.zeros((80, 80, 4), np.uint8))
    assert read_picture(path, "Picture").min() == 255


def test_fit() -> None:
    size = FrameSize(180, 320)
    wide, near = picture(400, 200, (0, 0, 255)), picture(200, 300, (0, 0, 255))
    assert fit_picture(wide, size, Fit.AUTO)[5, 90, 2] < 200, "a wide picture stands on its blurred copy"
    assert fit_picture(wide, size, Fit.AUTO)[160, 150, 2] > 240
    assert fit_picture(near, size, Fit.AUTO)[5, 90, 2] > 240, "a nearly fitting picture is cropped"
    assert fit_picture(wide, size, Fit.CROP)[5, 90, 2] > 240
    for fit in Fit:
        assert fit_picture(picture(3000, 70, (9, 9, 9)), size, fit).shape == (320, 180, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pictures": []}, "at least 1"),
        ({"pictures": ["a"] * 61}, "at most 60"),
        ({"pictures": ["a"], "captions": ["x", "y"]}, "2 captions for 1"),
        ({"pictures": ["a"] * 60, "seconds_per_picture": 20}, "longer than 10 minutes"),
        ({"pictures": [""]}, "at least 1"),
    ],
)
def test_wrong_options(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SlideshowOptions.model_validate(options)


def test_the_schema_marks_the_pictures_as_source_files() -> None:
    items = SlideshowOptions.model_json_schema()["properties"]["pictures"]["items"]
    assert items["format"] == SOURCE_FILE_FORMAT
    assert items["x-accept"] == "image/*"
