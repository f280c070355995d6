"""Small pictures from all over a video, to judge it by: the file is opened once, and near a moment its nearest
earlier key frame will do, as that one alone can be decoded without all before it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from video_manager.errors import PermanentError

if TYPE_CHECKING:
    import numpy as np
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray


def sample_frames(
    path: Path, moments: Sequence[float], long_side: int, tolerance_seconds: float
) -> "Iterator[tuple[float, NDArray[np.uint8]]]":
    """For each of the rising `moments` (seconds) the frame shown then, or a key frame at most `tolerance_seconds`
    before it: its own time, and the picture as stored (not turned upright) as RGB, its longer side at most
    `long_side`. A frame comes only once. Raises PermanentError when the file cannot be decoded."""
    import av  # noqa: PLC0415 - the idle server never needs it

    last = -1.0
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            stream = container.streams.video[0]
            start = float((stream.start_time or 0) * (stream.time_base or 0))
            for moment in moments:
                frame = _near(container, stream, start + moment, tolerance_seconds)
                seconds = moment if frame is None or frame.time is None else max(0.0, frame.time - start)
                if frame is None or seconds <= last:
                    continue
                last = seconds
                yield seconds, _small(frame, long_side)
    except (av.error.FFmpegError, IndexError, EOFError) as error:
        raise PermanentError(f"{path.name} is damaged: its pictures cannot be decoded. Send it again.") from error


def _near(
    container: "InputContainer", stream: "VideoStream", wanted: float, tolerance_seconds: float
) -> "VideoFrame | None":
    if stream.time_base is not None:
        container.seek(max(0, int(wanted / stream.time_base)), stream=stream, backward=True)
    shown: VideoFrame | None = None
    for frame in container.decode(stream):
        if shown is not None and frame.time is not None and frame.time > wanted + 1e-6:
            break
        shown = frame
        if frame.time is None or wanted - frame.time <= tolerance_seconds:
            break
    return shown


def _small(frame: "VideoFrame", long_side: int) -> "NDArray[np.uint8]":
    import numpy as np  # noqa: PLC0415 - the idle server never needs it

    factor = min(1.0, long_side / max(frame.width, frame.height))
    width, height = (max(1, round(side * factor)) for side in (frame.width, frame.height))
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    return np.asarray(small.to_ndarray(), np.uint8)
