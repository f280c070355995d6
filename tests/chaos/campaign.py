"""The killing campaign: a batch of videos through all services while processes and servers get `kill -9`."""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.batch import CALM, Batch, Report
from tests.chaos.harm import Harm, Server
from tests.chaos.verdict import recovery_lines
from tests.system.cluster import RunningCluster, Servers


@dataclass(frozen=True)
class Plan:
    """`pause_seconds` is the shortest and the longest time between kills."""

    videos: int
    kills: int
    pause_seconds: tuple[float, float] = (2.0, 5.0)
    seed: int = 20261122
    counts: Mapping[str, int] = field(
        default_factory=lambda: {"gateway": 1, "studio": 0, "manager": 2, "generation": 2, "publishing": 2}
    )
    each_server_once: bool = False
    """Whether the first kills hit each server, so that a short campaign has met them all."""


def run_campaign(folder: Path, addresses: Servers, servers: Sequence[Server], plan: Plan) -> Report:
    """Start a cluster in `folder`, do the harm, wait for the end, and judge. The cluster is stopped afterwards."""
    cluster = RunningCluster(folder, addresses, plan.counts, **CALM)
    try:
        cluster.start().wait_ready()
        return kill_during_batch(cluster, servers, plan)
    finally:
        cluster.kill()


def kill_during_batch(cluster: RunningCluster, servers: Sequence[Server], plan: Plan) -> Report:
    """On a running cluster, which runs again in the end."""
    harm = Harm(cluster, servers, random.Random(plan.seed))
    with Batch(cluster, harm, plan.videos) as batch:
        _do_harm(harm, batch, plan)
        kills = ", ".join(f"{victim} {count}" for victim, count in sorted(harm.kills.items()))
        headline = [f"{sum(harm.kills.values())} times kill -9", f"seed {plan.seed}; killed: {kills}"]
        return batch.finish(headline, lambda: recovery_lines(harm.recoveries))


def _do_harm(harm: Harm, batch: Batch, plan: Plan) -> None:
    planned = list(harm.servers) if plan.each_server_once else []
    while sum(harm.kills.values()) < plan.kills:
        next_at = time.monotonic() + harm.rng.uniform(*plan.pause_seconds)
        batch.tend_until(lambda at=next_at: time.monotonic() >= at, None)  # type: ignore[misc]  # bound now
        if planned and sum(harm.kills.values()) % 2 == 1:
            harm.kill_server(planned.pop())
        else:
            harm.kill_one()
