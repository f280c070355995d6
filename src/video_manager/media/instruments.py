"""The instruments of our synthesizer: each makes the mono or stereo samples of one note or stroke with numpy."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

SAMPLE_RATE = 48_000
_TABLE_SIZE = 4096


def frequency(midi_note: float) -> float:
    return float(440.0 * 2 ** ((midi_note - 69) / 12))


def _seconds(duration_seconds: float) -> "Samples":
    return np.arange(round(duration_seconds * SAMPLE_RATE), dtype=np.float32) / np.float32(SAMPLE_RATE)


def _wave_table(harmonics: int, roll_off: float) -> "Samples":
    phase = np.linspace(0, 2 * np.pi, _TABLE_SIZE, endpoint=False)
    orders = np.arange(1, harmonics + 1)
    table = (np.sin(np.outer(orders, phase)) * (orders[:, None] ** -roll_off)).sum(axis=0)
    return np.asarray(table / np.abs(table).max(), np.float32)


def pad(note: float, duration_seconds: float, brightness: float, random: np.random.Generator) -> "Samples":
    """A soft chord tone: three detuned voices spread in stereo, slow to come and go. Shape (samples, 2)."""
    time = _seconds(duration_seconds)
    table = _wave_table(max(3, round(4 + 8 * brightness)), 1.9 - 0.6 * brightness)
    sound = np.zeros((len(time), 2), np.float32)
    for cents, left in ((-7, 0.8), (0, 0.5), (7, 0.2)):
        cycles = time * np.float32(frequency(note + cents / 100)) + np.float32(random.random())
        voice = table[(cycles % 1 * _TABLE_SIZE).astype(np.int32) % _TABLE_SIZE]
        sound += voice[:, None] * np.array([left, 1 - left], np.float32)
    attack, release = min(0.9, duration_seconds / 3), min(1.2, duration_seconds / 3)
    envelope = np.minimum(1, time / attack) * np.minimum(1, (duration_seconds - time) / release)
    drift = 1 + 0.12 * np.sin(2 * np.pi * (0.35 * time + random.random()))
    return np.asarray(sound * (np.sin(envelope * np.pi / 2) ** 2 * drift)[:, None] / 3, np.float32)


def electric_piano(note: float, duration_seconds: float, hardness: float) -> "Samples":
    """A bell-like key: one sine bends another, less and less while it rings out. Shape (samples,)."""
    time = _seconds(duration_seconds)
    pitch = frequency(note)
    bend = (0.6 + 1.6 * hardness) * np.exp(-time * 7) * np.sin(2 * np.pi * pitch * time)
    tine = 0.18 * hardness * np.exp(-time * 22) * np.sin(2 * np.pi * pitch * 7 * time)
    body = np.sin(2 * np.pi * pitch * time + bend) * np.exp(-time * (2.2 + pitch / 500))
    return _declicked((body + tine).astype(np.float32), time)


def bass(note: float, duration_seconds: float) -> "Samples":
    """A round, slightly driven low tone. Shape (samples,)."""
    time = _seconds(duration_seconds)
    pitch = frequency(note)
    tone = np.sin(2 * np.pi * pitch * time) + 0.35 * np.sin(4 * np.pi * pitch * time) * np.exp(-time * 4)
    envelope = np.exp(-time * 1.4) * np.minimum(1, (duration_seconds - time) / 0.08)
    return _declicked(np.tanh(1.4 * tone * envelope).astype(np.float32), time)


def kick() -> "Samples":
    time = _seconds(0.4)
    cycles = 46 * time + (95 / 28) * (1 - np.exp(-time * 28))
    return _declicked((np.sin(2 * np.pi * cycles) * np.exp(-time * 10)).astype(np.float32), time)


def hat(random: np.random.Generator, decay: float = 55.0) -> "Samples":
    time = _seconds(0.14)
    noise = random.standard_normal(len(time)).astype(np.float32)
    bright = np.diff(noise, n=2, prepend=np.zeros(2, np.float32))
    return np.asarray(0.25 * bright * np.exp(-time * decay), np.float32)


def snare(random: np.random.Generator) -> "Samples":
    """A soft brushed stroke."""
    time = _seconds(0.25)
    noise = np.diff(random.standard_normal(len(time) + 1)).astype(np.float32)
    smooth = np.convolve(noise, np.ones(4, np.float32) / 4, mode="same")
    body = 0.4 * np.sin(2 * np.pi * 190 * time) * np.exp(-time * 30)
    return _declicked((smooth * np.exp(-time * 17) + body).astype(np.float32), time)


def reverberate(loop: "Samples", seconds: float, random: np.random.Generator) -> "Samples":
    """The room's answer to a loop of shape (samples, 2), wrapped around so that the loop stays seamless."""
    time = _seconds(seconds)
    response = random.standard_normal((len(time), 2)) * np.exp(-time * 5.5 / seconds)[:, None]
    smooth = np.stack([np.convolve(side, np.ones(6) / 6, mode="same") for side in response.T], axis=1)
    smooth[: round(0.012 * SAMPLE_RATE)] = 0
    smooth /= np.sqrt((smooth**2).sum(axis=0))
    size = _fast_length(len(loop) + len(smooth))
    spectrum = np.fft.rfft(loop, n=size, axis=0) * np.fft.rfft(smooth, n=size, axis=0)
    answer = np.fft.irfft(spectrum, n=size, axis=0)[: len(loop) + len(smooth)]
    wrapped = answer[: len(loop)].copy()
    for start in range(len(loop), len(answer), len(loop)):  # what rings over the end sounds into the beginning
        rest = answer[start : start + len(loop)]
        wrapped[: len(rest)] += rest
    return np.asarray(wrapped, np.float32)


def _fast_length(samples: int) -> int:
    """The next length of at least `samples` that a Fourier transform takes in small steps. The length of a loop is
    whatever the tempo makes it, and with a large prime factor it takes ten times as long."""
    power = 1 << (samples - 1).bit_length()
    return min(size for size in (power * 5 // 8, power * 3 // 4, power * 15 // 16, power) if size >= samples)


def _declicked(sound: "Samples", time: "Samples") -> "Samples":
    """The sound with the first 4 ms faded in."""
    return np.asarray(sound * np.minimum(1, time / 0.004), np.float32)
