"""Facts of real files, and pictures out of them."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from video_manager.errors import PermanentError
from video_manager.media.probing import extract_frame, probe, write_frame

from .conftest import Clips


def test_facts_of_a_right_file(clips: Clips) -> None:
    facts = probe(clips.right)
    assert (facts.width, facts.height, facts.rotation) == (320, 180, 0)
    assert facts.frame_rate == Fraction(30)
    assert facts.duration_seconds == pytest.approx(4.0, abs=0.05)
    assert (facts.video_codec, facts.pixel_format, facts.audio_codec) == ("h264", "yuv420p", "aac")
    assert (facts.audio_sample_rate, facts.audio_channels) == (48000, 1)
    assert not facts.is_variable_frame_rate
    assert facts.size_bytes == clips.right.stat().st_size


def test_rotation_swaps_the_sides(clips: Clips) -> None:
    facts = probe(clips["rotated.mp4"])
    assert (facts.width, facts.height) == (180, 320)
    assert facts.rotation in {90, 270}


@pytest.mark.parametrize("name", ["right.mp4", "right.mkv", "ten-bit.mkv", "wide-pixels.mp4"])
def test_constant_rates_are_not_taken_for_variable(clips: Clips, name: str) -> None:
    assert not probe(clips[name]).is_variable_frame_rate


def test_variable_frame_rate_is_seen(clips: Clips) -> None:
    assert probe(clips["variable.mp4"]).is_variable_frame_rate


def test_pixels_that_are_not_square_count_as_shown(clips: Clips) -> None:
    facts = probe(clips["wide-pixels.mp4"])
    assert (facts.width, facts.height) == (640, 180)
    assert not facts.has_square_pixels


def test_sound_only(clips: Clips) -> None:
    facts = probe(clips["sound.mp3"])
    assert facts.has_audio
    assert not facts.has_video
    assert facts.width == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("empty.mp4", "zero bytes"),
        ("text.mp4", "not a video"),
        ("cut-off.mp4", "cut off"),
        ("headless.mp4", "damaged"),
        ("missing.mp4", "cannot be read"),
    ],
)
def test_bad_files_say_what_is_wrong(clips: Clips, name: str, words: str) -> None:
    with pytest.raises(PermanentError, match=words) as caught:
        probe(clips[name])
    assert name in caught.value.detail


def test_frames_are_upright(clips: Clips) -> None:
    straight, turned = extract_frame(clips.right, 1.0), extract_frame(clips["rotated.mp4"], 1.0)
    assert turned.shape == (320, 180, 3)
    # ffmpeg's -display_rotation 90 turns counter-clockwise.
    assert np.abs(np.rot90(straight, 1).astype(int) - turned).mean() < 1


def test_a_frame_is_the_one_shown_at_that_time(clips: Clips, tmp_path: Path) -> None:
    first, later = extract_frame(clips.right, 0), extract_frame(clips.right, 2.5)
    assert np.abs(first.astype(int) - later).mean() > 3
    exact, between = extract_frame(clips.right, 75 / 30), extract_frame(clips.right, 75 / 30 + 0.02)
    assert np.array_equal(exact, between)
    assert np.array_equal(extract_frame(clips.right, 99), extract_frame(clips.right, 3.99))
    written = write_frame(clips.right, 2.5, tmp_path / "frame.png", width=100)
    assert probe(written).width == 100
