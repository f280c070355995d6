"""The processing steps on real clips, measured afterwards."""

import asyncio
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.media.step_clips import TONE, clip, context

from video_manager.errors import InvalidInput, PermanentError
from video_manager.media.ffmpeg import FfmpegTool, run_ffmpeg
from video_manager.media.frame_size import Aspect
from video_manager.media.loudness import measure_loudness
from video_manager.media.probing import extract_frame, probe
from video_manager.plugins.api import StepInput, StepResult
from video_manager.plugins.registry import PluginKind, Registry
from video_manager.plugins.steps import STEPS
from video_manager.plugins.steps.encoding import is_delivered_picture, is_delivered_sound
from video_manager.plugins.steps.thumbnail import Candidate, choose

REGISTRY = Registry(STEPS)


def apply(step: str, video: Path, folder: Path, captions: Path | None = None, **options: object) -> StepResult:
    plugin = REGISTRY.step(step)
    sources = {"picture-1": folder / "logo.png"}
    resolved = plugin.Options.model_validate(REGISTRY.resolve_options(PluginKind.STEP, step, options, 1))
    return asyncio.run(plugin().apply(StepInput(video, captions, (), 1, sources), resolved, context(folder)))


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("clips") / "card.mp4")


def assert_delivered(video: Path) -> None:
    facts = probe(video)
    assert is_delivered_picture(facts), facts
    if facts.has_audio:
        assert is_delivered_sound(facts), facts
    data = video.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "the index must stand in front"


# ---- reframe ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fill", "aspect", "size"),
    [
        pytest.param(fill, aspect, size, id=f"{aspect}-{fill}", marks=[] if row == column else [pytest.mark.long])
        for row, fill in enumerate(("blur", "crop", "fit"))
        for column, (aspect, size) in enumerate((("9:16", (270, 480)), ("1:1", (480, 480)), ("16:9", (854, 480))))
    ],
)
def test_reframe_gives_the_shape(card: Path, tmp_path: Path, fill: str, aspect: str, size: tuple[int, int]) -> None:
    result = apply("reframe", card, tmp_path, aspect=aspect, fill=fill, height=480, colour="#ff0000")
    assert result.video is not None
    facts = probe(result.video)
    assert (facts.width, facts.height) == size
    assert facts.duration_seconds == pytest.approx(2.0, abs=0.05)
    assert_delivered(result.video)
    if fill == "fit" and aspect != "16:9":
        corner = extract_frame(result.video, 1.0)[2, 200]
        assert corner[0] > 200
        assert corner[1:].max() < 60


def test_reframe_has_professional_default_sizes(card: Path, tmp_path: Path) -> None:
    result = apply("reframe", card, tmp_path)
    assert result.video is not None
    assert (probe(result.video).width, probe(result.video).height) == (1080, 1920)


def test_reframe_leaves_the_right_shape_alone(tmp_path: Path) -> None:
    video = clip(tmp_path / "tall.mp4", size="270x480")
    assert apply("reframe", video, tmp_path, aspect="9:16").video is None
    assert apply("reframe", video, tmp_path, aspect="9:16", height=480).video is None
    assert apply("reframe", video, tmp_path, aspect="9:16", height=640).video is not None


def test_reframe_makes_odd_heights_even(card: Path, tmp_path: Path) -> None:
    result = apply("reframe", card, tmp_path, aspect=Aspect.SQUARE, height=481)
    assert result.video is not None
    assert (probe(result.video).width, probe(result.video).height) == (480, 480)


# ---- bad media, every step --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def odd_media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("odd")
    plain = clip(folder / "plain.mp4")
    rotated = folder / "rotated.mp4"
    asyncio.run(run_ffmpeg(["-display_rotation", "90", "-i", str(plain), "-c", "copy", str(rotated)]))
    varying = clip(
        folder / "varying.mp4", seconds=3,
        more=["-vf", "select='if(lt(t,1.5),1,not(mod(n,4)))'", "-fps_mode", "vfr"],
    )  # fmt: skip
    odd_size = clip(folder / "odd.mkv", size="321x241", more=["-pix_fmt", "yuv444p"])
    webm = folder / "small.webm"
    asyncio.run(run_ffmpeg(["-i", str(plain), "-c:v", "libvpx", "-b:v", "300k", "-c:a", "libopus", str(webm)]))
    anamorphic = clip(folder / "anamorphic.mkv", size="320x240", more=["-vf", "setsar=2"])
    return {
        "varying": varying,
        "rotated": rotated,
        "odd size": odd_size,
        "no sound": clip(folder / "mute.mp4", sound=None),
        "one pixel": clip(folder / "pixel.mkv", picture="color=red:size=1x1:rate=30", more=["-pix_fmt", "yuv444p"]),
        "webm": webm,
        "one frame": clip(folder / "frame.mp4", seconds=1 / 30, sound=None),
        "anamorphic": anamorphic,
    }


KINDS = ["varying", "rotated", "odd size", "no sound", "one pixel", "webm", "one frame", "anamorphic"]


def _odd_media() -> list[Any]:
    """Every step with every kind; the short run has each kind and each step, with one another."""
    steps = [
        ("reframe", {"aspect": "1:1", "height": 240}), ("normalize_loudness", {}), ("watermark", {"text": "mine"}),
        ("trim", {"end_seconds": 1.0}), ("thumbnail", {}),
    ]  # fmt: skip
    return [
        pytest.param(
            kind, step, options, id=f"{step}-{kind}",
            marks=[] if row == column % len(steps) else [pytest.mark.long],
        )
        for row, (step, options) in enumerate(steps)
        for column, kind in enumerate(KINDS)
    ]  # fmt: skip


@pytest.mark.parametrize(("kind", "step", "options"), _odd_media())
def test_odd_media_come_out_as_plain_video(
    odd_media: dict[str, Path], kind: str, step: str, options: dict[str, object], tmp_path: Path
) -> None:
    before = probe(odd_media[kind])
    result = apply(step, odd_media[kind], tmp_path, **options)
    if result.video is not None:
        assert_delivered(result.video)
        after = probe(result.video)
        wanted = min(1.0, before.duration_seconds) if step == "trim" else before.duration_seconds
        assert after.duration_seconds == pytest.approx(wanted, abs=0.1)
    else:
        assert step == "thumbnail" or (step, kind) == ("trim", "one frame")
    if step == "thumbnail":
        assert result.thumbnails


@pytest.mark.parametrize("step", ["reframe", "normalize_loudness", "trim", "thumbnail"])
@pytest.mark.parametrize("fault", ["truncated", "empty", "sound only", "text"])
def test_broken_media_are_refused_in_words(card: Path, step: str, fault: str, tmp_path: Path) -> None:
    video = tmp_path / "broken.mp4"
    if fault == "truncated":
        video.write_bytes(card.read_bytes()[: card.stat().st_size // 3])
    elif fault == "sound only":
        asyncio.run(run_ffmpeg(["-f", "lavfi", "-t", "1", "-i", TONE, str(video)]))
    else:
        video.write_text("" if fault == "empty" else "no video at all\n" * 100)
    with pytest.raises(PermanentError) as raised:
        apply(step, video, tmp_path)
    assert "broken.mp4" in raised.value.detail


def test_a_rotated_video_stands_upright_afterwards(odd_media: dict[str, Path], tmp_path: Path) -> None:
    result = apply("normalize_loudness", odd_media["rotated"], tmp_path)
    assert result.video is not None
    before, after = probe(odd_media["rotated"]), probe(result.video)
    assert (before.rotation != 0, after.rotation) == (True, 0)
    assert (after.width, after.height) == (before.width, before.height) == (240, 320)
    wanted, got = (extract_frame(path, 1.0).astype(int) for path in (odd_media["rotated"], result.video))
    assert np.abs(wanted - got).mean() < 6


def test_a_varying_frame_rate_becomes_constant_and_stays_in_time(odd_media: dict[str, Path], tmp_path: Path) -> None:
    result = apply("normalize_loudness", odd_media["varying"], tmp_path)
    assert result.video is not None
    assert not probe(result.video).is_variable_frame_rate
    for seconds in (0.5, 1.2, 2.6):
        wanted, got = (extract_frame(path, seconds).astype(int) for path in (odd_media["varying"], result.video))
        assert np.abs(wanted - got).mean() < 8, seconds


def test_anamorphic_pictures_get_square_pixels(odd_media: dict[str, Path], tmp_path: Path) -> None:
    result = apply("normalize_loudness", odd_media["anamorphic"], tmp_path)
    assert result.video is not None
    assert (probe(result.video).width, probe(result.video).height) == (640, 240)


# ---- loudness ---------------------------------------------------------------------------------------------


def loudness_of(video: Path) -> tuple[float, float]:
    measured = asyncio.run(measure_loudness(video, FfmpegTool()))
    return measured.integrated_lufs, measured.true_peak_dbtp


@pytest.mark.parametrize(
    ("sound", "sound_filter"),
    [
        pytest.param(TONE, "volume=0.05", id="quiet tone", marks=pytest.mark.long),
        pytest.param(TONE, "volume=8", id="clipped tone"),
        pytest.param("anoisesrc=c=pink:r=48000:a=0.5:seed=1", "volume=0.1", id="noise", marks=pytest.mark.long),
        pytest.param(
            "sine=f=200:b=4:sample_rate=48000", "volume='if(lt(mod(t,2),0.1),4,0.05)':eval=frame", id="sparse beats"
        ),
    ],
)
def test_loudness_is_reached_without_clipping(tmp_path: Path, sound: str, sound_filter: str) -> None:
    video = clip(tmp_path / "in.mp4", seconds=8, sound=sound, sound_filter=sound_filter)
    result = apply("normalize_loudness", video, tmp_path)
    assert result.video is not None
    integrated, peak = loudness_of(result.video)
    assert integrated == pytest.approx(-14.0, abs=0.7)
    assert peak <= -1.0
    assert probe(result.video).video_codec == "h264"
    before, after = extract_frame(video, 4.0), extract_frame(result.video, 4.0)
    assert np.array_equal(before, after), "the picture was copied"


def test_sound_that_is_right_is_left_alone(tmp_path: Path) -> None:
    video = clip(tmp_path / "in.mp4", seconds=4, sound_filter="volume=0.1")
    first = apply("normalize_loudness", video, tmp_path)
    assert first.video is not None
    (tmp_path / "again").mkdir()
    assert apply("normalize_loudness", first.video, tmp_path / "again").video is None


def test_silence_stays_silent_and_missing_sound_becomes_a_silent_track(tmp_path: Path) -> None:
    silent = clip(tmp_path / "silent.mp4", sound="anullsrc=r=48000:cl=stereo")
    assert apply("normalize_loudness", silent, tmp_path).video is None
    mute = clip(tmp_path / "mute.mp4", sound=None)
    result = apply("normalize_loudness", mute, tmp_path)
    assert result.video is not None
    facts = probe(result.video)
    assert (facts.audio_codec, facts.audio_sample_rate, facts.audio_channels) == ("aac", 48000, 2)
    assert loudness_of(result.video)[0] <= -60
    assert facts.duration_seconds == pytest.approx(2.0, abs=0.05)


# ---- watermark --------------------------------------------------------------------------------------------


def test_a_text_watermark_shows_in_its_corner_only(tmp_path: Path) -> None:
    video = clip(tmp_path / "grey.mp4", picture="color=0x404040:size=320x240:rate=30")
    result = apply(
        "watermark", video, tmp_path, text="It's 100%: {a}\\,b", corner="bottom-left", opacity=1.0, scale=0.5
    )
    assert result.video is not None
    image = extract_frame(result.video, 1.0).astype(int)
    brightest = {
        "bottom-left": image[120:, :200].max(),
        "top": image[:100].max(),
        "right": image[120:, 240:].max(),
    }
    assert brightest["bottom-left"] > 200
    assert brightest["top"] < 90
    assert brightest["right"] < 90


def test_a_picture_watermark_has_its_size_margin_and_opacity(tmp_path: Path) -> None:
    logo = np.zeros((40, 80, 4), np.uint8)
    logo[...] = (0, 0, 255, 255)  # solid red, as BGRA
    cv2.imwrite(str(tmp_path / "logo.png"), logo)
    video = clip(tmp_path / "black.mp4", picture="color=black:size=320x240:rate=30")
    result = apply(
        "watermark", video, tmp_path, picture="picture-1", corner="top-right", opacity=0.5, margin=0.05, scale=0.25
    )
    assert result.video is not None
    image = extract_frame(result.video, 1.0).astype(int)
    red = np.argwhere(image[..., 0] > 60)
    top, left = red.min(axis=0)
    bottom, right = red.max(axis=0)
    assert (top, left, bottom, right) == pytest.approx((12, 228, 51, 307), abs=3)
    assert image[30, 270, 0] == pytest.approx(128, abs=20)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n broken"])
def test_a_picture_that_is_none_is_refused(card: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "logo.png").write_bytes(content)
    with pytest.raises(PermanentError, match="watermark's picture"):
        apply("watermark", card, tmp_path, picture="picture-1")


def test_a_watermark_is_a_text_or_a_picture(card: Path, tmp_path: Path) -> None:
    for options in ({}, {"text": "a", "picture": "picture-1"}):
        with pytest.raises(InvalidInput, match="either text or picture"):
            apply("watermark", card, tmp_path, **options)


def test_a_text_without_a_drawable_character_is_refused(card: Path, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="Latin letters"):
        apply("watermark", card, tmp_path, text="漢字")


# ---- trim -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The brightness grows by 7 with every frame: which frame it is can be read from the picture."""
    picture = "color=black:size=64x64:rate=30,geq=lum='16+mod(N*7,210)':cb=128:cr=128"
    return clip(tmp_path_factory.mktemp("trim") / "numbered.mp4", seconds=5, picture=picture, more=["-qp", "0"])


@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (1.0, 2.5), (1.234, 3.0), (4.0, None)])
def test_trim_is_exact_to_the_frame(numbered: Path, tmp_path: Path, start: float, end: float | None) -> None:
    result = apply("trim", numbered, tmp_path, start_seconds=start, end_seconds=end)
    assert result.video is not None
    facts = probe(result.video)
    assert facts.duration_seconds == pytest.approx((end or 5.0) - start, abs=0.04)
    assert facts.frame_rate == Fraction(30)
    first_number = round(start * 30)
    brightness = [float(extract_frame(result.video, index / 30 + 0.001).mean()) for index in range(3)]
    expected = [float(extract_frame(numbered, (first_number + index) / 30 + 0.001).mean()) for index in range(3)]
    assert brightness == pytest.approx(expected, abs=3)


def test_trim_of_everything_changes_nothing(numbered: Path, tmp_path: Path) -> None:
    assert apply("trim", numbered, tmp_path, start_seconds=0, end_seconds=60).video is None


def test_trim_moves_the_captions(numbered: Path, tmp_path: Path) -> None:
    captions = tmp_path / "captions.vtt"
    captions.write_text(
        "WEBVTT\n\n00:00.000 --> 00:00.900\nbefore\n\n00:00.500 --> 00:02.000\nacross\n\n00:02.000 --> 00:03.000\n"
        "inside\n\n00:04.500 --> 00:05.000\nafter\n"
    )
    result = apply("trim", numbered, tmp_path, captions, start_seconds=1, end_seconds=4)
    assert result.captions is not None
    text = result.captions.read_text()
    assert text.startswith("WEBVTT")
    assert "before" not in text
    assert "after" not in text
    assert "00:00:00.000 --> 00:00:01.000" in text
    assert "00:00:01.000 --> 00:00:02.000\ninside" in text


def test_trim_after_the_end_is_refused(numbered: Path, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="only 5"):
        apply("trim", numbered, tmp_path, start_seconds=9)
    with pytest.raises(InvalidInput, match="later than start"):
        apply("trim", numbered, tmp_path, start_seconds=3, end_seconds=2)


# ---- thumbnails -------------------------------------------------------------------------------------------


def test_thumbnails_are_three_sharp_bright_different_moments(tmp_path: Path) -> None:
    """Black, then three scenes of which parts are blurred: neither black nor blur is chosen."""
    scenes = (
        "color=black:size=320x240:rate=30:duration=2[a];testsrc2=size=320x240:rate=30:duration=2[b];"
        "testsrc2=size=320x240:rate=30:duration=2,boxblur=20[c];mandelbrot=size=320x240:rate=30[d0];"
        "[d0]trim=duration=2,setpts=PTS-STARTPTS[d];smptebars=size=320x240:rate=30:duration=2[e];"
        "[a][b][c][d][e]concat=n=5:v=1:a=0"
    )
    video = clip(tmp_path / "scenes.mp4", seconds=10, picture=scenes, sound=None)
    result = apply("thumbnail", video, tmp_path)
    assert result.video is None
    assert result.thumbnails is not None
    assert len(result.thumbnails) == 3
    images = [cv2.imread(str(path)).astype(int) for path in result.thumbnails]
    assert all(image.mean() > 30 for image in images)
    for index, image in enumerate(images):
        for other in images[:index]:
            assert np.abs(image - other).mean() > 10
    assert not 4.0 <= float(result.facts["best_seconds"]) < 6.0


def test_moments_that_look_alike_are_far_apart_in_time() -> None:
    same = np.zeros((8, 8, 3), np.float32)
    candidates = [
        Candidate(float(second), 1 - second / 100, 100.0, is_empty=False, fingerprint=same) for second in range(20)
    ]
    chosen = sorted(item.seconds for item in choose(candidates, 3, least_gap_seconds=0.1))
    assert len(chosen) == 3
    assert min(later - earlier for earlier, later in pairwise(chosen)) >= 3


def test_thumbnails_are_bounded(tmp_path: Path) -> None:
    video = clip(tmp_path / "large.mp4", size="1080x1920", seconds=0.5, sound=None)
    result = apply("thumbnail", video, tmp_path)
    assert result.thumbnails is not None
    facts = probe(result.thumbnails[0])
    assert (facts.width, facts.height) == (720, 1280)


def test_a_black_video_still_gets_a_thumbnail(tmp_path: Path) -> None:
    video = clip(tmp_path / "black.mp4", picture="color=black:size=320x240:rate=30", sound=None)
    assert apply("thumbnail", video, tmp_path).thumbnails
