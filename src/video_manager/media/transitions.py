"""How one picture gives way to the next."""

from enum import StrEnum


class Transition(StrEnum):
    FADE = "fade"
    SLIDE = "slide"
    CUT = "cut"
