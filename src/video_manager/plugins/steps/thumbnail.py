"""Three thumbnail candidates: sharp, well lit, and different from each other."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from video_manager.errors import PermanentError
from video_manager.media.frame_samples import sample_frames
from video_manager.media.probing import extract_frame
from video_manager.plugins.api import Context, Options, ProcessingStep, StepInput, StepResult
from video_manager.plugins.steps.encoding import read_video

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LOOKED_AT = 21
_NEAR_ENOUGH = 2
"""Distances between the moments looked at: how much earlier a key frame may be and still stand for its moment."""
_EDGE = 0.04
"""The very first and last moments are often fades."""
_MEASURED_LONG_SIDE = 320
_BLACK_LEVEL = 24.0
"""Mean brightness (of 255) below which a picture reads as black."""
_FLAT_CONTRAST = 6.0
_SEEN_AS_DIFFERENT = 0.12
_PARTS_OF_A_UNIFORM_VIDEO = 5


class ThumbnailOptions(Options):
    count: int = Field(default=3, ge=1, le=6, description="How many candidates to make.")
    long_side: int = Field(default=1280, ge=160, le=3840, description="Longer side of the pictures in pixels, at most.")
    quality: int = Field(default=88, ge=40, le=98, description="JPEG quality.")


@dataclass(frozen=True)
class Candidate:
    """A moment with its marks (each 0..1) and a small colour fingerprint."""

    seconds: float
    mark: float
    brightness: float
    is_empty: bool
    fingerprint: "NDArray[np.float32]"


class Thumbnail(ProcessingStep[ThumbnailOptions]):
    name = "thumbnail"
    title = "Thumbnails"
    description = "Picks sharp, bright and different moments as candidates for the thumbnail."
    Options = ThumbnailOptions

    async def apply(self, input: StepInput, options: ThumbnailOptions, context: Context) -> StepResult:
        facts = read_video(input.video)
        rate = facts.frame_rate or 30
        last = max(0.0, facts.duration_seconds - 1.5 / float(rate))
        moments = sorted({last * (_EDGE + (1 - 2 * _EDGE) * i / (_LOOKED_AT - 1)) for i in range(_LOOKED_AT)})
        candidates: list[Candidate] = []
        tolerance = _NEAR_ENOUGH * last / _LOOKED_AT
        for seconds, picture in sample_frames(input.video, moments, _MEASURED_LONG_SIDE, tolerance):
            context.progress(0.9 * seconds / max(last, 0.1), "looking at pictures")
            candidates.append(judge(picture, seconds))
        chosen = choose(candidates, options.count, least_gap_seconds=0.9 / float(rate))
        context.progress(0.95, "writing")
        pictures = tuple(
            _write(input.video, candidate, number, options, context.work_folder)
            for number, candidate in enumerate(chosen, start=1)
        )
        return StepResult(thumbnails=pictures, facts={"best_seconds": round(chosen[0].seconds, 2)})


def judge(image: "NDArray[np.uint8]", seconds: float) -> Candidate:
    """Measure one RGB picture: sharpness counts most, then contrast and colour, and light that is neither dim nor
    glaring."""
    import cv2  # noqa: PLC0415 - the idle server never needs it
    import numpy as np  # noqa: PLC0415

    height, width = image.shape[:2]
    factor = min(1.0, _MEASURED_LONG_SIDE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    brightness, contrast = float(grey.mean()), float(grey.std())
    sharpness = float(cv2.Laplacian(grey, cv2.CV_32F).var()) if min(size) >= 3 else 0.0
    colour = float(cv2.cvtColor(small, cv2.COLOR_RGB2HSV)[..., 1].mean()) / 255
    light = max(0.0, 1 - abs(brightness - 120) / 120)
    mark = 0.4 * min(1.0, np.log1p(sharpness) / np.log1p(2000)) + 0.25 * light + 0.2 * min(1.0, contrast / 64)
    fingerprint = np.asarray(cv2.resize(small, (8, 8), interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)
    is_empty = brightness < _BLACK_LEVEL or contrast < _FLAT_CONTRAST
    return Candidate(seconds, float(mark + 0.15 * colour), brightness, is_empty, fingerprint)


def choose(candidates: list[Candidate], count: int, least_gap_seconds: float) -> list[Candidate]:
    """The best first, then the best of those that look different; where all look alike, those far apart in time.

    Black and flat pictures only when there is nothing else, and then the brightest first.
    """
    import numpy as np  # noqa: PLC0415

    full = sorted((item for item in candidates if not item.is_empty), key=lambda item: -item.mark)
    empty = sorted((item for item in candidates if item.is_empty), key=lambda item: -item.brightness)
    if not full and not empty:
        raise PermanentError("the video has no picture for a thumbnail")
    chosen: list[Candidate] = []
    pool = full or empty
    far_apart = (max(item.seconds for item in pool) - min(item.seconds for item in pool)) / _PARTS_OF_A_UNIFORM_VIDEO
    for difference, gap in ((_SEEN_AS_DIFFERENT, least_gap_seconds), (0.0, far_apart), (0.0, least_gap_seconds)):
        for item in pool:
            if len(chosen) >= count:
                break
            if all(abs(item.seconds - other.seconds) >= max(gap, least_gap_seconds) for other in chosen) and all(
                float(np.abs(item.fingerprint - other.fingerprint).mean()) >= difference for other in chosen
            ):
                chosen.append(item)
    return chosen


def _write(video: Path, candidate: Candidate, number: int, options: ThumbnailOptions, folder: Path) -> Path:
    import cv2  # noqa: PLC0415 - the idle server never needs it
    import numpy as np  # noqa: PLC0415

    image = extract_frame(video, candidate.seconds)
    height, width = image.shape[:2]
    factor = min(1.0, options.long_side / max(height, width))
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    target = folder / f"thumbnail-{number}.jpg"
    written, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, options.quality]
    )
    if not written:
        raise PermanentError(f"thumbnail {number} could not be written as JPEG")
    target.write_bytes(data.tobytes())
    return target
