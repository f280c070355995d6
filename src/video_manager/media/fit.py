"""How a picture of another shape is brought into the frame."""

from enum import StrEnum


class Fit(StrEnum):
    AUTO = "auto"
    CROP = "crop"
    BLUR = "blur"
    """The whole picture, on a blurred copy of itself."""
