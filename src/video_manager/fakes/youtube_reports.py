"""Which reports the fake YouTube Analytics has, and whether a query asks for one of them.

That parameters are required, their patterns and their least values stand in the discovery document. The wording of
refusals, and that reports on videos need a descending `sort` and at most 200 rows, are as people report them of the
real API. Not verified: what is refused for a range that ends before it begins, for a currency, and for `maxResults`.
"""

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NoReturn

from video_manager.fakes.google_discovery import Noted, Wrong
from video_manager.fakes.youtube_numbers import Tally

MOST_VIDEOS = 200
"""Rows of a report on videos."""
MOST_FILTERED = 500
"""Videos in one filter."""
CURRENCIES = {"USD": 1.0, "EUR": 0.9, "GBP": 0.8}
"""What a dollar is in those that this fake recognizes."""
_NOT_PLAYED = frozenset({"ageGroup", "gender", "country", "viewerPercentage", "month", "channel", "group"})
"""YouTube knows them, this fake does not."""
_DIMENSIONS = ("day", "video")
_UNSUPPORTED = (
    "The query is not supported. Check the documentation at "
    "https://developers.google.com/youtube/analytics/v2/available_reports for a list of supported queries."
)


@dataclass(frozen=True)
class Metric:
    """`of` makes it from what was added up, which has views."""

    of: Callable[[Tally], float]
    is_whole: bool = True
    is_money: bool = False
    """In dollars; only who may see money may ask for it."""


def _summed(name: str) -> Metric:
    return Metric(lambda tally: tally[name])


METRICS: dict[str, Metric] = {
    **{
        name: _summed(name)
        for name in (
            "views", "engagedViews", "likes", "dislikes", "comments", "shares", "subscribersGained", "subscribersLost",
            "estimatedMinutesWatched",
        )
    },
    "averageViewDuration": Metric(lambda tally: round(60 * tally["estimatedMinutesWatched"] / tally["views"])),
    "averageViewPercentage": Metric(
        lambda tally: round(100 * 60 * tally["estimatedMinutesWatched"] / tally["seconds"], 2), is_whole=False
    ),
    "estimatedRevenue": Metric(lambda tally: tally["cents"] / 100, is_whole=False, is_money=True),
}  # fmt: skip


@dataclass(frozen=True)
class Query:
    """A query that is right, as far as it does not depend on who asks. `videos` None: all of the channel."""

    channel: str
    first: date
    last: date
    metrics: tuple[str, ...]
    dimensions: tuple[str, ...]
    videos: frozenset[str] | None
    sort: tuple[tuple[str, bool], ...]
    """Columns, and whether descending."""
    start: int
    """The first row's number; the first of all is 1."""
    most: int | None
    currency: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.dimensions, *self.metrics)

    @property
    def is_on_money(self) -> bool:
        return any(METRICS[name].is_money for name in self.metrics)

    @property
    def rate(self) -> float:
        """What a dollar is in the currency, which may be any where there is no money."""
        return CURRENCIES[self.currency] if self.is_on_money else 1.0


def read_query(given: Mapping[str, list[str]], noted: Mapping[str, Noted]) -> Query:
    """From the parameters by name. Raises Wrong."""
    values = {name: given[name][0] for name in noted if given.get(name)}
    _check_noted(values, noted)
    kind, _, channel = values["ids"].partition("==")
    if kind == "contentOwner":
        raise Wrong(403, "forbidden", "Forbidden", "global")
    if kind != "channel":
        _invalid("ids", values["ids"])
    query = Query(
        channel, _day("startDate", values), _day("endDate", values), _names("metrics", values, METRICS),
        _names("dimensions", values, _DIMENSIONS), _filtered(values.get("filters")), _sort(values.get("sort")),
        int(values.get("startIndex", 1)), int(values["maxResults"]) if "maxResults" in values else None,
        values.get("currency", "USD"),
    )  # fmt: skip
    if query.last < query.first:
        _invalid("endDate", values["endDate"])
    if query.currency not in CURRENCIES and query.is_on_money:
        _invalid("currency", query.currency)
    _check_supported(query)
    return query


def _check_noted(values: Mapping[str, str], noted: Mapping[str, Noted]) -> None:
    for name, rules in noted.items():
        value = values.get(name)
        if value is None:
            if rules.is_required:
                raise Wrong(400, "required", "Required", "global")
        elif rules.minimum is not None and int(value) < rules.minimum:
            _invalid(name, value)
        elif rules.pattern is not None and not re.fullmatch(rules.pattern, value):
            if name.endswith("Date"):
                _unparsed(name, value)
            _invalid(name, value)


def _day(name: str, values: Mapping[str, str]) -> date:
    try:
        return date.fromisoformat(values[name])
    except ValueError:
        _unparsed(name, values[name])


def _names(name: str, values: Mapping[str, str], known: Container[str]) -> tuple[str, ...]:
    names = tuple(values[name].split(",")) if name in values else ()
    for one in names:
        _check_known(one, name, known)
    return names


def _check_known(identifier: str, name: str, known: Container[str]) -> None:
    if identifier in _NOT_PLAYED:
        raise Wrong(501, "notImplemented", f"this fake does not play {identifier}", "global")
    if identifier not in known:
        text = f"Unknown identifier ({identifier}) given in field parameters.{_dashed(name)}."
        raise Wrong(400, "invalid", text, "global")


def _filtered(filters: str | None) -> frozenset[str] | None:
    """The videos that all filters let through."""
    if filters is None:
        return None
    chosen: list[frozenset[str]] = []
    for one in filters.split(";"):
        name, equals, value = one.partition("==")
        ids = value.split(",")
        _check_known(name, "filters", ("video",))
        if not equals or not all(ids) or len(ids) > MOST_FILTERED:
            _invalid("filters", filters)
        chosen.append(frozenset(ids))
    return frozenset.intersection(*chosen)


def _sort(sort: str | None) -> tuple[tuple[str, bool], ...]:
    names = sort.split(",") if sort else []
    return tuple((name.removeprefix("-"), name.startswith("-")) for name in names)


def _check_supported(query: Query) -> None:
    """Whether there is such a report."""
    is_supported = all(name in query.columns for name, _ in query.sort)
    match sorted(query.dimensions):
        case [] | ["day"]:
            pass
        case ["video"]:
            ranked = bool(query.sort) and query.sort[0][0] in query.metrics and query.sort[0][1]
            is_supported &= ranked and query.most is not None and query.most <= MOST_VIDEOS
        case ["day", "video"]:
            is_supported &= query.videos is not None
        case _:
            is_supported = False
    if not is_supported:
        raise Wrong(400, "badRequest", _UNSUPPORTED, "global")


def _invalid(name: str, value: str) -> NoReturn:
    raise Wrong(400, "invalid", f"Invalid value ({value}) given in field parameters.{_dashed(name)}.", "global")


def _unparsed(name: str, value: str) -> NoReturn:
    raise Wrong(400, "invalid", f"Could not parse content ({value}) of field {name}.", "global")


def _dashed(name: str) -> str:
    """As refusals call a parameter: by its name in the API's first version."""
    return re.sub("[A-Z]", lambda letter: f"-{letter[0].lower()}", name)
