"""A generator outside our package and our language: Node, over AMQP and HTTP alone, from the two descriptions."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]  # it has no types
from tests.system.cluster import RunningCluster, empty_servers
from tests.system.conftest import RunningSystem
from tests.system.driving import BARE, Driver, Json
from tests.system.node_worker import EXAMPLE, NodeWorker, node
from tests.tcp_proxy import TcpProxy

from video_manager.media.probing import extract_frame, probe

NAME = "spirograph"
SLOW = {"FRAME_DELAY_MS": "150"}
"""A video of two seconds takes more than seven then."""
OPTIONS: Json = {"seconds": 2, "aspect": "1:1", "colour": "mint"}
SETTINGS = {"lease_seconds": "3", "renew_seconds": "0.5"}


@contextmanager
def workers_of(driver: Driver, folder: Path, **environment: str) -> Iterator[Callable[..., NodeWorker]]:
    """Starts workers with one key; all are ended afterwards."""
    key = driver.ok(driver.http.post("/keys", json={"name": "spirograph", "role": "worker"}), 201)["key"]
    started: list[NodeWorker] = []

    def start(**more: str) -> NodeWorker:
        log = folder / f"node{len(started)}.log"
        started.append(NodeWorker(driver.system.url, key, log, **environment, **more).start())
        started[-1].wait_for_log("registered spirograph")
        return started[-1]

    try:
        yield start
    finally:
        for worker in started:
            worker.end()


@pytest.fixture(scope="module")
def on_rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Driver, str]]:
    """The services of the cluster profile that such a video needs, and the broker's address."""
    node()
    with empty_servers() as servers:
        others = dict.fromkeys(("studio", "generation", "publishing", "notifications", "analytics"), 0)
        cluster = RunningCluster(tmp_path_factory.mktemp("cluster"), servers, others, **SETTINGS)
        try:
            cluster.start().wait_ready()
            driver = Driver(cast("RunningSystem", cluster))  # of which it needs the address and a client
            yield driver, servers.rabbitmq
            driver.close()
        finally:
            codes = cluster.stop()
    assert set(codes.values()) == {0}, codes
    assert "Traceback" not in cluster.logs(), cluster.logs()[-4000:]


@pytest.fixture
def start_worker(on_rabbitmq: tuple[Driver, str], tmp_path: Path) -> Iterator[Callable[..., NodeWorker]]:
    driver, url = on_rabbitmq
    with workers_of(driver, tmp_path, AMQP_URL=url) as start:
        yield start


@pytest.fixture
def driver(on_rabbitmq: tuple[Driver, str]) -> Driver:
    return on_rabbitmq[0]


def request(driver: Driver, **options: Any) -> Json:
    return driver.request(NAME, options={**OPTIONS, **options}, recipe=BARE)


def job_of(driver: Driver, video: Json) -> Json:
    """Its render's job; nothing before it is opened."""
    answer = driver.http.get(f"/jobs/{video['id']}.1.render")
    return driver.ok(answer) if answer.status_code != 404 else {}


def rendering(driver: Driver, video: Json) -> Json:
    """The job once its worker has reported progress."""
    driver.until(video["id"], lambda video: job_of(driver, video).get("progress", 0) > 0)
    return job_of(driver, video)


def test_the_description_of_the_messages_is_valid_asyncapi(driver: Driver) -> None:
    schema = json.loads((EXAMPLE / "node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json").read_text())
    described = driver.ok(driver.http.get(f"{driver.system.url}/api/asyncapi.json"))
    validator = Draft7Validator(schema)
    assert [error.message for error in validator.iter_errors(described)] == []
    described["operations"]["send.render"]["action"] = "shout"
    assert not validator.is_valid(described), "the schema sees nothing"


def test_a_video_from_node_waits_for_its_review(
    driver: Driver, start_worker: Callable[..., NodeWorker], tmp_path: Path
) -> None:
    start_worker().wait_for_log("listening to video-manager.render.spirograph")
    offered = {item["name"]: item for item in driver.ok(driver.http.get("/generators"))["items"]}
    assert (offered[NAME]["external"], offered[NAME]["offline"]) == (True, False)
    assert "petals" in offered[NAME]["json_schema"]["properties"]
    picture = tmp_path / "blue.png"
    cv2.imwrite(str(picture), np.full((20, 30, 3), (200, 0, 0), np.uint8))
    video = driver.made(NAME, options={**OPTIONS, "backdrop": driver.send(picture)}, recipe=BARE)
    (version,) = video["versions"]
    assert version["state"] == "ready"
    assert version["spec"]["options"]["petals"] in (3, 5, 7, 8), "what was left open is drawn"
    assert version["facts"]["rendered_by"].startswith("node v")
    master = tmp_path / "master.mp4"
    master.write_bytes(driver.bytes_of(video, "master"))
    facts = probe(master)
    assert (facts.width, facts.height) == (480, 480)
    assert facts.duration_seconds == pytest.approx(2, abs=0.1)
    assert extract_frame(master, 1)[5, 5] == pytest.approx((0, 0, 200), abs=12), "the sent-in picture is behind it"


def test_a_killed_worker_loses_nothing(driver: Driver, start_worker: Callable[..., NodeWorker]) -> None:
    first = start_worker(**SLOW)
    video = request(driver)
    assert rendering(driver, video)["attempt"] == 1
    first.kill()
    start_worker()
    assert driver.settled(video["id"])["state"] == "in_review"
    assert job_of(driver, video)["attempt"] == 2


@pytest.mark.long
def test_commands_wait_for_a_worker_that_is_away_and_priorities_count(
    driver: Driver, start_worker: Callable[..., NodeWorker]
) -> None:
    assert start_worker().stop() == 0
    usual = driver.request(NAME, options={**OPTIONS, "seconds": 1}, recipe=BARE)
    urgent = driver.request(NAME, options={**OPTIONS, "seconds": 1}, recipe=BARE, priority=9)
    for video in (usual, urgent):
        driver.until(video["id"], lambda video: job_of(driver, video) != {})
    start_worker()
    ready = [driver.settled(video["id"])["versions"][0]["ready_at"] for video in (urgent, usual)]
    assert ready == sorted(ready)


def test_cancelling_stops_the_worker_and_it_goes_on_with_the_next(
    driver: Driver, start_worker: Callable[..., NodeWorker]
) -> None:
    worker = start_worker(**SLOW)
    video = request(driver)
    rendering(driver, video)
    driver.ok(driver.http.post(f"/videos/{video['id']}/cancel"))
    worker.wait_for_log(f"stopped {video['id']}.1.render")
    assert driver.video(video["id"])["state"] == "cancelled"
    assert driver.settled(request(driver, seconds=1)["id"])["state"] == "in_review"


@pytest.mark.long
def test_a_stopping_worker_gives_its_job_back_at_once(driver: Driver, start_worker: Callable[..., NodeWorker]) -> None:
    worker = start_worker(**SLOW)
    video = request(driver)
    rendering(driver, video)
    assert worker.stop() == 0
    assert job_of(driver, video)["state"] == "queued"
    start_worker()
    assert driver.settled(video["id"])["state"] == "in_review"


@pytest.mark.long
async def test_a_lost_connection_to_the_broker_costs_no_render(on_rabbitmq: tuple[Driver, str], tmp_path: Path) -> None:
    driver, url = on_rabbitmq
    loop = asyncio.get_running_loop()

    def play(proxy: TcpProxy) -> None:
        with workers_of(driver, tmp_path, AMQP_URL=proxy.through(url), **SLOW) as start:
            worker = start()
            video = request(driver)
            rendering(driver, video)
            loop.call_soon_threadsafe(proxy.cut)
            assert driver.settled(video["id"])["state"] == "in_review"
            assert job_of(driver, video)["attempt"] == 1, "it rendered on"
            assert driver.settled(request(driver, seconds=1)["id"])["state"] == "in_review", "it came back by itself"
            assert worker.log().count("listening to") == 2

    async with TcpProxy(urlsplit(url).port or 5672) as proxy:
        await asyncio.to_thread(play, proxy)


@pytest.mark.long
def test_without_a_broker_the_worker_asks_for_its_jobs_also_of_a_server_that_was_killed(
    start_system: Callable[..., RunningSystem], tmp_path: Path
) -> None:
    """On the laptop, too. The worker is no child of the server: it keeps its job, and renders on."""
    node()
    driver = Driver(start_system(worker_offline_seconds="3", **{**SETTINGS, "lease_seconds": "20"}))
    with workers_of(driver, tmp_path, **SLOW) as start:
        worker = start()
        video = request(driver)
        assert rendering(driver, video)["attempt"] == 1
        driver.system.kill()
        driver.system.start().wait_ready()
        assert driver.settled(video["id"])["state"] == "in_review"
        assert job_of(driver, video)["attempt"] == 1
        worker.kill()
        offline = lambda _: driver.ok(driver.http.get("/generators"))["items"][-1]["offline"]  # noqa: E731 - a name for it
        driver.until(video["id"], offline)
    driver.close()
