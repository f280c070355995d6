"""One visitor's use of one page, and how it is counted honestly. Pure: times come in as arguments."""

from collections.abc import Callable
from datetime import timedelta

from pydantic import computed_field

from video_manager.domain.model import Frozen, Instant, derived_id

VIEW_AFTER_MS = 3000
"""So much of a video has to be played for a view; a shorter one as a whole."""
VIEW_WINDOW = timedelta(minutes=30)
"""At most one view of a visitor in this time, or in the video's own length if that is longer."""
_NEARLY_WHOLE = 0.9
"""Players report the end of a short video a little early."""


class Visit(Frozen):
    """Only this visitor's requests write the document, so that counting never becomes a point of contention. The
    totals of a page are sums over its visits."""

    id: str
    page_id: str
    views: int = 0
    watched_ms: int = 0
    liked: bool = False
    window_started_at: Instant
    window_ms: int = 0
    """Played since then."""
    window_counted: bool = False
    """Whether the window's view was counted."""
    last_at: Instant
    """When this visitor was last heard of: nobody watches longer than time passes."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def watch_seconds(self) -> int:
        """Whole seconds, so that a page's visits can be added up by grouping."""
        return self.watched_ms // 1000


Decide = Callable[[Visit], Visit]


def visit_id(page_id: str, visitor: str) -> str:
    return derived_id("visit", page_id, visitor)


def begin(page_id: str, visitor: str, now: Instant) -> Visit:
    """The first word from a visitor. Nothing is counted yet: it is not known how long they have been there."""
    return Visit(id=visit_id(page_id, visitor), page_id=page_id, window_started_at=now, last_at=now)


def watch(visit: Visit, claimed_ms: int, duration_ms: int, now: Instant) -> Visit:
    """The page says that it played for `claimed_ms` since its last word. Believed as far as that much time has
    passed, and up to the video's length in one window."""
    elapsed = max(timedelta(), now - visit.last_at)
    if now - visit.window_started_at >= max(VIEW_WINDOW, timedelta(milliseconds=duration_ms)):
        visit = visit.with_(window_started_at=now, window_ms=0, window_counted=False)
    believed = max(0, min(claimed_ms, int(elapsed / timedelta(milliseconds=1)), duration_ms - visit.window_ms))
    played = visit.window_ms + believed
    counts = not visit.window_counted and played >= min(VIEW_AFTER_MS, int(duration_ms * _NEARLY_WHOLE)) and played > 0
    return visit.with_(
        watched_ms=visit.watched_ms + believed, window_ms=played, views=visit.views + counts,
        window_counted=visit.window_counted or counts, last_at=max(now, visit.last_at),
    )  # fmt: skip


def like(visit: Visit, liked: bool) -> Visit:
    """A visitor likes a page once, and may take it back."""
    return visit.with_(liked=liked)
