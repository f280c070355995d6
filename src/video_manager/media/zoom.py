"""A slow zoom into a still picture, exact to a fraction of a pixel in every frame.

A plane is parted at the anchor, the point that stays where it is, into four quadrants, each turned so that the anchor
is its corner. From a corner `cv2.resize` follows a fractional scale exactly, which it does not for a whole picture
(its size is rounded to pixels, and the picture would jitter).
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from video_manager.media.frame_size import FrameSize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.uint8]

_BT709_FROM_BGR = np.array(
    [
        [219 * 0.0722, 219 * 0.7152, 219 * 0.2126, 16 * 255],
        [224 * 0.5, 224 * -0.38543, 224 * -0.11457, 128 * 255],
        [224 * -0.04585, 224 * -0.45415, 224 * 0.5, 128 * 255],
    ],
    np.float32,
) / np.float32(255)


@dataclass(frozen=True)
class YuvPicture:
    """A picture as BT.709 limited-range 4:2:0 planes: Y whole, U and V half as wide and high."""

    planes: "tuple[Plane, Plane, Plane]"

    @classmethod
    def from_bgr(cls, image: "NDArray[np.uint8]") -> "YuvPicture":
        """From an array of shape (even height, even width, 3) as OpenCV reads pictures."""
        height, width = image.shape[:2]
        whole = cv2.transform(image, _BT709_FROM_BGR)
        half = cv2.resize(whole, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        planes = (whole[..., 0], half[..., 1], half[..., 2])
        return cls(tuple(np.ascontiguousarray(plane, np.uint8) for plane in planes))  # type: ignore[arg-type]  # three


class Zoom:
    """Frames of one picture. `anchor` (x, y) is the still point as parts 0..1 of the picture and of the frame.

    At scale s a pixel of the picture is s pixels of the frame, so s * picture must cover the frame. Keep a zoom on
    one side of 1: within half a pixel of it OpenCV copies, and the picture would stand still for some frames.
    """

    def __init__(self, picture: YuvPicture, size: FrameSize, anchor: tuple[float, float]) -> None:
        self._size = size
        self._planes = []
        for index, plane in enumerate(picture.planes):
            width, height = (size.width, size.height) if index == 0 else (size.width // 2, size.height // 2)
            self._planes.append(_PlaneZoom(plane, width, height, anchor, 1 if index else 2))

    def draw(self, scale: float, target: "Plane") -> None:
        """Draw one frame into `target`, the flat planes of yuv420p one after the other."""
        width, height = self._size.width, self._size.height
        luma, quarter = width * height, width * height // 4
        y = target[:luma].reshape(height, width)
        u = target[luma : luma + quarter].reshape(height // 2, width // 2)
        v = target[luma + quarter : luma + 2 * quarter].reshape(height // 2, width // 2)
        for plane, part in zip(self._planes, (y, u, v), strict=True):
            plane.draw(scale, part)


@dataclass(frozen=True)
class _Quadrant:
    """A turned quadrant and where it is drawn: flips of rows and columns bring the anchor to its first corner."""

    pixels: "Plane"
    width: int
    height: int
    flip_rows: bool
    flip_columns: bool


class _PlaneZoom:
    def __init__(self, plane: "Plane", width: int, height: int, anchor: tuple[float, float], step: int) -> None:
        """`step` 2 keeps the anchor of the full plane on even pixels, so that the half planes share it exactly."""
        source_x, source_y = (
            round(part * (side // step)) * step for part, side in zip(anchor, plane.shape[::-1], strict=True)
        )
        self._x, self._y = (
            round(part * (side // step)) * step for part, side in zip(anchor, (width, height), strict=True)
        )
        self._quadrants = [
            self._quadrant(plane, source_x, source_y, width, height, flip_rows, flip_columns)
            for flip_rows in (False, True)
            for flip_columns in (False, True)
        ]

    def _quadrant(
        self, plane: "Plane", x: int, y: int, width: int, height: int, flip_rows: bool, flip_columns: bool
    ) -> _Quadrant:
        part = plane[:y][::-1] if flip_rows else plane[y:]
        part = part[:, :x][:, ::-1] if flip_columns else part[:, x:]
        return _Quadrant(
            np.ascontiguousarray(part),
            self._x if flip_columns else width - self._x,
            self._y if flip_rows else height - self._y,
            flip_rows,
            flip_columns,
        )

    def draw(self, scale: float, target: "Plane") -> None:
        for quadrant in self._quadrants:
            if quadrant.width == 0 or quadrant.height == 0:
                continue
            columns = min(quadrant.pixels.shape[1], math.ceil(quadrant.width / scale) + 1)
            rows = min(quadrant.pixels.shape[0], math.ceil(quadrant.height / scale) + 1)
            scaled = cv2.resize(
                quadrant.pixels[:rows, :columns], None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR
            )[: quadrant.height, : quadrant.width]
            if quadrant.flip_rows or quadrant.flip_columns:
                scaled = cv2.flip(
                    scaled, -1 if quadrant.flip_rows and quadrant.flip_columns else int(quadrant.flip_columns)
                )
            below, right = (
                self._y - quadrant.flip_rows * quadrant.height,
                self._x - quadrant.flip_columns * quadrant.width,
            )
            self._place(target, np.asarray(scaled, np.uint8), quadrant, below, right)

    @staticmethod
    def _place(target: "Plane", scaled: "Plane", quadrant: _Quadrant, top: int, left: int) -> None:
        """Copy into the frame; should rounding leave the far edge a pixel short, it is repeated."""
        missing_rows, missing_columns = quadrant.height - scaled.shape[0], quadrant.width - scaled.shape[1]
        if missing_rows or missing_columns:
            rows = (missing_rows, 0) if quadrant.flip_rows else (0, missing_rows)
            columns = (missing_columns, 0) if quadrant.flip_columns else (0, missing_columns)
            scaled = np.pad(scaled, (rows, columns), mode="edge")
        target[top : top + quadrant.height, left : left + quadrant.width] = scaled
