"""The zoom is exact to a fraction of a pixel: a mark in the picture moves evenly, in every frame."""

from itertools import pairwise

import numpy as np
import pytest

from video_manager.media.frame_size import FrameSize
from video_manager.media.slides import SlidePlan, draw_slides
from video_manager.media.transitions import Transition
from video_manager.media.zoom import YuvPicture, Zoom

SIZE = FrameSize(320, 180)


def dot_picture(width: int, height: int, x: float, y: float) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    spot = 200 * np.exp(-((columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2) / 60)
    return np.repeat(spot.astype(np.uint8)[:, :, None], 3, axis=2)


def centre_of(frame: np.ndarray) -> tuple[float, float]:
    light = np.clip(frame[: SIZE.width * SIZE.height].reshape(SIZE.height, SIZE.width).astype(float) - 24, 0, None)
    rows, columns = np.mgrid[0 : SIZE.height, 0 : SIZE.width] + 0.5
    return float((light * columns).sum() / light.sum()), float((light * rows).sum() / light.sum())


@pytest.mark.parametrize("anchor", [(0.5, 0.5), (0.3, 0.6)])
def test_a_mark_moves_evenly_and_in_every_frame(anchor: tuple[float, float]) -> None:
    zoom = Zoom(YuvPicture.from_bgr(dot_picture(400, 226, 290, 66)), SIZE, anchor)
    target = np.empty(SIZE.width * SIZE.height * 3 // 2, np.uint8)
    places = []
    scales = np.linspace(0.83, 0.97, 120)
    for scale in scales:
        zoom.draw(float(scale), target)
        places.append(centre_of(target))
    steps = np.diff(np.array(places), axis=0)
    assert (np.abs(steps[:, 0]) > 0.02).all(), "a frame stood still"
    assert np.ptp(steps[:, 0]) < 0.05, "the mark jitters sideways"
    assert np.ptp(steps[:, 1]) < 0.05, "the mark jitters up and down"
    expected = SIZE.width * anchor[0] + (290 - 400 * anchor[0]) * scales[60]
    assert places[60][0] == pytest.approx(expected, abs=0.6)


def test_the_whole_frame_is_covered() -> None:
    bright = np.full((204, 360, 3), 255, np.uint8)
    zoom = Zoom(YuvPicture.from_bgr(bright), SIZE, (0.41, 0.37))
    for scale in (0.9, 1.0, 1.03, 1.4):
        target = np.zeros(SIZE.width * SIZE.height * 3 // 2, np.uint8)
        zoom.draw(scale, target)
        assert target[: SIZE.width * SIZE.height].min() == 235
        assert set(np.unique(target[SIZE.width * SIZE.height :])) == {128}


def test_colours_are_bt709_limited_range() -> None:
    for bgr, expected in {
        (0, 0, 255): (63, 102, 240),
        (255, 255, 255): (235, 128, 128),
        (0, 0, 0): (16, 128, 128),
    }.items():
        planes = YuvPicture.from_bgr(np.full((4, 4, 3), bgr, np.uint8)).planes
        assert [int(plane[0, 0]) for plane in planes] == pytest.approx(list(expected), abs=1)


@pytest.mark.parametrize("transition", Transition)
def test_every_frame_of_a_slide_show_differs_from_the_last(transition: Transition) -> None:
    overlap = 0 if transition is Transition.CUT else 8
    plan = SlidePlan(3, SIZE, 24, overlap, 0.12, transition, 5)
    random = np.random.default_rng(1)
    wanted: list[int] = []

    def load(index: int) -> np.ndarray:
        wanted.append(index)
        coarse = random.integers(0, 255, (plan.picture_size.height // 8 + 1, plan.picture_size.width // 8 + 1, 3))
        fine = np.kron(coarse, np.ones((8, 8, 1)))[: plan.picture_size.height, : plan.picture_size.width]
        return fine.astype(np.uint8)

    frames = [bytes(frame) for frame in draw_slides(plan, load)]
    assert len(frames) == plan.frame_count == 3 * 24 - 2 * overlap
    assert wanted == [0, 1, 2]
    assert all(one != two for one, two in pairwise(frames))
