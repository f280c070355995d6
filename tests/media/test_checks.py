"""The quality checks on clips with known faults."""

import asyncio
from pathlib import Path

import pytest
from tests.media.step_clips import TONE, clip, context

from video_manager.domain.video import Finding, Severity
from video_manager.errors import PermanentError
from video_manager.media import ffmpeg
from video_manager.plugins.api import CheckInput, PlatformLimits
from video_manager.plugins.checks import CHECKS
from video_manager.plugins.registry import PluginKind, Registry

REGISTRY = Registry(CHECKS)
SMALL = "320x240"
MOVING = f"testsrc2=size={SMALL}:rate=30"
BLACK = f"color=black:size={SMALL}:rate=30"


def examine(
    check: str, video: Path, limits: dict[str, PlatformLimits] | None = None, **options: object
) -> list[Finding]:
    plugin = REGISTRY.check(check)
    resolved = plugin.Options.model_validate(REGISTRY.resolve_options(PluginKind.CHECK, check, options, 1))
    found = asyncio.run(plugin().examine(CheckInput(video, limits or {}), resolved, context(video.parent)))
    assert all(finding.check == check for finding in found)
    return list(found)


def in_order(*parts: tuple[str, float]) -> str:
    """One lavfi picture after another, each for so many seconds."""
    chains = [
        f"{source},trim=duration={seconds},setpts=PTS-STARTPTS[p{n}]" for n, (source, seconds) in enumerate(parts)
    ]
    return ";".join(chains) + ";" + "".join(f"[p{n}]" for n in range(len(parts))) + f"concat=n={len(parts)}:v=1:a=0"


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 s moving, 2 s black, 2 s moving, 4 s frozen; sound for 3 s, then silence."""
    still = f"testsrc2=size={SMALL}:rate=30,loop=loop=-1:size=1:start=0"
    picture = in_order((MOVING, 2), (BLACK, 2), (MOVING, 2), (still, 4))
    return clip(
        tmp_path_factory.mktemp("checks") / "faulty.mp4", seconds=10, picture=picture,
        sound_filter="volume='if(lt(t,3),0.3,0)':eval=frame",
    )  # fmt: skip


@pytest.fixture(scope="module")
def fine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("checks") / "fine.mp4", seconds=5, sound_filter="volume=7.8dB")


def test_black_is_found_where_it_is(faulty: Path) -> None:
    (found,) = examine("black", faulty)
    assert (found.code, found.severity) == ("black_picture", Severity.WARNING)
    assert (found.start_seconds, found.end_seconds) == (pytest.approx(2, abs=0.1), pytest.approx(4, abs=0.1))
    assert found.measured == pytest.approx(2, abs=0.1)
    assert found.unit == "s"
    assert found.message == "The picture is black for 2.0 s, from 0:02.0."
    assert examine("black", faulty, min_seconds=3) == []


def test_a_wholly_black_video_is_an_error(tmp_path: Path) -> None:
    (found,) = examine("black", clip(tmp_path / "black.mp4", picture=BLACK))
    assert found.severity is Severity.ERROR


def test_a_standstill_is_found_to_the_end_and_black_is_not_one(faulty: Path) -> None:
    (found,) = examine("frozen", faulty)
    assert (found.start_seconds, found.end_seconds) == (pytest.approx(6, abs=0.2), pytest.approx(10, abs=0.1))
    assert [item.start_seconds for item in examine("frozen", faulty, min_seconds=1)] == [found.start_seconds]
    assert examine("frozen", faulty, min_seconds=5) == []


def test_silence_is_found_to_the_end(faulty: Path) -> None:
    (found,) = examine("silence", faulty)
    assert (found.start_seconds, found.end_seconds) == (pytest.approx(3, abs=0.15), pytest.approx(10, abs=0.1))


def test_missing_and_wholly_silent_sound_are_named(tmp_path: Path) -> None:
    (found,) = examine("silence", clip(tmp_path / "mute.mp4", sound=None))
    assert found.code == "no_sound"
    (found,) = examine("silence", clip(tmp_path / "silent.mp4", sound="anullsrc=r=48000:cl=stereo"))
    assert found.message == "The whole video is silent."


def test_a_good_video_has_no_findings(fine: Path) -> None:
    for check in ("black", "frozen", "silence"):
        assert examine(check, fine) == []
    assert {finding.severity for finding in examine("loudness", fine)} == {Severity.INFO}


def test_loudness_is_measured(fine: Path) -> None:
    measured = {finding.code: finding.measured for finding in examine("loudness", fine)}
    assert measured["integrated_lufs"] == pytest.approx(-14, abs=0.6)
    assert set(measured) == {"integrated_lufs", "true_peak_dbtp", "loudness_range_lu"}


@pytest.mark.parametrize(
    ("sound_filter", "codes"),
    [
        ("volume=-20dB", {"too_quiet": Severity.WARNING}),
        ("volume=20.5dB", {"too_loud": Severity.WARNING, "peak_too_high": Severity.WARNING}),
        ("volume=40dB", {"too_loud": Severity.WARNING, "clipping": Severity.ERROR}),
        (
            "volume='if(lt(t,4),2.5,0.3)':eval=frame",
            {"range_too_wide": Severity.WARNING},
        ),
    ],
)
def test_wrong_loudness_is_told(tmp_path: Path, sound_filter: str, codes: dict[str, Severity]) -> None:
    video = clip(tmp_path / "clip.mp4", seconds=8, sound_filter=sound_filter)
    faults = {item.code: item.severity for item in examine("loudness", video) if item.severity is not Severity.INFO}
    faults = {code: severity for code, severity in faults.items() if code in codes or len(codes) > 1}
    assert faults == codes


def test_the_checks_share_one_look(faulty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    original = ffmpeg.run_ffmpeg

    async def counted(arguments: list[str], **more: object) -> str:
        runs.append(arguments)
        return await original(arguments, **more)

    monkeypatch.setattr(ffmpeg, "run_ffmpeg", counted)
    copied = faulty.with_name("copied.mp4")
    copied.write_bytes(faulty.read_bytes())
    for check in ("black", "frozen", "silence", "loudness"):
        examine(check, copied)
    assert len(runs) == 1


def test_platform_limits(fine: Path) -> None:
    limits = {
        "short": PlatformLimits(max_duration_seconds=3, max_size_bytes=1000),
        "long": PlatformLimits(min_duration_seconds=60),
        "tall": PlatformLimits(max_aspect=9 / 16),
        "wide": PlatformLimits(min_aspect=16 / 9),
        "any": PlatformLimits(max_duration_seconds=5.0, min_aspect=4 / 3, max_aspect=4 / 3),
    }
    found = examine("platform_limits", fine, limits, min_short_side=240)
    assert {item.code for item in found} == {"too_long", "too_large", "too_short", "too_wide", "too_tall"}
    assert all(item.severity is Severity.ERROR for item in found)
    assert next(item.message for item in found if item.code == "too_long") == "Too long for short: 5.0 s, at most 3 s."
    assert {item.code for item in examine("platform_limits", fine, limits, platforms=["long"])} == {
        "too_short", "small_picture",
    }  # fmt: skip


def test_odd_formats_are_told(tmp_path: Path) -> None:
    video = clip(tmp_path / "odd.mkv", seconds=0.5, more=["-pix_fmt", "yuv444p"])
    codes = {item.code for item in examine("platform_limits", video)}
    assert codes == {"small_picture", "very_short", "unusual_codec"}


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
def test_a_broken_video_is_refused_in_words(tmp_path: Path, check: str) -> None:
    video = tmp_path / "broken.mp4"
    video.write_bytes(b"no video at all" * 100)
    with pytest.raises(PermanentError, match=r"broken\.mp4"):
        examine(check, video)


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
def test_odd_videos_can_be_examined(tmp_path: Path, check: str) -> None:
    examine(check, clip(tmp_path / "pixel.mkv", picture="color=red:size=1x1:rate=30", more=["-pix_fmt", "yuv444p"]))
    examine(check, clip(tmp_path / "frame.mp4", seconds=1 / 30, sound=None))
    examine(check, clip(tmp_path / "blip.mp4", seconds=0.2, sound=TONE))
