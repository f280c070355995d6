"""kill -9 at random moments of a batch: nothing acknowledged is lost, nothing is published twice."""

import hashlib
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.system.conftest import RunningSystem, wait_for

SMALL = {"duration_seconds": 1, "width": 180, "height": 320, "frame_rate": 15}


class Person:
    """Requests and approves whatever happens to the server: repeats what was not acknowledged, with the same key."""

    def __init__(self, system: RunningSystem, channel: str, wanted: int) -> None:
        self.system = system
        self.channel = channel
        self.wanted = wanted
        self.acknowledged: list[str] = []
        self.approved: set[str] = set()
        self.refused: list[str] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                self._request_next()
                self._approve_ready()
            except (httpx.HTTPError, FileNotFoundError):
                pass  # the server is down: the same again
            time.sleep(0.05)

    def _request_next(self) -> None:
        index = len(self.acknowledged)
        if index >= self.wanted:
            return
        body = {"generator": "test-card", "title": f"Batch {index}", "options": SMALL, "channels": [self.channel]}
        with self.system.client(5) as http:
            answer = http.post("/videos", json=body, headers={"Idempotency-Key": f"batch-{index}"})
        if answer.status_code == 202:
            self.acknowledged.append(answer.json()["items"][0]["id"])
        elif answer.status_code < 500 and answer.status_code != 409:
            self.refused.append(answer.text)

    def _approve_ready(self) -> None:
        with self.system.client(5) as http:
            for video in http.get("/videos", params={"state": "in_review", "limit": 200}).json()["items"]:
                answer = http.post(
                    f"/videos/{video['id']}/review", json={"version": 1, "decision": "approve"},
                    headers={"Idempotency-Key": f"approve-{video['id']}"},
                )  # fmt: skip
                if answer.status_code == 200:
                    self.approved.add(video["id"])
                elif answer.status_code < 500 and answer.status_code not in (409, 412):
                    self.refused.append(answer.text)


def run_batch(system: RunningSystem, videos: int, kills: int, seed: int) -> tuple[Person, Path]:
    """Drive a batch while the server is killed `kills` times, then let it come to its end."""
    rng = random.Random(seed)
    published = system.data_dir / "published" / "batch"
    with system.client() as http:
        channel = http.post("/channels", json={"platform": "folder", "name": "Batch", "options": {"path": "batch"}})
        assert channel.status_code in (200, 201), channel.text
    person = Person(system, channel.json()["id"], videos)
    person.start()
    try:
        for _ in range(kills):
            time.sleep(rng.uniform(0.05, 2.5))
            system.kill()
            system.start().wait_ready()
        wait_for(lambda: len(person.acknowledged) == videos, 60, f"requests: {person.refused}")
        with system.client() as http:
            wait_for(lambda: _all_published(http), 240, f"not all came to their end: {_states(system)}")
    finally:
        person.stop()
    return person, published


def _videos(http: httpx.Client) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = http.get("/videos", params={"limit": 200}).json()["items"]
    return items


def _all_published(http: httpx.Client) -> bool:
    return all(video["publications"]["published"] == 1 for video in _videos(http))


def _states(system: RunningSystem) -> list[tuple[str, str, Any]]:
    with system.client() as http:
        return [(v["title"], v["state"], v["publications"]["by_state"]) for v in _videos(http)]


def assert_exactly_once(system: RunningSystem, person: Person, published: Path) -> None:
    assert person.refused == []
    with system.client() as http:
        videos = _videos(http)
        publications = http.get("/publications", params={"limit": 200}).json()["items"]
        dead = http.get("/dead-letters").json()["items"]
    assert sorted(video["id"] for video in videos) == sorted(person.acknowledged), "lost or made twice"
    assert sorted(video["title"] for video in videos) == sorted(f"Batch {index}" for index in range(person.wanted))
    assert {video["state"] for video in videos} == {"approved"}
    assert dead == []
    files = sorted(path for path in published.rglob("*.mp4") if path.is_file())
    assert len(files) == person.wanted == len(publications), "published twice, or not at all"
    hashes = {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    approved = {
        file["sha256"] for video in videos for file in video["versions"][0]["files"] if file["role"] == "master"
    }
    assert hashes == approved, "other bytes than those that were approved"
    leftovers = [path.name for path in published.rglob("*") if path.is_file() and path.name.startswith(".")]
    assert leftovers == [], "half-written files stayed"


@pytest.mark.slow
@pytest.mark.timeout(480)
@pytest.mark.parametrize(("videos", "kills"), [(5, 6), pytest.param(14, 20, marks=pytest.mark.long)])
def test_kills_lose_nothing_and_publish_once(
    start_system: Callable[..., RunningSystem], videos: int, kills: int
) -> None:
    system = start_system(render_slots="1", schedule_tick_seconds="0.2")
    seed = int(os.environ.get("VIDEO_MANAGER_TEST_SEED", "20261122"))
    person, published = run_batch(system, videos, kills, seed)
    assert_exactly_once(system, person, published)
    assert system.stop() == 0


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_kills_with_other_seeds(start_system: Callable[..., RunningSystem], seed: int) -> None:
    system = start_system(render_slots="2", schedule_tick_seconds="0.2")
    person, published = run_batch(system, videos=14, kills=20, seed=seed)
    assert_exactly_once(system, person, published)
