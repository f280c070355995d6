"""The names of the moving backgrounds; drawing them is in `backgrounds`, which needs numpy."""

from enum import StrEnum


class BackgroundName(StrEnum):
    AURORA = "aurora"
    BOKEH = "bokeh"
    RIDGES = "ridges"
    SILK = "silk"
    RAYS = "rays"
