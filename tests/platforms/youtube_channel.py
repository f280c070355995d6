"""A YouTube channel whose videos are days to months old, for the fake Analytics API."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx

from video_manager.fakes import youtube as fakes
from video_manager.fakes import youtube_analytics as analytics
from video_manager.fakes.network import FakeNetwork
from video_manager.fakes.serving import served
from video_manager.fakes.youtube_numbers import ZONE
from video_manager.fakes.youtube_videos import STATUS_DEFAULTS, Video

REPORTS = f"/{analytics.HOST}/v2/reports"
TODAY = date(2026, 6, 30)
DELAY = timedelta(days=3)
NEWEST = TODAY - DELAY
"""The last day that reports know."""
AGES_DAYS = {"old": 300, "spring": 90, "june": 20, "recent": 5, "yesterday": 1}
"""The channel's public videos, by how long ago they were published."""
RIGHT = {"ids": "channel==MINE", "startDate": "2025-01-01", "endDate": "2026-12-31", "metrics": "views"}
RANKED = {"dimensions": "video", "sort": "-views", "maxResults": "200"}


class Channel:
    """Calls of the fake at noon of TODAY in California."""

    def __init__(self, network: FakeNetwork, gateway: str) -> None:
        self.network = network
        self.gateway = gateway
        fake = network.fakes["youtube"]
        assert isinstance(fake, fakes.YouTubeFake)
        self.fake = fake
        self.now = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=ZONE)
        self.network.skew_seconds = self.now.timestamp() - datetime.now(UTC).timestamp()
        for id, age in AGES_DAYS.items():
            self.add(id, age)
        self.add("foreign", 50, owner="UCsomebodyelse")
        self.fake.videos["private"] = _video("private", fakes.CHANNEL)
        self.http = httpx.Client(base_url=gateway, timeout=20.0, trust_env=False)

    def add(self, id: str, age_days: int, owner: str = fakes.CHANNEL) -> None:
        self.fake.videos[id] = video = _video(id, owner)
        video.set_status({**STATUS_DEFAULTS}, self.now.timestamp() - age_days * 86400)

    def token(self, *scopes: str) -> str:
        return str(self.fake.desk.issue(fakes.CHANNEL, scopes or [analytics.READONLY])["access_token"])

    def get(self, query: Mapping[str, str], *scopes: str) -> httpx.Response:
        return self.http.get(REPORTS, params=dict(query), headers={"Authorization": f"Bearer {self.token(*scopes)}"})

    def rows(self, *scopes: str, **query: str) -> list[list[Any]]:
        answer = self.get({**RIGHT, **query}, *scopes)
        assert answer.status_code == 200, answer.text
        result: list[list[Any]] = answer.json().get("rows", [])
        return result

    def column(self, metric: str, **query: str) -> list[Any]:
        return [row[-1] for row in self.rows(**{**query, "metrics": metric})]

    def data_api(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> Any:
        signed = {"Authorization": f"Bearer {self.token(fakes.FORCE_SSL)}", **(headers or {})}
        return self.http.request(method, f"/www.googleapis.com{path}", headers=signed, **more)

    def statistics(self, id: str) -> dict[str, str]:
        (video,) = self.data_api("GET", f"/youtube/v3/videos?part=statistics&id={id}").json()["items"]
        found: dict[str, str] = video["statistics"]
        return found


def _video(id: str, owner: str) -> Video:
    private = {**STATUS_DEFAULTS, "privacyStatus": "private"}
    return Video(id, owner, "a.mp4", 5, "0" * 64, 0.0, {"title": id}, private, 0, {"uploadStatus": "processed"}, True)


@contextmanager
def opened() -> Iterator[Channel]:
    network = FakeNetwork([fakes.YouTubeFake])
    with served(network) as gateway:
        here = Channel(network, gateway)
        yield here
        here.http.close()
