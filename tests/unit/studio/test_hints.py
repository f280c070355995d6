"""A page that was just being read when something changed must not miss it."""

import time

from video_manager.studio.live import KEPT_HINTS, Hints


def test_what_was_told_while_a_page_was_read_is_kept_for_it() -> None:
    hints = Hints()
    hints.emit("before")
    time.sleep(0.001)
    opened_at = time.monotonic()
    hints.emit("while reading")
    hints.emit("while reading")
    assert hints.since(opened_at) == {"while reading"}
    assert hints.since(time.monotonic() + 1) == set()


def test_only_the_last_hints_are_kept() -> None:
    hints = Hints()
    for number in range(KEPT_HINTS + 5):
        hints.emit(str(number))
    assert len(hints.since(0)) == KEPT_HINTS
    assert "4" not in hints.since(0)
