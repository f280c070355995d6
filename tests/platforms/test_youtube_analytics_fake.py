"""The fake YouTube Analytics is as strict as Google's document, and Google's own client gets on with it."""

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from tests.platforms.google_client import Through
from tests.platforms.youtube_channel import NEWEST, RANKED, REPORTS, RIGHT, Channel, opened

from video_manager.fakes import youtube as fakes
from video_manager.fakes import youtube_analytics as analytics
from video_manager.fakes.google_discovery import Discovery


@pytest.fixture(scope="module")
def channel() -> Iterator[Channel]:
    """One that no test changes."""
    with opened() as here:
        yield here


@pytest.fixture
def at() -> Iterator[Channel]:
    with opened() as here:
        yield here


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    (one,) = error["errors"]
    assert (one["domain"], one["message"], error["code"]) == ("global", error["message"], answer.status_code)
    return answer.status_code, one["reason"], error["message"]


# ---- what a request may hold ---------------------------------------------------------------------------------


def test_what_only_descriptions_say_is_read_in_the_document() -> None:
    document = Discovery("youtubeAnalytics.v2")
    noted = document.noted(document.method("GET", "/v2/reports"))
    assert [name for name, one in noted.items() if one.is_required] == ["endDate", "ids", "metrics", "startDate"]
    assert {name: one.minimum for name, one in noted.items() if one.minimum} == {"maxResults": 1, "startIndex": 1}
    assert {name: one.pattern for name, one in noted.items() if one.pattern} == {
        "currency": "[A-Z]{3}", "dimensions": "[0-9a-zA-Z,]+", "endDate": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        "ids": "[a-zA-Z]+==[a-zA-Z0-9_+-]+", "metrics": "[0-9a-zA-Z,]+", "sort": "[-0-9a-zA-Z,]+",
        "startDate": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    }  # fmt: skip


UNSUPPORTED = "The query is not supported."
REFUSED: dict[str, tuple[dict[str, str | None], tuple[int, str], str]] = {
    "no ids": ({"ids": None}, (400, "required"), "Required"),
    "no start": ({"startDate": None}, (400, "required"), "Required"),
    "no end": ({"endDate": None}, (400, "required"), "Required"),
    "no metrics": ({"metrics": None}, (400, "required"), "Required"),
    "unknown parameter": ({"start-date": "2026-01-01"}, (400, "unexpectedParameter"), "start-date"),
    "no number": ({"maxResults": "ten"}, (400, "invalidParameter"), "maxResults"),
    "too many rows": ({"maxResults": str(2**31)}, (400, "invalidParameter"), "maxResults"),
    "no boolean": ({"includeHistoricalChannelData": "yes"}, (400, "invalidParameter"), "includeHistoricalChannelData"),
    "no rows": ({"maxResults": "0"}, (400, "invalid"), "(0) given in field parameters.max-results."),
    "no first row": ({"startIndex": "0"}, (400, "invalid"), "(0) given in field parameters.start-index."),
    "ids without a kind": ({"ids": "MINE"}, (400, "invalid"), "(MINE) given in field parameters.ids."),
    "another kind of ids": ({"ids": "user==MINE"}, (400, "invalid"), "(user==MINE) given in field parameters.ids."),
    "a day first": ({"startDate": "07-06-2026"}, (400, "invalid"), "parse content (07-06-2026) of field startDate."),
    "no such day": ({"endDate": "2026-02-30"}, (400, "invalid"), "parse content (2026-02-30) of field endDate."),
    "end first": ({"endDate": "2024-12-31"}, (400, "invalid"), "(2024-12-31) given in field parameters.end-date."),
    "unknown metric": (
        {"metrics": "views,impressions"},
        (400, "invalid"),
        "Unknown identifier (impressions) given in field parameters.metrics.",
    ),
    "metric with a line": ({"metrics": "watch_time"}, (400, "invalid"), "(watch_time) given in field parameters.metr"),
    "metric twice separated": ({"metrics": "views,,likes"}, (400, "invalid"), "Unknown identifier ()"),
    "no dimension": ({"dimensions": ""}, (400, "invalid"), "() given in field parameters.dimensions."),
    "unknown dimension": ({"dimensions": "hour"}, (400, "invalid"), "Unknown identifier (hour)"),
    "a dimension as a metric": ({"metrics": "day"}, (400, "invalid"), "Unknown identifier (day)"),
    "unknown filter": ({"filters": "vidoe==old"}, (400, "invalid"), "Unknown identifier (vidoe)"),
    "filter without value": ({"filters": "video=="}, (400, "invalid"), "(video==) given in field parameters.filters."),
    "filter with one equals": ({"filters": "video=old"}, (400, "invalid"), "parameters.filters."),
    "501 videos": ({"filters": "video==" + ",".join(map(str, range(501)))}, (400, "invalid"), "parameters.filters."),
    "videos unsorted": ({**RANKED, "sort": None}, (400, "badRequest"), UNSUPPORTED),
    "videos from the least": ({**RANKED, "sort": "views"}, (400, "badRequest"), UNSUPPORTED),
    "videos by id": ({**RANKED, "sort": "-video"}, (400, "badRequest"), UNSUPPORTED),
    "videos without end": ({**RANKED, "maxResults": None}, (400, "badRequest"), UNSUPPORTED),
    "201 videos": ({**RANKED, "maxResults": "201"}, (400, "badRequest"), UNSUPPORTED),
    "sorted by what is not asked": ({**RANKED, "sort": "-likes"}, (400, "badRequest"), UNSUPPORTED),
    "all videos by day": ({"dimensions": "video,day"}, (400, "badRequest"), UNSUPPORTED),
    "days twice": ({"dimensions": "day,day"}, (400, "badRequest"), UNSUPPORTED),
    "another's channel": ({"ids": "channel==UCsomebodyelse"}, (403, "forbidden"), "Forbidden"),
    "a content owner": ({"ids": "contentOwner==me"}, (403, "forbidden"), "Forbidden"),
    "not played": ({"dimensions": "country"}, (501, "notImplemented"), "country"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_query_is_refused(channel: Channel, name: str) -> None:
    changes, expected, text = REFUSED[name]
    query = {name: value for name, value in {**RIGHT, **changes}.items() if value is not None}
    status, reason, message = refused(channel.get(query))
    assert (status, reason) == expected
    assert text in message


def test_what_nothing_is_at_or_is_not_played_says_so(channel: Channel) -> None:
    headers = {"Authorization": f"Bearer {channel.token()}"}
    for path, expected in (
        (f"/{analytics.HOST}/v2/report", (404, "notFound")),
        (f"/{analytics.HOST}/youtube/v3/channels?part=id&mine=true", (404, "notFound")),
        ("/www.googleapis.com/v2/reports", (404, "notFound")),
        (f"/{analytics.HOST}/v2/groups?mine=true", (501, "notImplemented")),
    ):
        assert refused(channel.http.get(path, headers=headers))[:2] == expected, path
    assert refused(channel.http.post(REPORTS, headers=headers))[:2] == (404, "notFound")


# ---- who may ask ---------------------------------------------------------------------------------------------


def test_a_report_wants_one_of_the_documents_scopes(channel: Channel) -> None:
    document = Discovery("youtubeAnalytics.v2")
    scopes = document.method("GET", "/v2/reports").scopes
    assert analytics.READONLY in scopes
    assert all(channel.get(RIGHT, scope).status_code == 200 for scope in scopes)
    assert refused(channel.get(RIGHT, fakes.FORCE_SSL))[:2] == (403, "insufficientPermissions")


def test_money_wants_its_own_scope(channel: Channel) -> None:
    query = {**RIGHT, "metrics": "views,estimatedRevenue"}
    assert refused(channel.get(query))[:2] == (403, "insufficientPermissions")
    assert channel.get(query, analytics.MONETARY_SCOPE).status_code == 200


def test_a_token_must_be_one_that_works(at: Channel) -> None:
    assert refused(at.http.get(REPORTS, params=RIGHT))[:2] == (401, "authError")
    wrong = {"Authorization": "Bearer guessed"}
    assert refused(at.http.get(REPORTS, params=RIGHT, headers=wrong))[:2] == (401, "authError")
    headers = {"Authorization": f"Bearer {at.token()}"}
    assert at.http.get(REPORTS, params=RIGHT, headers=headers).status_code == 200
    at.network.skew_seconds += 3601
    assert refused(at.http.get(REPORTS, params=RIGHT, headers=headers))[:2] == (401, "authError")


def test_the_channel_is_ones_own(at: Channel) -> None:
    own = {**RIGHT, "ids": f"channel=={fakes.CHANNEL}"}
    assert at.get(own).json() == at.get(RIGHT).json()
    at.fake.has_channel = False
    assert refused(at.get(RIGHT))[:2] == (403, "forbidden")


def test_the_day_has_its_allowance_apart_from_the_data_apis(at: Channel) -> None:
    at.fake.analytics.allowance.units = 2
    assert at.get(RIGHT).status_code == 200
    assert refused(at.get({**RIGHT, "metrics": "impressions"}))[0] == 400, "what is refused counts, too"
    assert refused(at.get(RIGHT))[:2] == (403, "quotaExceeded")
    assert at.statistics("old")["viewCount"] != "0"
    at.network.skew_seconds += 12.5 * 3600  # past midnight in California
    assert at.get(RIGHT).status_code == 200


# ---- the answer ----------------------------------------------------------------------------------------------


def test_the_answer_has_the_columns_in_the_order_of_the_request(channel: Channel) -> None:
    query = {**RIGHT, "dimensions": "day,video", "filters": "video==june", "metrics": "likes,averageViewPercentage"}
    answer = channel.get(query).json()
    assert (answer["kind"], answer["columnHeaders"]) == (
        "youtubeAnalytics#resultTable",
        [
            {"name": "day", "columnType": "DIMENSION", "dataType": "STRING"},
            {"name": "video", "columnType": "DIMENSION", "dataType": "STRING"},
            {"name": "likes", "columnType": "METRIC", "dataType": "INTEGER"},
            {"name": "averageViewPercentage", "columnType": "METRIC", "dataType": "FLOAT"},
        ],
    )
    day, video, likes, percentage = answer["rows"][0]
    assert (day, video) == ("2026-06-10", "june")
    assert isinstance(likes, int)
    assert isinstance(percentage, float)


def test_a_metric_that_is_asked_twice_has_two_columns(channel: Channel) -> None:
    (row,) = channel.rows(metrics="views,likes,views")
    assert (len(row), row[0]) == (3, row[2])


def test_no_data_is_no_rows(channel: Channel) -> None:
    for nothing in ({"endDate": "2025-01-31"}, {"filters": "video==private"}, {"filters": "video==foreign"},
                    {"startDate": NEWEST.replace(day=NEWEST.day + 1).isoformat()}):  # fmt: skip
        answer = channel.get({**RIGHT, **nothing}).json()
        assert set(answer) == {"kind", "columnHeaders"}, nothing


def test_rows_come_sorted_and_in_pages(channel: Channel) -> None:
    ranked = channel.rows(**RANKED)
    assert [row[0] for row in ranked] == sorted((row[0] for row in ranked), key=dict(ranked).get, reverse=True)  # type: ignore[arg-type]
    assert {row[0] for row in ranked} == {"old", "spring", "june", "recent"}
    pages = [channel.rows(**{**RANKED, "maxResults": "3", "startIndex": start}) for start in ("1", "4", "7")]
    assert [len(page) for page in pages] == [3, 1, 0]
    assert list(itertools.chain(*pages)) == ranked
    days = [row[0] for row in channel.rows(dimensions="day", sort="-day")]
    assert days == sorted(days, reverse=True)
    both = channel.rows(dimensions="video,day", filters="video==june,recent", sort="day,-views")
    assert both == sorted(both, key=lambda row: (row[1], -row[2]))


def test_money_is_told_in_the_currency_that_was_asked_for(channel: Channel) -> None:
    scope = analytics.MONETARY_SCOPE
    ((dollars,),) = channel.rows(scope, metrics="estimatedRevenue")
    ((euros,),) = channel.rows(scope, metrics="estimatedRevenue", currency="EUR")
    assert dollars > 1
    assert euros == pytest.approx(dollars * 0.9, abs=0.001)
    unknown = {**RIGHT, "metrics": "estimatedRevenue", "currency": "ABC"}
    assert refused(channel.get(unknown, scope))[:2] == (400, "invalid")
    assert channel.get({**RIGHT, "currency": "ABC"}).status_code == 200, "ignored without money"


# ---- Google's own client -------------------------------------------------------------------------------------


@pytest.fixture
def google(at: Channel) -> Iterator[Any]:
    http = Through(at.gateway, at.token())
    yield build("youtubeAnalytics", "v2", static_discovery=True, http=http)
    http.close()


def test_googles_own_client_reads_its_reports(google: Any) -> None:
    report = google.reports().query(**{**RIGHT, **RANKED, "maxResults": 2, "metrics": "views,likes"}).execute()
    assert [header["name"] for header in report["columnHeaders"]] == ["video", "views", "likes"]
    assert len(report["rows"]) == 2
    with pytest.raises(HttpError, match="Unknown identifier \\(impressions\\)") as caught:
        google.reports().query(**{**RIGHT, "metrics": "impressions"}).execute()
    assert (caught.value.status_code, caught.value.error_details[0]["reason"]) == (400, "invalid")
