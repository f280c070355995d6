"""Narration and music mixed into one track: the music steps back while somebody speaks."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from video_manager.media.ffmpeg import run_ffmpeg
from video_manager.media.loudness import MEASURE_FILTER, Loudness, parse_loudness


@dataclass(frozen=True)
class Soundtrack:
    """The mixed track (48 kHz stereo WAV) and how loud it is; `normalize_filter` brings it to the target."""

    path: Path
    loudness: Loudness


# A close, even voice: no rumble, gentle compression, a little presence; then all at one level.
_VOICE_FILTERS = (
    "aresample=48000,aformat=channel_layouts=stereo,highpass=f=75,"
    "acompressor=threshold=-22dB:ratio=3:attack=8:release=160:makeup=2,"
    "equalizer=f=3400:t=q:w=1.1:g=2,equalizer=f=240:t=q:w=1.2:g=-1.5"
)
_DUCKING = "sidechaincompress=threshold=0.02:ratio=8:attack=15:release=350"


async def mix_soundtrack(
    narration: Path | None,
    music: Path | None,
    target: Path,
    seconds: float,
    on_progress: Callable[[float], None],
    *,
    music_gain_db: float = 0.0,
) -> Soundtrack:
    """Mix into the WAV file `target`, as long as the longer input (about `seconds`), and measure its loudness.
    `on_progress` gets 0..1."""
    inputs = [path for path in (narration, music) if path is not None]
    voice = f"[0:a]{_VOICE_FILTERS}"
    match narration, music:
        case None, None:
            raise ValueError("a soundtrack needs narration or music")
        case _, None:
            graph = f"{voice},{MEASURE_FILTER}[out]"
        case None, _:
            graph = f"[0:a]aresample=48000,volume={music_gain_db:.2f}dB,{MEASURE_FILTER}[out]"
        case _:
            graph = (
                f"{voice},asplit[voice][key];"
                f"[1:a]aresample=48000,volume={music_gain_db:.2f}dB[music];"
                f"[music][key]{_DUCKING}[ducked];"
                f"[voice][ducked]amix=inputs=2:duration=longest:normalize=0,{MEASURE_FILTER}[out]"
            )
    arguments = [argument for path in inputs for argument in ("-i", str(path))]
    output = ["-map", "[out]", "-c:a", "pcm_f32le", "-fflags", "+bitexact", str(target)]
    log = await run_ffmpeg(
        [*arguments, "-filter_complex", graph, *output], total_seconds=seconds, on_progress=on_progress
    )
    return Soundtrack(target, parse_loudness(log))
