"""The moods of the music we make."""

from dataclasses import dataclass
from enum import StrEnum


class Mood(StrEnum):
    CALM = "calm"
    BRIGHT = "bright"
    DRIVING = "driving"
    DREAMY = "dreamy"


@dataclass(frozen=True)
class Arrangement:
    """`progressions` are degrees of the major scale (0 = tonic), one chord a bar. Levels are 0..1."""

    beats_per_minute: float
    progressions: tuple[tuple[int, int, int, int], ...]
    pad_brightness: float
    key_hardness: float
    keys_per_beat: int
    drums: float
    bass_notes_per_bar: int
    reverb_seconds: float


ARRANGEMENTS: dict[Mood, Arrangement] = {
    Mood.CALM: Arrangement(72, ((0, 5, 3, 4), (0, 2, 3, 0), (3, 0, 1, 4)), 0.15, 0.25, 1, 0.0, 1, 2.4),
    Mood.BRIGHT: Arrangement(104, ((0, 4, 5, 3), (0, 3, 5, 4), (3, 4, 0, 5)), 0.5, 0.5, 2, 0.55, 4, 1.4),
    Mood.DRIVING: Arrangement(118, ((5, 3, 0, 4), (5, 0, 3, 4), (1, 5, 3, 4)), 0.75, 0.65, 2, 0.9, 8, 1.2),
    Mood.DREAMY: Arrangement(80, ((3, 0, 5, 4), (3, 5, 0, 2), (0, 3, 1, 5)), 0.35, 0.35, 2, 0.25, 1, 3.0),
}
