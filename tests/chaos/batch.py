"""A batch of videos through a running cluster while something is done to it, and what is left of it in the end."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import httpx
from tests.chaos.crowd import Crowd, pages_of
from tests.chaos.harm import Harm
from tests.chaos.verdict import Verdict, judge
from tests.system.cluster import RunningCluster

END_SECONDS = 900.0
"""How long a batch may take to its end; a bound, not a claim."""
CALM = {
    "lease_seconds": "6", "renew_seconds": "1", "schedule_tick_seconds": "0.2", "render_slots": "1",
    "connect_seconds": "30", "log_level": "WARNING", "publish_timeout_seconds": "30", "max_open_jobs": "5000",
}  # fmt: skip
"""Settings under which a cluster notices losses soon, so that a campaign does not wait for most of its time."""
_LOOK_SECONDS = 0.05
_CHANNEL = "Batch"
_LOG_LINE = re.compile(r"\d\d:\d\d:\d\d [A-Z]+ ")


@dataclass(frozen=True)
class Report:
    """`headline` says what was done, `recovery` how long it took to get over it."""

    headline: Sequence[str]
    verdict: Verdict
    seconds: float
    settle_seconds: float
    """From the end of the harm until the last video was published."""
    recovery: Sequence[str]
    unasked_exits: Sequence[str]
    repeats: int
    surprises: Sequence[str] = ()
    """Log lines with a stack trace: nothing that is done here is a mistake of the product."""

    @property
    def is_clean(self) -> bool:
        """All of it is as promised. Processes may end only where they are killed: see `unasked_exits`."""
        return self.verdict.is_clean and not self.surprises

    def __str__(self) -> str:
        verdict = self.verdict
        counts = ("lost", "made_twice", "published_twice", "stuck", "failed", "dead_letters", "wrong_bytes")
        exits = ", ".join(sorted(set(self.unasked_exits)))
        lines = [
            f"{verdict.videos} videos in {self.seconds:.0f} s; {self.headline[0]}",
            *[f"  {line}" for line in self.headline[1:]],
            "  " + ", ".join(f"{name.replace('_', ' ')} {getattr(verdict, name)}" for name in counts),
            f"  said again by the people: {self.repeats}; refused: {len(verdict.refused)}",
            f"  processes that ended by themselves: {len(self.unasked_exits)} {exits}",
            f"  all published {self.settle_seconds:.0f} s after the end of the harm",
            *[f"  {line}" for line in self.recovery],
            *[f"  ! {line}" for line in (*verdict.details, *verdict.refused, *self.surprises)[:20]],
        ]
        return "\n".join(lines)


class Batch:
    """On entering, people begin to request the videos and to approve them; they go on until the end. Batches on one
    cluster follow each other and have different names; a verdict is about all of them."""

    def __init__(self, cluster: RunningCluster, harm: Harm, videos: int, name: str = "Batch") -> None:
        self.cluster = cluster
        self.harm = harm
        with cluster.client(30) as http:
            self._channels = _channels(http)
        self.crowd = Crowd(lambda: cluster.client(10), self._channels, videos, name)
        self._known = set(_surprises(cluster))
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self.crowd.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.crowd.stop()

    def finish(self, headline: Sequence[str], recovery: Callable[[], Sequence[str]]) -> Report:
        """Call it when the harm is done: waits until everything is well and published, and judges."""
        harm_ended = time.monotonic()
        self.tend_until(lambda: self.harm.all_well, "the cluster did not recover")
        self.tend_until(self._all_published, None)
        ended = time.monotonic()
        self.crowd.stop()
        with self.cluster.client(60) as http:
            site, folder = self.cluster.of("gateway")[0].url, self.cluster.folder / "published"
            verdict = judge(http, site, folder, self.crowd, self._channels)
        return Report(
            headline, verdict, ended - self._began, ended - harm_ended, recovery(), self.harm.unasked_exits,
            self.crowd.repeats, [line for line in _surprises(self.cluster) if line not in self._known],
        )  # fmt: skip

    def tend_until(self, done: Callable[[], bool], message: str | None) -> None:
        """With a message the end has to come; without, whatever is left undone shows in the verdict."""
        deadline = time.monotonic() + END_SECONDS
        while not done():
            if time.monotonic() > deadline:
                assert message is None, message
                return
            self.harm.tend()
            time.sleep(_LOOK_SECONDS)

    def _all_published(self) -> bool:
        """Looked at now and then only: it asks for every page of publications."""
        if not self.crowd.has_all:
            return False
        time.sleep(1.0)
        try:
            with self.cluster.client(10) as http:
                published = pages_of(http, "/publications", state="published")
        except (httpx.HTTPError, OSError):
            return False
        ours = set(self.crowd.acknowledged)
        return sum(one["video_id"] in ours for one in published) >= len(ours) * len(self._channels)


def _channels(http: httpx.Client) -> list[str]:
    """A folder and the site: two platforms that show what was published twice."""
    ids = {item["platform"]: item["id"] for item in http.get("/channels").raise_for_status().json()["items"]}
    if "folder" not in ids:
        body = {"platform": "folder", "name": _CHANNEL, "options": {"path": "batch"}}
        ids["folder"] = http.post("/channels", json=body).raise_for_status().json()["id"]
    return [ids["folder"], ids["site"]]


def _surprises(cluster: RunningCluster) -> list[str]:
    """The lines that stand above the stack traces in the logs, each once."""
    found: dict[str, None] = {}
    last = ""
    for line in cluster.logs().splitlines():
        if _LOG_LINE.match(line):
            last = line
        elif line.startswith("Traceback"):
            found[last] = None
    return list(found)
