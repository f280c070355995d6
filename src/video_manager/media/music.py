"""Background music, composed from a seed: a pad of chords, keys, bass and soft drums, looped without a seam."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from video_manager.media import instruments
from video_manager.media.instruments import SAMPLE_RATE
from video_manager.media.moods import ARRANGEMENTS, Arrangement, Mood

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_BEATS_PER_BAR = 4
_BARS = 8
_ROOT_MEAN_SQUARE = 0.1
"""-20 dBFS."""


def compose(
    mood: Mood, duration_seconds: float, seed: int, on_progress: Callable[[float], None] = lambda _: None
) -> "NDArray[np.float32]":
    """Music of this length at SAMPLE_RATE, shape (samples, 2), faded at both ends. The same arguments give the same
    samples."""
    loop = _Loop(ARRANGEMENTS[mood], np.random.default_rng([seed, 0x6D757369])).render(on_progress)
    samples = max(1, round(duration_seconds * SAMPLE_RATE))
    music = np.resize(loop, (samples, 2))
    time = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    fade = np.minimum(1, time / 0.4) * np.minimum(1, (duration_seconds - time) / min(2.0, duration_seconds / 3))
    return np.asarray(music * np.clip(fade, 0, 1)[:, None], np.float32)


class _Loop:
    """Eight bars that end where they begin: what rings over the end sounds into the beginning."""

    def __init__(self, arrangement: Arrangement, random: np.random.Generator) -> None:
        self._arrangement = arrangement
        self._random = random
        self._pads: dict[int, NDArray[np.float32]] = {}
        self._beat = 60 / arrangement.beats_per_minute
        self._key = int(random.integers(-4, 5))
        self._progression = arrangement.progressions[int(random.integers(len(arrangement.progressions)))]
        length = round(_BARS * _BEATS_PER_BAR * self._beat * SAMPLE_RATE)
        self._dry = np.zeros((length, 2), np.float32)
        self._wet = np.zeros((length, 2), np.float32)

    def render(self, on_progress: Callable[[float], None]) -> "NDArray[np.float32]":
        for bar in range(_BARS):
            on_progress(bar / _BARS)
            degree = self._progression[bar % 4]
            self._play_pad(bar, degree)
            self._play_keys(bar, degree)
            self._play_bass(bar, degree)
            if self._arrangement.drums:
                self._play_drums(bar)
        room = instruments.reverberate(self._wet, self._arrangement.reverb_seconds, self._random)
        loop = self._dry + self._wet + 0.55 * room
        loop *= _ROOT_MEAN_SQUARE / np.sqrt(np.mean(loop**2))
        return np.asarray(np.tanh(loop * 1.2) / 1.2, np.float32)

    def _play_pad(self, bar: int, degree: int) -> None:
        bar_seconds = _BEATS_PER_BAR * self._beat
        for step in (0, 2, 4, 6):
            note = _near(self._note(degree + step), 60)
            if note not in self._pads:  # the costliest sound, and the chords come back
                brightness = self._arrangement.pad_brightness
                self._pads[note] = instruments.pad(note, bar_seconds * 1.3, brightness, self._random)
            self._add(self._wet, bar * _BEATS_PER_BAR, self._pads[note] * np.float32(0.16 if step else 0.22))

    def _play_keys(self, bar: int, degree: int) -> None:
        """A broken chord whose order changes from bar to bar; some notes are left out, so that it breathes."""
        per_beat = self._arrangement.keys_per_beat
        steps = self._random.permutation([0, 2, 4, 7, 9, 4, 2, 7])
        for index in range(_BEATS_PER_BAR * per_beat):
            if index and self._random.random() < 0.3:
                continue
            note = _near(self._note(degree + int(steps[index % len(steps)])), 74)
            sound = instruments.electric_piano(note, 1.8, self._arrangement.key_hardness)
            strength = 0.16 * (0.75 + 0.25 * self._random.random()) * (1.15 if index % per_beat == 0 else 0.85)
            balance = 0.5 + 0.25 * np.sin(2.4 * index)
            stereo = sound[:, None] * np.array([balance, 1 - balance], np.float32) * 2
            self._add(self._wet, bar * _BEATS_PER_BAR + index / per_beat, stereo * strength)

    def _play_bass(self, bar: int, degree: int) -> None:
        notes = self._arrangement.bass_notes_per_bar
        length = _BEATS_PER_BAR / notes
        for index in range(notes):
            sound = instruments.bass(_near(self._note(degree), 40), length * self._beat * 0.92)
            strength = 0.3 if index % max(1, notes // 4) == 0 else 0.2
            self._add(self._dry, bar * _BEATS_PER_BAR + index * length, _centred(sound) * strength)

    def _play_drums(self, bar: int) -> None:
        level = self._arrangement.drums
        for beat in range(_BEATS_PER_BAR):
            at = bar * _BEATS_PER_BAR + beat
            if beat in (0, 2) or (level > 0.8 and beat in (1, 3)):
                self._add(self._dry, at, _centred(instruments.kick()) * 0.5 * level)
            if beat in (1, 3):
                self._add(self._wet, at, _centred(instruments.snare(self._random)) * 0.13 * level)
            for half in (0.0, 0.5):
                strength = (0.05 if half else 0.03) * level * (0.7 + 0.6 * self._random.random())
                self._add(self._dry, at + half, _centred(instruments.hat(self._random)) * strength)

    def _note(self, degree: int) -> int:
        octave, step = divmod(degree, len(_MAJOR))
        return 60 + self._key + 12 * octave + _MAJOR[step]

    def _add(self, track: "NDArray[np.float32]", at_beat: float, sound: "NDArray[np.float32]") -> None:
        start = round(at_beat * self._beat * SAMPLE_RATE) % len(track)
        head = min(len(sound), len(track) - start)
        track[start : start + head] += sound[:head]
        rest = sound[head : head + len(track)]
        track[: len(rest)] += rest


def _near(note: int, centre: int) -> int:
    """The same pitch in the octave around `centre`."""
    return centre + (note - centre + 6) % 12 - 6


def _centred(sound: "NDArray[np.float32]") -> "NDArray[np.float32]":
    return np.repeat(sound[:, None], 2, axis=1)
