from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from video_manager.studio.desk.state import frames_per_second
from video_manager.studio.formats import (
    age_text,
    count_text,
    length_text,
    safe_url,
    size_text,
    time_text,
    timecode_text,
    watch_text,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (999_499, "999 KB"),
        (999_600, "1.0 MB"),
        (2_500_000_000, "2.5 GB"),
    ],
)
def test_sizes(size: int, words: str) -> None:
    assert size_text(size) == words


@pytest.mark.parametrize(("seconds", "words"), [(0, "0:00"), (59.6, "1:00"), (3661, "1:01:01"), (None, "\N{EN DASH}")])
def test_lengths(seconds: float | None, words: str) -> None:
    assert length_text(seconds) == words


def test_timecodes_never_show_sixty_seconds() -> None:
    assert [timecode_text(seconds) for seconds in (0, 0.666, 59.999, 61.5)] == [
        "00:00.00", "00:00.67", "01:00.00", "01:01.50",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=9), "9 days ago"),
        (-timedelta(hours=2), "in 2 h"),
        (-timedelta(seconds=5), "in a moment"),
    ],
)
def test_ages(delta: timedelta, words: str) -> None:
    assert age_text(NOW - delta, NOW) == words


def test_times_are_on_the_viewers_clock() -> None:
    assert time_text(NOW, ZoneInfo("Europe/Berlin")) == "22 Nov 2026, 13:00"


def test_numbers() -> None:
    assert [count_text(value) for value in (950, 12_400, 3_100_000)] == ["950", "12.4 k", "3.1 M"]
    assert [watch_text(value) for value in (45, 720, 12_240)] == ["45 s", "12 min", "3 h"]


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("/videos/1", True),
        ("https://example.org/x", True),
        ("http://example.org", True),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt:alert(1)", False),
        ("data:text/html,x", False),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("", False),
        (None, False),
    ],
)
def test_only_own_paths_and_web_addresses_become_links(url: str | None, safe: bool) -> None:
    assert safe_url(url) == (url if safe else None)


def test_frame_rates() -> None:
    assert frames_per_second("30000/1001") == pytest.approx(29.97, abs=0.001)
    assert [frames_per_second(rate) for rate in (None, "25/1", "0/0", "nonsense")] == [30.0, 25.0, 30.0, 30.0]
