"""What is in a media file, and single pictures out of it, read in-process with PyAV."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from video_manager.errors import PermanentError

if TYPE_CHECKING:
    import numpy as np
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

_PACKETS_FOR_RATE = 400
"""How many packets are read to tell a constant from a variable frame rate: 13 s at 30 fps."""

MAX_PIXELS = 8192 * 8192
"""Of one picture of a video: somewhat more than 8K, about 100 MB decoded."""

_STILL_CONTAINERS = frozenset({"image2", "png_pipe", "jpeg_pipe", "webp_pipe", "bmp_pipe", "gif", "tiff_pipe"})


@dataclass(frozen=True)
class MediaFacts:
    """Facts of one file. `width` and `height` are as shown, after `rotation` (clockwise degrees: 0, 90, 180, 270).
    Video facts are 0, None or empty without a picture, audio facts without sound."""

    container: str
    size_bytes: int
    duration_seconds: float
    has_video: bool
    has_audio: bool
    width: int = 0
    height: int = 0
    rotation: int = 0
    frame_rate: Fraction | None = None
    is_variable_frame_rate: bool = False
    video_codec: str = ""
    pixel_format: str = ""
    has_square_pixels: bool = True
    audio_codec: str = ""
    audio_sample_rate: int = 0
    audio_channels: int = 0


def probe(path: Path, name: str | None = None) -> MediaFacts:
    """Read the facts of a media file. Raises PermanentError saying what is wrong with the file: empty, no media,
    cut off, too large, without a single decodable frame. `name` says in errors which file it is; default: its own."""
    name = name or path.name
    size_bytes = _size_of(path, name)
    with _opened(path, name) as container:
        video = next((stream for stream in container.streams.video if not _is_cover(stream)), None)
        audio = next(iter(container.streams.audio), None)
        if video is None and audio is None:
            raise PermanentError(f"{name} holds neither picture nor sound.")
        facts: dict[str, Any] = {
            "container": container.format.name,
            "size_bytes": size_bytes,
            "has_video": video is not None,
            "has_audio": audio is not None,
        }
        if audio is not None:
            facts |= {
                "audio_codec": audio.codec_context.name,
                "audio_sample_rate": audio.codec_context.sample_rate or 0,
                "audio_channels": audio.codec_context.channels or 0,
            }
        _require_all_bytes(container, size_bytes, name)
        duration = container.duration / 1_000_000 if container.duration else 0.0
        if video is not None:
            facts |= _video_facts(container, video, path, name)
            duration = duration or _counted_duration(path)
        return MediaFacts(duration_seconds=duration, **facts)


def extract_frame(path: Path, seconds: float) -> "NDArray[np.uint8]":
    """The picture shown at `seconds`, upright, as RGB array of shape (height, width, 3). After the end: the last.
    Raises PermanentError when there is none."""
    with _opened(path) as container:
        if not container.streams.video:
            raise PermanentError(f"{path.name} has no picture to take a frame from.")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        frame = _frame_at(container, stream, seconds, path)
        return _upright(frame)


def write_frame(path: Path, seconds: float, target: Path, *, width: int | None = None, quality: int = 90) -> Path:
    """Write the picture shown at `seconds` to `target` (.jpg, .png or .webp by its name), scaled down to `width`."""
    import cv2  # noqa: PLC0415 - the idle server never needs it

    image: NDArray[Any] = extract_frame(path, seconds)
    if width is not None and width < image.shape[1]:
        height = max(1, round(image.shape[0] * width / image.shape[1]))
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    parameters = [] if target.suffix.lower() == ".png" else [cv2.IMWRITE_JPEG_QUALITY, quality]
    if not cv2.imwrite(str(target), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), parameters):
        raise PermanentError(f"The picture {target.name} could not be written.")
    return target


# ---- opening --------------------------------------------------------------------------------------------


def _size_of(path: Path, name: str) -> int:
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise PermanentError(f"{name} cannot be read: {error.strerror}.") from error
    if size_bytes == 0:
        raise PermanentError(f"{name} is empty (zero bytes). Send it again.")
    return size_bytes


@contextmanager
def _opened(path: Path, name: str | None = None) -> "Iterator[InputContainer]":
    """The opened container; what PyAV raises inside becomes a PermanentError about this file."""
    name = name or path.name
    import av  # noqa: PLC0415 - the idle server never needs it

    try:
        with av.open(str(path), metadata_errors="replace") as container:
            yield container
    except av.error.InvalidDataError as error:
        raise PermanentError(
            f"{name} is not a video or audio file that can be read, or it is damaged or cut off. Send the whole "
            "file again, or another format (MP4 with H.264 always works).",
            error.strerror,
        ) from error
    except (av.error.FFmpegError, EOFError) as error:
        reason = error.strerror if isinstance(error, av.error.FFmpegError) else "it ends too early"
        raise PermanentError(
            f"{name} cannot be read: it is damaged, or its pictures are far too large. Send it again, best as MP4 with "
            "H.264.",
            reason,
        ) from error


def _require_all_bytes(container: "InputContainer", size_bytes: int, name: str) -> None:
    """An MP4 whose index stands in front opens well when its end is missing, so ask the index where the end is."""
    needed = 0
    for stream in container.streams:
        entries = stream.index_entries
        needed = max(needed, max((entry.pos + entry.size for entry in entries), default=0))
    if needed > size_bytes:
        raise PermanentError(
            f"{name} is cut off: {size_bytes} of at least {needed} bytes are there. Send the whole file again."
        )


def _is_cover(stream: "VideoStream") -> bool:
    """An album cover inside an audio file is a picture, no video."""
    return bool(stream.disposition & type(stream.disposition).attached_pic)


# ---- facts ----------------------------------------------------------------------------------------------


def _video_facts(container: "InputContainer", stream: "VideoStream", path: Path, name: str) -> dict[str, Any]:
    _require_bearable_size(stream, name)
    frame = next(iter(container.decode(stream)), None)
    if frame is None:
        raise PermanentError(
            f"Not one picture of {name} can be decoded: it is damaged or cut off. Send the whole file again."
        )
    rotation = _clockwise_rotation(frame)
    width, height = frame.width, frame.height
    aspect = stream.sample_aspect_ratio
    has_square_pixels = not aspect or aspect <= 0 or aspect == 1
    if not has_square_pixels and aspect:
        width = max(1, round(width * aspect))
    if rotation in {90, 270}:
        width, height = height, width
    is_still = container.format.name.split(",", 1)[0] in _STILL_CONTAINERS and stream.frames <= 1
    return {
        "width": width,
        "has_square_pixels": has_square_pixels,
        "height": height,
        "rotation": rotation,
        "frame_rate": None if is_still else (stream.average_rate or stream.guessed_rate),
        "is_variable_frame_rate": not is_still and _varies(path),
        "video_codec": stream.codec_context.name,
        "pixel_format": stream.codec_context.pix_fmt or frame.format.name,
    }


def _require_bearable_size(stream: "VideoStream", name: str) -> None:
    """Before the first picture is decoded: a few kilobytes may announce pictures that fill the memory."""
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        raise PermanentError(
            f"{name} has pictures of {width}x{height} pixels, which is too large. Scale it down and send it again."
        )


def _clockwise_rotation(frame: "VideoFrame") -> int:
    """PyAV gives the display matrix's angle counter-clockwise."""
    return round(-frame.rotation / 90) % 4 * 90


def _varies(path: Path) -> bool:
    """Whether the frames' distances differ by more than the rounding of the time base (checked without decoding)."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        times: list[int] = []
        for packet in container.demux(stream):
            if packet.pts is not None:
                times.append(packet.pts)
            if len(times) >= _PACKETS_FOR_RATE:
                break
    times.sort()
    # The newest packets may still miss reordered neighbours, so a full sample loses its end.
    settled = times[:-16] if len(times) >= _PACKETS_FOR_RATE else times
    gaps = [later - earlier for earlier, later in pairwise(settled)][:-1]  # the last frame may be of any length
    if not gaps:
        return False
    typical = sorted(gaps)[len(gaps) // 2]
    tolerance = max(1, round(typical * 0.02))
    return any(abs(gap - typical) > tolerance for gap in gaps)


def _counted_duration(path: Path) -> float:
    """The time of the last packet, for files whose header names no duration."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        end = max(((p.pts or 0) + (p.duration or 0) for p in container.demux(stream)), default=0)
        return float(end * stream.time_base) if stream.time_base else 0.0


# ---- frames ---------------------------------------------------------------------------------------------


def _frame_at(container: "InputContainer", stream: "VideoStream", seconds: float, path: Path) -> "VideoFrame":
    start = float((stream.start_time or 0) * (stream.time_base or Fraction(1)))
    wanted = start + max(0.0, seconds)
    if seconds > 0 and stream.time_base is not None:
        container.seek(int(wanted / stream.time_base), stream=stream, backward=True)
    shown: VideoFrame | None = None
    for frame in container.decode(stream):
        if shown is not None and frame.time is not None and frame.time > wanted + 1e-6:
            break
        shown = frame
    if shown is None:
        raise PermanentError(f"No picture of {path.name} can be decoded at {seconds:.2f} s.")
    return shown


def _upright(frame: "VideoFrame") -> "NDArray[np.uint8]":
    import numpy as np  # noqa: PLC0415 - the idle server never needs it

    image = np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
    return np.ascontiguousarray(np.rot90(image, k=-(_clockwise_rotation(frame) // 90)))
