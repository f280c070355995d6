from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from video_manager.publishing.site import visit as rules
from video_manager.publishing.site.visit import Visit

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = 60_000


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def begun(duration_ms: int = MINUTE) -> Visit:
    return rules.watch(rules.begin("page", "visitor", NOW), 0, duration_ms, NOW)


def test_a_view_counts_after_three_seconds_of_playing() -> None:
    visit = rules.watch(begun(), 2900, MINUTE, after(2.9))
    assert (visit.views, visit.watch_seconds) == (0, 2)
    visit = rules.watch(visit, 100, MINUTE, after(3))
    assert (visit.views, visit.watch_seconds) == (1, 3)


def test_a_shorter_video_counts_when_it_was_played_as_a_whole() -> None:
    visit = rules.watch(begun(1500), 1000, 1500, after(1))
    assert visit.views == 0
    assert rules.watch(visit, 500, 1500, after(1.5)).views == 1


def test_the_same_visitor_counts_once_in_half_an_hour() -> None:
    visit = rules.watch(begun(), 5000, MINUTE, after(5))
    visit = rules.watch(visit, 5000, MINUTE, after(1790))
    assert visit.views == 1
    visit = rules.watch(visit, 0, MINUTE, after(1801))
    assert visit.views == 1
    visit = rules.watch(visit, 5000, MINUTE, after(1806))
    assert visit.views == 2


def test_a_long_video_counts_once_however_long_it_is() -> None:
    hours = 3 * 60 * MINUTE
    visit = begun(hours)
    for minute in range(1, 179):
        visit = rules.watch(visit, MINUTE, hours, after(60 * minute))
    assert (visit.views, visit.watch_seconds) == (1, 178 * 60)


def test_nobody_watches_longer_than_time_passes() -> None:
    visit = rules.watch(begun(), 50_000, MINUTE, after(4))
    assert visit.watch_seconds == 4
    assert rules.watch(visit, 50_000, MINUTE, after(4)).watch_seconds == 4


def test_the_first_word_cannot_claim_the_past() -> None:
    visit = rules.watch(rules.begin("page", "visitor", NOW), 50_000, MINUTE, NOW)
    assert (visit.views, visit.watch_seconds) == (0, 0)


def test_in_one_window_nobody_watches_more_than_the_video() -> None:
    visit = begun(10_000)
    for second in range(1, 100):
        visit = rules.watch(visit, 1000, 10_000, after(second))
    assert (visit.views, visit.watch_seconds) == (1, 10)


@given(
    words=st.lists(st.tuples(st.integers(0, 10**7), st.floats(0, 4000)), max_size=30),
    duration_ms=st.integers(0, 3 * 3600 * 1000),
)
def test_whatever_a_page_claims_the_counts_stay_possible(words: list[tuple[int, float]], duration_ms: int) -> None:
    visit, now = begun(duration_ms), NOW
    for claimed_ms, passed in words:
        now += timedelta(seconds=passed)
        visit = rules.watch(visit, claimed_ms, duration_ms, now)
    elapsed = (now - NOW).total_seconds()
    assert visit.watch_seconds <= elapsed
    assert visit.views <= elapsed // 1800 + 1
    assert visit.watch_seconds * 1000 <= duration_ms * (elapsed // 1800 + 1)
