"""Frames of a slide show: every picture zooms slowly, and gives way to the next by a transition."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from video_manager.media.frame_size import FrameSize
from video_manager.media.transitions import Transition
from video_manager.media.zoom import YuvPicture, Zoom

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.uint8]
    Image = NDArray[np.uint8]


_LARGEST_SCALE = 0.97
"""Near 1 OpenCV copies instead of scaling, and the zoom would stand still for a moment."""


@dataclass(frozen=True)
class SlidePlan:
    """`count` slides of `frames_per_slide` frames, of which the last `overlap` (0 for a cut) belong to the next one
    too. `zoom` is how much larger a picture is at the end than at the start (0.1: a tenth)."""

    count: int
    size: FrameSize
    frames_per_slide: int
    overlap: int
    zoom: float
    transition: Transition
    seed: int

    @property
    def frame_count(self) -> int:
        return self.count * (self.frames_per_slide - self.overlap) + self.overlap

    @property
    def picture_size(self) -> FrameSize:
        """Pictures are prepared a little larger than they are ever shown: sharp, and never at the scale 1."""
        factor = (1 + self.zoom) / _LARGEST_SCALE
        return FrameSize(round(self.size.width * factor / 2) * 2 + 4, round(self.size.height * factor / 2) * 2 + 4)

    def start_frame(self, index: int) -> int:
        return index * (self.frames_per_slide - self.overlap)


def draw_slides(plan: SlidePlan, load: "Callable[[int], Image]") -> Iterator[memoryview]:
    """All frames, as flat yuv420p. `load` gives picture number n as BGR of `plan.picture_size`; at most two pictures
    are in memory. The memory of a frame is used again for the next one."""
    luma = plan.size.width * plan.size.height
    frame, other = (np.empty(luma * 3 // 2, np.uint8) for _ in range(2))
    current = _Slide(plan, 0, load(0))
    for index in range(plan.count):
        alone = plan.frames_per_slide - plan.overlap
        for step in range(plan.overlap if index else 0, alone):
            current.draw(step, frame)
            yield frame.data
        if index + 1 == plan.count:
            for step in range(alone, plan.frames_per_slide):
                current.draw(step, frame)
                yield frame.data
            return
        following = _Slide(plan, index + 1, load(index + 1))
        for step in range(plan.overlap):
            current.draw(alone + step, frame)
            following.draw(step, other)
            _blend(plan, frame, other, (step + 1) / (plan.overlap + 1))
            yield frame.data
        current = following


class _Slide:
    """One picture and its zoom: in or out, around a point near the middle, as the seed says."""

    def __init__(self, plan: SlidePlan, index: int, image: "Image") -> None:
        random = np.random.default_rng([plan.seed, 0x736C6964, index])
        self._zooms_in = bool(index % 2 == 0) ^ bool(plan.seed % 2)
        self._anchor = (float(random.uniform(0.32, 0.68)), float(random.uniform(0.3, 0.6)))
        self._zoom = Zoom(YuvPicture.from_bgr(image), plan.size, self._anchor)
        picture = plan.picture_size
        # A pixel more than needed to cover the frame: anchors are rounded to whole pixels.
        self._smallest = max(plan.size.width / (picture.width - 4), plan.size.height / (picture.height - 4))
        self._growth = 1 + plan.zoom
        self._last = plan.frames_per_slide - 1

    def draw(self, step: int, target: "Plane") -> None:
        part = step / max(1, self._last)
        part = part if self._zooms_in else 1 - part
        self._zoom.draw(self._smallest * self._growth**part, target)


def _blend(plan: SlidePlan, frame: "Plane", following: "Plane", part: float) -> None:
    """Mix the following slide into `frame`; `part` goes from 0 to 1."""
    eased = part * part * (3 - 2 * part)
    if plan.transition is Transition.FADE:
        cv2.addWeighted(frame, 1 - eased, following, eased, 0, dst=frame)
        return
    moved = round(eased * plan.size.width / 2) * 2
    for old, new in zip(_planes(plan.size, frame), _planes(plan.size, following), strict=True):
        shift = moved * old.shape[1] // plan.size.width
        if shift:
            old[:, : old.shape[1] - shift] = old[:, shift:].copy()
            old[:, old.shape[1] - shift :] = new[:, :shift]


def _planes(size: FrameSize, frame: "Plane") -> "Sequence[Plane]":
    luma, quarter = size.width * size.height, size.width * size.height // 4
    half = (size.height // 2, size.width // 2)
    return (
        frame[:luma].reshape(size.height, size.width),
        frame[luma : luma + quarter].reshape(half),
        frame[luma + quarter :].reshape(half),
    )
