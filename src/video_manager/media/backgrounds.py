"""Moving backgrounds without assets. They are drawn small, in 10-bit YUV, and scaled up by ffmpeg, which also dithers
them: soft gradients stay free of bands and a frame costs a few milliseconds.

A background's field is a picture of numbers 0..1 that the palette turns into colours, plus a glow added on top.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np

from video_manager.media.background_styles import BackgroundName
from video_manager.media.frame_size import FrameSize
from video_manager.media.palettes import Palette, Rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.float32]

PIXEL_FORMAT = "yuv420p10le"
FRAMES_PER_SECOND = 30
_RAMP_STEPS = 4096
_BT709 = np.array([[0.2126, 0.7152, 0.0722], [-0.11457, -0.38543, 0.5], [0.5, -0.45415, -0.04585]], np.float32)


class Background(ABC):
    """Draws one look. `reduction` is how many times smaller than the video its pictures are."""

    reduction = 4

    def __init__(self, size: FrameSize, palette: Palette, seed: int) -> None:
        self.width, self.height = _even(size.width / self.reduction), _even(size.height / self.reduction)
        self.random = np.random.default_rng([seed, 0x6261636B])
        self._ramp = _palette_ramp(palette)
        self._glow = _yuv(palette.glow) - _yuv((0, 0, 0))
        rows, columns = np.mgrid[0 : self.height, 0 : self.width].astype(np.float32)
        short_side = min(self.width, self.height)
        self.x = (columns + 0.5 - self.width / 2) / short_side
        self.y = (rows + 0.5 - self.height / 2) / short_side
        self.down = (rows + 0.5) / self.height
        """0 at the top, 1 at the bottom."""
        edge = np.hypot(self.x / (self.width / short_side), self.y / (self.height / short_side))
        self._vignette = np.asarray(1 - 0.42 * np.clip(edge * 1.35 - 0.35, 0, 1) ** 1.6, np.float32)
        half = (self.width // 2, self.height // 2)
        self._half_vignette = _halved(self._vignette, half)
        self.prepare()

    def draw(self, low: float, high: float, count: int) -> "NDArray[np.float32]":
        """Numbers between `low` and `high` by the seed, of the type all pictures have."""
        return self.random.uniform(low, high, count).astype(np.float32)

    @abstractmethod
    def prepare(self) -> None:
        """Draw the seed's choices and compute what every frame shares."""

    @abstractmethod
    def field(self, seconds: float) -> "tuple[Plane, Plane | None]":
        """Palette position 0..1 of every pixel, and the strength 0..1 of the glow, if any."""

    def frames(self, count: int) -> Iterator[bytes]:
        """The pictures of `count` frames at 30 a second. Every second one is drawn and those between are their mean:
        from one to the next nothing moves by as much as one of these large pixels."""
        current = self._planes(0.0)
        for number in range(0, count, 2):
            following = self._planes((number + 2) / FRAMES_PER_SECOND)
            yield self._packed(current)
            if number + 1 < count:
                yield self._packed(cv2.addWeighted(current, 0.5, following, 0.5, 0))
            current = following

    def frame(self, seconds: float) -> bytes:
        """The picture at this time: the planes Y, U, V of PIXEL_FORMAT."""
        return self._packed(self._planes(seconds))

    def _planes(self, seconds: float) -> "Plane":
        """The planes Y, U, V one after the other, as numbers 0..1023 that are not rounded yet."""
        field, glow = self.field(seconds)
        half = (self.width // 2, self.height // 2)
        half_field, half_glow = _halved(field, half), None if glow is None else _halved(glow, half)
        planes = (
            self._plane(0, field, glow, self._vignette),
            self._plane(1, half_field, half_glow, self._half_vignette),
            self._plane(2, half_field, half_glow, self._half_vignette),
        )
        return np.concatenate([plane.ravel() for plane in planes])

    @staticmethod
    def _packed(planes: "NDArray[np.generic]") -> bytes:
        return planes.astype("<u2").tobytes()

    def _plane(self, channel: int, field: "Plane", glow: "Plane | None", vignette: "Plane") -> "Plane":
        """One plane: the palette's colour, lit by the glow, darkened (or paled) towards the corners. All in place:
        this runs fifteen times a second of video."""
        index = np.multiply(field, _RAMP_STEPS - 1)
        np.clip(index, 0, _RAMP_STEPS - 1, out=index)
        plane = np.take(self._ramp[channel], index.astype(np.int32))
        if glow is not None:
            plane += glow * self._glow[channel]
        neutral = np.float32(512 if channel else 64)
        plane -= neutral
        plane *= vignette
        plane += neutral + np.float32(0.5)
        np.clip(plane, 4, 1019, out=plane)
        return plane


class Aurora(Background):
    """Curtains of colour that flow into each other."""

    reduction = 8

    def prepare(self) -> None:
        self._phases = self.draw(0, 2 * np.pi, 6)
        self._angles = self.draw(-0.5, 0.5, 3)

    def field(self, seconds: float) -> "tuple[Plane, Plane | None]":
        p, (a, b, c) = self._phases, self._angles
        bend_x = self.x + 0.22 * np.sin(2.1 * self.y + 0.31 * seconds + p[0])
        bend_y = self.y + 0.18 * np.sin(2.7 * self.x - 0.24 * seconds + p[1])
        first = np.sin(2.2 * (bend_x + a * bend_y) + 0.42 * seconds + p[2])
        second = np.sin(2.9 * (bend_y + b * bend_x) - 0.33 * seconds + p[3])
        third = np.sin(4.3 * (bend_x * 0.6 + bend_y * c) + 0.55 * seconds + p[4])
        field = 0.36 + 0.20 * first + 0.17 * second + 0.07 * third
        curtain = np.clip(np.sin(3.4 * bend_x + 1.1 * np.sin(1.4 * bend_y + 0.3 * seconds) + p[5]), 0, 1) ** 3
        return np.asarray(field, np.float32), np.asarray(0.22 * curtain * (1 - 0.6 * self.down), np.float32)


class Bokeh(Background):
    """Lights out of focus that drift upward through a gradient."""

    def prepare(self) -> None:
        count = 34
        draw = self.draw
        span = self.height / min(self.width, self.height)
        self._side = self.width / min(self.width, self.height)
        self._span = span
        self._columns = draw(-0.6 * self._side, 0.6 * self._side, count)
        self._rows = draw(0, 1, count)
        self._radii = 0.02 + 0.10 * draw(0, 1, count) ** 2
        self._speeds = 0.012 + 0.03 * draw(0, 1, count)
        self._strengths = 0.10 + 0.22 * draw(0, 1, count)
        self._phases = draw(0, 2 * np.pi, count)
        self._base = np.asarray(0.10 + 0.44 * self.down**1.3 + 0.05 * self.x, np.float32)

    def field(self, seconds: float) -> "tuple[Plane, Plane | None]":
        glow = np.zeros_like(self._base)
        for index, radius in enumerate(self._radii):
            travel = self._span + 4 * radius
            y = self._span / 2 + 2 * radius - (self._rows[index] * travel + self._speeds[index] * seconds) % travel
            x = self._columns[index] + 0.05 * np.sin(0.35 * seconds + self._phases[index])
            pulse = 0.75 + 0.25 * np.sin(0.8 * seconds + 2 * self._phases[index])
            self._add_disc(glow, float(x), float(y), float(radius), float(self._strengths[index] * pulse))
        breathing = self._base + np.float32(0.03 * np.sin(0.4 * seconds))
        return breathing, np.minimum(glow, 0.8)

    def _add_disc(self, glow: "Plane", x: float, y: float, radius: float, strength: float) -> None:
        """A disc with a soft edge and a brighter rim, as a lens draws a light out of focus."""
        short_side = min(self.width, self.height)
        reach = radius * 1.25 + 0.01
        left = max(0, int((x - reach) * short_side + self.width / 2))
        right = min(self.width, int((x + reach) * short_side + self.width / 2) + 2)
        top = max(0, int((y - reach) * short_side + self.height / 2))
        bottom = min(self.height, int((y + reach) * short_side + self.height / 2) + 2)
        if left >= right or top >= bottom:
            return
        part = np.s_[top:bottom, left:right]
        distance = np.hypot(self.x[part] - x, self.y[part] - y) / radius
        body = np.clip((1.08 - distance) / 0.16, 0, 1)
        glow[part] += strength * body * (0.62 + 0.38 * np.clip(distance, 0, 1) ** 3)


class Ridges(Background):
    """Mountain ridges in haze, one behind the other, passing at different speeds under a low sun."""

    _layers = 5

    def prepare(self) -> None:
        draw = self.random.uniform
        self._sun_x, self._sun_y = draw(-0.25, 0.25), draw(-0.28, -0.12)
        self._waves = [
            [(draw(0.6, 1.0) * 0.085 / order, order * draw(1.6, 2.4), draw(0, 2 * np.pi)) for order in (1, 2, 4, 9)]
            for _ in range(self._layers)
        ]
        distance = np.hypot(self.x - self._sun_x, self.y - self._sun_y)
        self._sky = np.asarray(0.30 + 0.48 * self.down**1.2, np.float32)
        disc = np.clip((0.105 - distance) / 0.012, 0, 1)
        self._sun = np.asarray(0.62 * disc + 0.55 * np.exp(-distance * 3.1), np.float32)
        self._row = self.y[:, :1]
        self._column = self.x[:1]

    def field(self, seconds: float) -> "tuple[Plane, Plane | None]":
        field, glow = self._sky.copy(), self._sun * np.float32(0.92 + 0.08 * np.sin(0.5 * seconds))
        span = self.height / min(self.width, self.height)
        for layer, waves in enumerate(self._waves):
            depth = (layer + 1) / self._layers  # 0 far away, 1 near
            shifted = self._column + 0.045 * depth**1.5 * seconds
            ridge = sum(height * np.sin(scale * shifted + phase) for height, scale, phase in waves)
            top = span * (0.02 + 0.36 * depth) - (0.5 + 0.8 * depth) * ridge
            below = (self._row - top) * min(self.width, self.height)
            cover = np.clip(below + 0.5, 0, 1)
            haze = 0.13 * np.exp(-np.maximum(below, 0) / (0.16 * self.height))
            shade = 0.52 * (1 - depth) ** 1.25 + 0.03 + haze * (1 - 0.55 * depth)
            field += cover * (shade - field)
            glow *= 1 - cover * np.float32(0.55 + 0.45 * depth)
        return np.asarray(field, np.float32), np.asarray(glow, np.float32)


class Silk(Background):
    """Folds of cloth: bright upper edges that fade downward, moving slowly."""

    reduction = 6

    def prepare(self) -> None:
        draw = self.random.uniform
        self._base = np.asarray(0.06 + 0.22 * self.down, np.float32)
        self._tilt = draw(-0.55, 0.55)
        self._folds = [
            (
                draw(0.07, 0.16),
                draw(1.1, 2.1),
                draw(0.14, 0.34) * (1 if n % 2 else -1),
                draw(0, 2 * np.pi),
                draw(0.24, 0.4),
            )
            for n in range(7)
        ]

    def field(self, seconds: float) -> "tuple[Plane, Plane | None]":
        field = self._base.copy()
        glow = np.zeros_like(field)
        span = self.height / min(self.width, self.height)
        row, column = self.y[:, :1], self.x[:1]
        for number, (height, scale, speed, phase, strength) in enumerate(self._folds):
            wave = np.sin(scale * column * 2 + speed * seconds + phase)
            wave = wave + 0.4 * np.sin(scale * column * 4.1 - 0.7 * speed * seconds + 2 * phase)
            edge = span * (number / (len(self._folds) - 1) - 0.5) * 1.1 + self._tilt * column + height * wave
            below = row - edge
            cover = np.clip(below * min(self.width, self.height) * 0.5 + 0.5, 0, 1)
            fade = np.exp(np.maximum(below, 0) * -3.6)
            field += cover * (0.05 + strength * fade + field * (0.27 * fade - 0.52))
            fade *= fade
            glow += cover * np.float32(0.16) * (fade * fade * fade)
        return np.asarray(field, np.float32), np.asarray(glow, np.float32)


class Rays(Background):
    """Beams of light that turn slowly around a point above the picture, with dust in them."""

    reduction = 6

    def prepare(self) -> None:
        draw = self.draw
        span = self.height / min(self.width, self.height)
        centre_x, centre_y = float(draw(-0.35, 0.35, 1)[0]), -0.62 * span
        self._angle = np.arctan2(self.x - centre_x, self.y - centre_y).astype(np.float32)
        self._distance = np.hypot(self.x - centre_x, self.y - centre_y).astype(np.float32) / span
        self._phases = draw(0, 2 * np.pi, 4)
        self._base = np.asarray(0.62 - 0.58 * np.clip(self._distance / 1.15, 0, 1) ** 0.8, np.float32)
        self._fall_off = np.asarray(np.exp(-1.7 * self._distance), np.float32)
        count = 60
        self._dust = np.stack([draw(-0.5, 0.5, count), draw(0, 1, count), draw(0.4, 1, count), draw(0, 6.28, count)])

    def field(self, seconds: float) -> "tuple[Plane, Plane | None]":
        p = self._phases
        beams = np.sin(9 * self._angle + 0.22 * seconds + p[0]) + 0.8 * np.sin(15 * self._angle - 0.3 * seconds + p[1])
        beams += 0.5 * np.sin(27 * self._angle + 0.4 * seconds + p[2])
        glow = 0.30 * self._fall_off * np.clip(0.45 + 0.42 * beams, 0, None)
        self._add_dust(glow, seconds)
        return self._base + np.float32(0.02 * np.sin(0.3 * seconds)), np.asarray(glow, np.float32)

    def _add_dust(self, glow: "Plane", seconds: float) -> None:
        for side, rise, strength, phase in self._dust.T:
            x = (side + 0.5 + 0.02 * np.sin(0.5 * seconds + phase)) * self.width
            y = (1 - (rise + 0.012 * strength * seconds) % 1) * self.height
            column, row = int(x), int(y)
            if not (2 <= column < self.width - 3 and 2 <= row < self.height - 3):
                continue
            part = np.s_[row - 2 : row + 4, column - 2 : column + 4]
            rows, columns = np.ogrid[row - 2 : row + 4, column - 2 : column + 4]
            twinkle = 0.5 + 0.5 * np.sin(1.3 * seconds + 3 * phase)
            spot = np.exp(-((columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2) / 0.7)
            glow[part] += (0.42 * strength * twinkle * spot).astype(np.float32)


_LOOKS: dict[BackgroundName, type[Background]] = {
    BackgroundName.AURORA: Aurora,
    BackgroundName.BOKEH: Bokeh,
    BackgroundName.RIDGES: Ridges,
    BackgroundName.SILK: Silk,
    BackgroundName.RAYS: Rays,
}


def make_background(name: BackgroundName, size: FrameSize, palette: Palette, seed: int) -> Background:
    """The background of this name for a video of `size`; the same seed gives the same pictures."""
    return _LOOKS[name](size, palette, seed)


def _halved(plane: "Plane", size: tuple[int, int]) -> "Plane":
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def _even(number: float) -> int:
    return max(2, round(number / 2) * 2)


def _yuv(colour: Rgb) -> "NDArray[np.float32]":
    """BT.709 limited range, 10 bits."""
    luma, blue, red = _BT709 @ (np.asarray(colour, np.float32) / 255)
    return np.array([64 + 876 * luma, 512 + 896 * blue, 512 + 896 * red], np.float32)


def _palette_ramp(palette: Palette) -> "NDArray[np.float32]":
    """The palette's shades as a smooth ramp, shape (3, _RAMP_STEPS)."""
    stops = np.array([_yuv(shade) for shade in palette.shades])
    positions = np.linspace(0, len(stops) - 1, _RAMP_STEPS)
    return np.array([np.interp(positions, range(len(stops)), stops[:, c]) for c in range(3)], np.float32)
