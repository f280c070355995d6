"""Backgrounds move in every frame, smoothly, stay dark enough for captions, and repeat for a seed."""

from itertools import pairwise

import numpy as np
import pytest

from video_manager.media.background_styles import BackgroundName
from video_manager.media.backgrounds import Background, make_background
from video_manager.media.frame_size import Aspect, FrameSize
from video_manager.media.palettes import PALETTES, PaletteName

SIZE = FrameSize.of(Aspect.PORTRAIT)


def luma(background: Background, seconds: float) -> np.ndarray:
    planes = np.frombuffer(background.frame(seconds), "<u2")
    count = background.width * background.height
    assert len(planes) == count * 3 // 2
    return planes[:count].reshape(background.height, background.width).astype(int)


@pytest.mark.parametrize("name", BackgroundName)
def test_every_background(name: BackgroundName) -> None:
    background = make_background(name, SIZE, PALETTES[PaletteName.VIOLET], 3)
    frames = [luma(background, number / 30) for number in range(6)]
    for earlier, later in pairwise(frames):
        moved = np.abs(later - earlier)
        assert 0 < moved.mean() < 12, "it stands still, or jumps"
    assert np.abs(luma(background, 8.0) - frames[0]).mean() > 4, "nothing happens in eight seconds"
    assert np.median(frames[0]) < 64 + 876 * 0.62, "too bright for white captions"
    assert frames[0].std() > 20, "it is one flat colour"


@pytest.mark.parametrize("name", BackgroundName)
def test_the_seed_decides(name: BackgroundName) -> None:
    one, same, other = (make_background(name, SIZE, PALETTES[PaletteName.EMBER], seed) for seed in (1, 1, 2))
    assert one.frame(1.0) == same.frame(1.0)
    assert one.frame(1.0) != other.frame(1.0)


@pytest.mark.parametrize("aspect", Aspect)
def test_all_formats(aspect: Aspect) -> None:
    size = FrameSize.of(aspect)
    background = make_background(BackgroundName.RIDGES, size, PALETTES[PaletteName.OCEAN], 1)
    assert background.width / background.height == pytest.approx(size.width / size.height, rel=0.02)
    assert luma(background, 0).std() > 20
