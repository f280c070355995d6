"""YouTube's Analytics API v2: reports on the fake YouTube's own videos. It belongs to that fake, whose accounts, tokens
and videos it knows. What a request may hold is read in Google's discovery document. Groups are not played, and a
deleted video takes its numbers with it.

The document wants one of its scopes for a report. Google's page on it says that `youtube.readonly` is wanted, too: not
verified, and not enforced here.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from operator import itemgetter
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from video_manager.fakes.desk import Desk, Refused
from video_manager.fakes.google_discovery import Discovery, Wrong
from video_manager.fakes.youtube_numbers import Tally, day_at, days_of
from video_manager.fakes.youtube_reports import METRICS, Query, read_query
from video_manager.fakes.youtube_videos import Allowance, Video

HOST = "youtubeanalytics.googleapis.com"
READONLY = "https://www.googleapis.com/auth/yt-analytics.readonly"
MONETARY_SCOPE = "https://www.googleapis.com/auth/yt-analytics-monetary.readonly"
DELAY_DAYS = 3
"""Reports have nothing yet of today and of the two days before it (two to three days, says who uses the API)."""
QUERIES_PER_DAY = 100_000
"""Of a Google project, apart from the Data API's units; not verified."""


class AnalyticsSide:
    def __init__(
        self, now: Callable[[], float], desk: Desk, videos: Mapping[str, Video], has_channel: Callable[[], bool]
    ) -> None:
        self.now = now
        self.allowance = Allowance(now, units=QUERIES_PER_DAY)
        self._desk = desk
        self._videos = videos
        self._has_channel = has_channel
        self._discovery = Discovery("youtubeAnalytics.v2")

    def answer(self, request: Request) -> Response:
        """Raises Wrong and Refused."""
        try:
            return self._report(request)
        except Wrong as wrong:
            raise Wrong(wrong.status, wrong.reason, wrong.message, "global") from wrong

    def _report(self, request: Request) -> Response:
        method = self._discovery.method(request.method, request.url.path)
        grant = self._desk.require(request, *method.scopes)
        if method.id != "youtubeAnalytics.reports.query":
            raise Wrong(501, "notImplemented", f"this fake does not play {method.id}")
        self.allowance.spend(method.id, request.method)
        given = self._discovery.parameters(method, request.query_params)
        query = read_query(given, self._discovery.noted(method))
        if not self._has_channel() or query.channel not in ("MINE", grant.account):
            raise Wrong(403, "forbidden", "Forbidden")
        if query.is_on_money and MONETARY_SCOPE not in grant.scopes:
            raise Refused(403, f"needs the scope {MONETARY_SCOPE}")
        answer: dict[str, Any] = {"kind": "youtubeAnalytics#resultTable", "columnHeaders": _headers(query)}
        rows = _sorted(query, [_row(query, *one) for one in self._added_up(query, grant.account)])
        if rows:  # no data: no rows at all
            answer["rows"] = rows
        return self._discovery.answer(method, answer)

    def _added_up(self, query: Query, owner: str) -> list[tuple[tuple[str, ...], Tally]]:
        """What there is, by its values of the query's dimensions."""
        found: dict[tuple[str, ...], Tally] = {}
        for video_id, day, tally in self._days(query, owner):
            names = {"video": video_id, "day": day.isoformat()}
            key = tuple(names[dimension] for dimension in query.dimensions)
            found.setdefault(key, Counter()).update(tally)
        return sorted(found.items())

    def _days(self, query: Query, owner: str) -> Iterator[tuple[str, date, Tally]]:
        last = min(query.last, day_at(self.now()) - timedelta(days=DELAY_DAYS))
        for video in self._videos.values():
            is_asked = video.owner == owner and (query.videos is None or video.id in query.videos)
            if is_asked and video.public_since is not None:
                for day, tally in days_of(video.id, video.public_since, query.first, last):
                    yield video.id, day, tally


def _headers(query: Query) -> list[dict[str, str]]:
    dimensions = [{"name": name, "columnType": "DIMENSION", "dataType": "STRING"} for name in query.dimensions]
    metrics = [
        {"name": name, "columnType": "METRIC", "dataType": "INTEGER" if METRICS[name].is_whole else "FLOAT"}
        for name in query.metrics
    ]
    return [*dimensions, *metrics]


def _row(query: Query, dimensions: tuple[str, ...], tally: Tally) -> list[Any]:
    metrics = [METRICS[name] for name in query.metrics]
    values = [round(one.of(tally) * query.rate, 3) if one.is_money else one.of(tally) for one in metrics]
    return [*dimensions, *values]


def _sorted(query: Query, rows: list[list[Any]]) -> list[list[Any]]:
    """The page of them that was asked for."""
    for name, descending in reversed(query.sort):
        rows.sort(key=itemgetter(query.columns.index(name)), reverse=descending)
    start = query.start - 1
    return rows[start:] if query.most is None else rows[start : start + query.most]
