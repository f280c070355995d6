"""Samples to and from WAV files."""

import io
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from video_manager.media.encoding import write_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_wav(path: Path, samples: "NDArray[np.float32]", sample_rate: int) -> Path:
    """Write samples in -1..1 of shape (samples,) or (samples, channels) as 16-bit PCM."""
    pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1 if pcm.ndim == 1 else pcm.shape[1])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(pcm.tobytes())
    return write_bytes(path, buffer.getvalue())
