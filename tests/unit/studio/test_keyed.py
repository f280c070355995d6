"""Lists that are read one after the other while things move between them."""

from dataclasses import dataclass

from video_manager.studio.keyed import once_each


@dataclass(frozen=True)
class Thing:
    id: str
    state: str


def test_what_moved_between_two_reads_is_shown_once_as_it_was_read_last() -> None:
    found = [Thing("a", "requested"), Thing("b", "requested"), Thing("a", "rendering"), Thing("c", "rendering")]
    shown = once_each(found, lambda thing: thing.id)
    assert shown == [Thing("a", "rendering"), Thing("b", "requested"), Thing("c", "rendering")]
