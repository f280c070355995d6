"""The killing campaign: a batch of videos through all services while processes and servers get `kill -9`."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from tests.chaos.crowd import Crowd, pages_of
from tests.chaos.harm import Harm, Server
from tests.chaos.verdict import Verdict, judge, recovery_lines
from tests.system.cluster import RunningCluster, Servers

END_SECONDS = 900.0
"""How long the batch may take after the last kill; a bound, not a claim."""
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Plan:
    """`pause_seconds` is the shortest and the longest time between kills. The last kill comes before the last video:
    requests are spread over the campaign."""

    videos: int
    kills: int
    pause_seconds: tuple[float, float] = (2.0, 5.0)
    seed: int = 20261122
    counts: Mapping[str, int] = field(
        default_factory=lambda: {"gateway": 1, "studio": 0, "manager": 2, "generation": 2, "publishing": 2}
    )
    each_server_once: bool = False
    """Whether the first kills hit each server, so that a short campaign has met them all."""


@dataclass(frozen=True)
class Report:
    plan: Plan
    kills: Mapping[str, int]
    verdict: Verdict
    seconds: float
    settle_seconds: float
    """From the last kill until the last video was published."""
    recovery: Sequence[str]
    unasked_exits: Sequence[str]
    repeats: int

    def __str__(self) -> str:
        verdict = self.verdict
        counts = ("lost", "made_twice", "published_twice", "stuck", "failed", "dead_letters", "wrong_bytes")
        kills = ", ".join(f"{victim} {count}" for victim, count in sorted(self.kills.items()))
        exits = ", ".join(sorted(set(self.unasked_exits)))
        lines = [
            f"{verdict.videos} videos, {sum(self.kills.values())} times kill -9 in {self.seconds:.0f} s",
            f"  seed {self.plan.seed}; killed: {kills}",
            "  " + ", ".join(f"{name.replace('_', ' ')} {getattr(verdict, name)}" for name in counts),
            f"  said again by the people: {self.repeats}; refused: {len(verdict.refused)}",
            f"  processes that ended by themselves: {len(self.unasked_exits)} {exits}",
            f"  all published {self.settle_seconds:.0f} s after the last kill",
            *self.recovery,
            *[f"  ! {line}" for line in (*verdict.details, *verdict.refused)[:20]],
        ]
        return "\n".join(lines)


def run_campaign(folder: Path, addresses: Servers, servers: Sequence[Server], plan: Plan) -> Report:
    """Start a cluster in `folder`, do the harm, wait for the end, and judge. The cluster is stopped afterwards."""
    cluster = RunningCluster(
        folder, addresses, plan.counts, lease_seconds="6", renew_seconds="1", schedule_tick_seconds="0.2",
        render_slots="1", connect_seconds="30", log_level="WARNING", publish_timeout_seconds="30", max_open_jobs="5000",
    )  # fmt: skip
    harm = Harm(cluster, servers, random.Random(plan.seed))
    cluster.start().wait_ready()
    try:
        return _run(cluster, harm, plan)
    finally:
        cluster.kill()


def _run(cluster: RunningCluster, harm: Harm, plan: Plan) -> Report:
    began = time.monotonic()
    with cluster.client(30) as http:
        channels = _channels(http)
    crowd = Crowd(lambda: cluster.client(10), channels, plan.videos)
    crowd.start()
    try:
        _do_harm(harm, crowd, plan)
        last_kill = time.monotonic()
        _tend_until(harm, lambda: harm.all_well, "the cluster did not recover")
        _tend_until(
            harm, lambda: len(crowd.acknowledged) == plan.videos and _all_ended(cluster, plan, len(channels)), None
        )
        ended = time.monotonic()
    finally:
        crowd.stop()
    with cluster.client(60) as http:
        verdict = judge(http, cluster.of("gateway")[0].url, cluster.folder / "published", crowd, channels)
    return Report(
        plan, harm.kills, verdict, ended - began, ended - last_kill, recovery_lines(harm.recoveries),
        harm.unasked_exits, crowd.repeats,
    )  # fmt: skip


def _do_harm(harm: Harm, crowd: Crowd, plan: Plan) -> None:
    planned = list(harm.servers) if plan.each_server_once else []
    while sum(harm.kills.values()) < plan.kills:
        next_at = time.monotonic() + harm.rng.uniform(*plan.pause_seconds)
        _tend_until(harm, lambda at=next_at: time.monotonic() >= at, None)  # type: ignore[misc]  # bound now
        if planned and sum(harm.kills.values()) % 3 == 1:
            harm.kill_server(planned.pop())
        else:
            harm.kill_one()


def _tend_until(harm: Harm, done: Callable[[], bool], message: str | None) -> None:
    """With a message the end has to come; without, whatever is left undone shows in the verdict."""
    deadline = time.monotonic() + END_SECONDS
    while not done():
        if time.monotonic() > deadline:
            assert message is None, message
            return
        harm.tend()
        time.sleep(_LOOK_SECONDS)


def _channels(http: httpx.Client) -> list[str]:
    """A folder and the site: two platforms that show what was published twice."""
    answer = http.post("/channels", json={"platform": "folder", "name": "Batch", "options": {"path": "batch"}})
    assert answer.status_code == 201, answer.text
    items = http.get("/channels").json()["items"]
    return [answer.json()["id"], next(item["id"] for item in items if item["platform"] == "site")]


def _all_ended(cluster: RunningCluster, plan: Plan, channels: int) -> bool:
    """Looked at now and then only: it asks for every page of publications."""
    time.sleep(1.0)
    try:
        with cluster.client(10) as http:
            return len(pages_of(http, "/publications", state="published")) >= plan.videos * channels
    except (httpx.HTTPError, OSError):
        return False
