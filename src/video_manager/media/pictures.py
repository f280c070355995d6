"""Pictures that people send: read upright, checked, and fitted to a frame."""

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from video_manager.errors import PermanentError
from video_manager.media.encoding import write_bytes
from video_manager.media.fit import Fit
from video_manager.media.frame_size import FrameSize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

MIN_SIDE_PIXELS = 64
MAX_PIXELS = 200_000_000
_REDUCE_ABOVE_PIXELS = 40_000_000
_CROP_KEEPS = 0.62
"""With `auto`, a picture is cropped when at least this part of it stays visible."""


def read_picture(path: Path, name: str) -> "Image":
    """The picture as BGR array, turned upright as its EXIF data says, transparency on white. `name` says in errors
    which picture it is. Raises PermanentError: empty, no picture, damaged, too small, too large."""
    width, height, codec = _picture_header(path, name)
    if min(width, height) == 0:
        # What opens without a size is not only damaged: beyond 268 megapixels the reader gives none either.
        raise PermanentError(
            f"{name} is damaged or cut off, or far too large. Send the whole file again, with at most "
            f"{MAX_PIXELS // 10**6} megapixels."
        )
    if min(width, height) < MIN_SIDE_PIXELS:
        raise PermanentError(
            f"{name} is only {width}x{height} pixels; at least {MIN_SIDE_PIXELS}x{MIN_SIDE_PIXELS} are needed."
        )
    if width * height > MAX_PIXELS:
        raise PermanentError(
            f"{name} has {width}x{height} pixels, which is too large. Scale it down and send it again."
        )
    flags = cv2.IMREAD_REDUCED_COLOR_2 if width * height > _REDUCE_ABOVE_PIXELS else cv2.IMREAD_COLOR
    image = cv2.imread(str(path), flags)
    if image is None:
        raise PermanentError(f"{name} is damaged or of an unknown kind. Send it again as JPEG or PNG.")
    upright = np.asarray(image, np.uint8)
    return upright if codec == "mjpeg" else _on_white(path, upright)


def fit_picture(image: "Image", size: FrameSize, fit: Fit) -> "Image":
    """The picture brought to exactly this size."""
    height, width = image.shape[:2]
    picture_aspect, frame_aspect = width / height, size.width / size.height
    kept = min(picture_aspect, frame_aspect) / max(picture_aspect, frame_aspect)
    if fit is Fit.CROP or (fit is Fit.AUTO and kept >= _CROP_KEEPS):
        return _covering(image, size)
    return _on_blurred_copy(image, size)


def blurred_backdrop(image: "Image", size: FrameSize, brightness: float) -> "Image":
    """The picture out of focus and darker, filling the frame."""
    small = _covering(image, FrameSize(max(2, size.width // 8), max(2, size.height // 8)))
    soft = cv2.GaussianBlur(small, (0, 0), max(1.0, min(small.shape[:2]) / 14))
    wide = cv2.resize(soft, (size.width, size.height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.convertScaleAbs(wide, alpha=brightness), np.uint8)


def save_picture(image: "Image", path: Path) -> Path:
    """Keep a prepared picture as an uncompressed BMP in the work folder."""
    encoded = cv2.imencode(".bmp", image)[1]
    return write_bytes(path, encoded.tobytes())


def load_saved_picture(path: Path) -> "Image":
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise PermanentError(f"The prepared picture {path.name} is gone from the work folder.")
    return np.asarray(image, np.uint8)


def _picture_header(path: Path, name: str) -> tuple[int, int, str]:
    """Width, height and codec from the header, so that a huge picture is refused before it takes the memory."""
    import av  # noqa: PLC0415 - loads with the first picture

    if not path.exists() or path.stat().st_size == 0:
        raise PermanentError(f"{name} is empty (zero bytes). Send it again.")
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            context = container.streams.video[0].codec_context
            _require_whole_jpeg(path, name, context.name)
            return context.width, context.height, context.name
    except (av.error.FFmpegError, IndexError, EOFError) as error:
        raise PermanentError(f"{name} is no picture that can be read. Send a JPEG, PNG or WebP file.") from error


def _require_whole_jpeg(path: Path, name: str, codec: str) -> None:
    """OpenCV fills what a cut-off JPEG lacks with grey and says nothing; the end marker tells."""
    if codec != "mjpeg":
        return
    with path.open("rb") as file:
        if file.read(2) != b"\xff\xd8":
            raise PermanentError(f"{name} is no picture that can be read. Send a JPEG, PNG or WebP file.")
        file.seek(max(0, path.stat().st_size - 65536))
        if b"\xff\xd9" not in file.read():
            raise PermanentError(f"{name} is cut off: its end is missing. Send the whole file again.")


def _on_white(path: Path, image: "Image") -> "Image":
    whole = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if whole is None or whole.ndim != 3 or whole.shape[2] != 4 or whole.shape[:2] != image.shape[:2]:
        return image
    opacity = whole[..., 3:].astype(np.float32) / (65535 if whole.dtype == np.uint16 else 255)
    return np.asarray(image * opacity + 255 * (1 - opacity), np.uint8)


def _covering(image: "Image", size: FrameSize) -> "Image":
    """Scaled to cover the frame and cut around the middle, slightly above it in tall pictures (faces)."""
    height, width = image.shape[:2]
    scale = max(size.width / width, size.height / height)
    cut_width, cut_height = min(width, round(size.width / scale)), min(height, round(size.height / scale))
    left, top = (width - cut_width) // 2, round((height - cut_height) * 0.4)
    cut = image[top : top + max(1, cut_height), left : left + max(1, cut_width)]
    return _resized(cut, size.width, size.height)


def _on_blurred_copy(image: "Image", size: FrameSize) -> "Image":
    height, width = image.shape[:2]
    scale = min(size.width / width, size.height / height)
    inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
    frame = blurred_backdrop(image, size, 0.55)
    left, top = (size.width - inner_width) // 2, (size.height - inner_height) // 2
    frame[top : top + inner_height, left : left + inner_width] = _resized(image, inner_width, inner_height)
    return frame


def _resized(image: "Image", width: int, height: int) -> "Image":
    shrinks = width * height < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)
