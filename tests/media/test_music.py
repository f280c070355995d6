"""The music is music: no clipping, no silence, no single sine, and repeatable."""

import numpy as np
import pytest

from video_manager.media.instruments import SAMPLE_RATE
from video_manager.media.moods import Mood
from video_manager.media.music import compose


@pytest.mark.parametrize("mood", Mood)
def test_every_mood(mood: Mood) -> None:
    reports: list[float] = []
    music = compose(mood, 30, 3, reports.append)
    assert music.shape == (30 * SAMPLE_RATE, 2)
    assert len(reports) == 8
    assert np.abs(music).max() < 0.9
    seconds = np.sqrt((music[: 28 * SAMPLE_RATE].reshape(28, -1) ** 2).mean(axis=1))
    assert seconds.min() > 0.03, "there is a hole in the music"
    power = np.abs(np.fft.rfft(music[:, 0])) ** 2
    frequencies = np.fft.rfftfreq(len(music), 1 / SAMPLE_RATE)
    shares = [
        power[(frequencies >= low) & (frequencies < high)].sum() / power.sum()
        for low, high in ((30, 200), (200, 600), (600, 4000))
    ]
    assert all(0.05 < share < 0.9 for share in shares), shares
    assert np.sort(power)[-1] / power.sum() < 0.2, "one tone is all there is"
    assert abs(np.corrcoef(music[:, 0], music[:, 1])[0, 1]) < 0.995, "it is mono"


def test_fades_in_and_out() -> None:
    music = np.abs(compose(Mood.BRIGHT, 6, 1))
    assert music[:480].max() < 0.05
    assert music[-480:].max() < 0.05


def test_the_seed_decides() -> None:
    assert np.array_equal(compose(Mood.CALM, 2, 5), compose(Mood.CALM, 2, 5))
    assert not np.array_equal(compose(Mood.CALM, 2, 5), compose(Mood.CALM, 2, 6))


def test_the_loop_has_no_seam() -> None:
    music = compose(Mood.DRIVING, 40, 2)
    jumps = np.abs(np.diff(music, axis=0)).max(axis=1)
    assert jumps.max() < 0.35
