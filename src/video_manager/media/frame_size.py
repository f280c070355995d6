"""Picture formats: aspect ratios and their sizes in pixels."""

from dataclasses import dataclass
from enum import StrEnum


class Aspect(StrEnum):
    PORTRAIT = "9:16"
    SQUARE = "1:1"
    LANDSCAPE = "16:9"


@dataclass(frozen=True)
class FrameSize:
    """Even numbers of pixels."""

    width: int
    height: int

    @classmethod
    def of(cls, aspect: Aspect, short_side: int = 1080) -> "FrameSize":
        """The size whose shorter side has this many pixels."""
        long_side = short_side * 16 // 9 // 2 * 2
        match aspect:
            case Aspect.PORTRAIT:
                return cls(short_side, long_side)
            case Aspect.SQUARE:
                return cls(short_side, short_side)
            case Aspect.LANDSCAPE:
                return cls(long_side, short_side)

    @property
    def caption_font_size(self) -> float:
        """A professional size for word captions: 165 on 1080x1920, smaller where lines may be longer."""
        return min(self.width * 0.153, self.height * 0.11)
