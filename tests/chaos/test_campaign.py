"""The promise of the cluster: nothing lost, nothing made or published twice, nothing stuck, whatever breaks.

Short campaigns, one after the other on one cluster. The long ones: ./test --all, and `python -m tests.chaos --help`.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chaos.campaign import Plan, kill_during_batch, run_campaign
from tests.chaos.faults import faults_during_batch
from tests.chaos.poison import POISON, dead_letters, publish_poison
from tests.chaos.private_servers import private_servers
from tests.chaos.scene import SMALL_COUNTS, Scene, running_scene

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with running_scene(tmp_path_factory.mktemp("cluster"), SMALL_COUNTS) as scene:
        yield scene


def test_kill_9_of_processes_and_servers(scene: Scene) -> None:
    plan = Plan(videos=4, kills=6, pause_seconds=(0.5, 1.5), each_server_once=True)
    report = kill_during_batch(scene.cluster, scene.servers.all, plan)
    assert report.is_clean, f"\n{report}"
    assert all(f"{server.name} " in report.headline[1] for server in scene.servers.all), "each server was killed"


def test_cut_connections_a_broker_that_stands_still_and_messages_that_nobody_can_handle(scene: Scene) -> None:
    publish_poison(scene.servers.rabbitmq.url)
    report = faults_during_batch(
        scene, ["cuts", "broker-paused"], videos=4, seconds=5, afterwards=lambda: look_after_poison(scene)
    )
    assert report.is_clean, f"\n{report}"
    assert not report.unasked_exits, "nothing was killed"


def look_after_poison(scene: Scene) -> None:
    """Each message is among the dead letters, with its reason, and an administrator gets rid of them."""
    with scene.cluster.client(60) as http:
        letters = dead_letters(http, len(POISON))
        for said, times in Counter(said for _, _, said in POISON.values()).items():
            assert sum(said in letter["reason"] for letter in letters) == times, letters
        again = next(letter for letter in letters if "unknown message type" in letter["reason"])
        assert again["envelope"]["type"] == "video.dubbed"
        http.post(f"/dead-letters/{again['id']}/resend").raise_for_status()
        assert {letter["id"] for letter in dead_letters(http, len(POISON))} == {letter["id"] for letter in letters}
        for letter in letters:
            http.delete(f"/dead-letters/{letter['id']}").raise_for_status()
        assert dead_letters(http, 0) == []


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_200_videos_and_200_kills(tmp_path: Path) -> None:
    with private_servers() as servers:
        report = run_campaign(tmp_path / "cluster", servers.addresses, servers.all, Plan(videos=200, kills=200))
    assert report.is_clean, f"\n{report}"
