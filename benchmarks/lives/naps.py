"""Whether a second generation worker halves the time of a batch: real processes, renders that only wait."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx
from lives.crowd import PLUGINS
from tests.system.cluster import RunningCluster, Servers

JOBS = 32
MOST_SECONDS = 300.0
_LOOK_SECONDS = 0.1
"""Two requests each time, which take processor time from the processes that the renders run in."""


def seconds_by_workers(folder: Path, servers: Servers, counts: tuple[int, ...] = (1, 2)) -> dict[int, float]:
    """How long the batch takes with so many workers, from the request to the last render's end."""
    # Nothing else takes processor time: gateway and manager, one each.
    others = ("studio", "generation", "processing", "publishing", "notifications", "analytics")
    cluster = RunningCluster(
        folder, servers, dict.fromkeys(others, 0), plugin_folder=str(PLUGINS), render_slots="1", log_level="WARNING"
    )
    taken: dict[int, float] = {}
    try:
        cluster.start().wait_ready()
        for count in counts:
            while len(cluster.of("generation")) < count:
                cluster.add("generation", "--generator", "nap").start()
            cluster.wait_ready()
            time.sleep(2)  # starting them has ended
            with cluster.client(30) as http:
                _batch(http, count)  # warm
                taken[count] = _batch(http, JOBS)
    finally:
        cluster.stop()
    return taken


def _batch(http: httpx.Client, jobs: int) -> float:
    began = time.perf_counter()
    answer = http.post("/videos", json={"generator": "nap", "title": "Nap", "count": jobs})
    answer.raise_for_status()
    wanted = {video["id"] for video in answer.json()["items"]}
    _wait(lambda: wanted <= _in_state(http, "processing"), lambda: wanted & _in_state(http, "failed"))
    return time.perf_counter() - began


def _in_state(http: httpx.Client, state: str) -> set[str]:
    """Nothing processes videos here, so that they stay where a render has brought them: in `processing`."""
    answer = http.get("/videos", params={"state": state, "limit": 100})
    return {video["id"] for video in answer.raise_for_status().json()["items"]}


def _wait(done: Callable[[], bool], failed: Callable[[], set[str]]) -> None:
    deadline = time.monotonic() + MOST_SECONDS
    while not done():
        if failures := failed():
            raise SystemExit(f"renders failed: {sorted(failures)}")
        if time.monotonic() > deadline:
            raise SystemExit("the batch did not end")
        time.sleep(_LOOK_SECONDS)
