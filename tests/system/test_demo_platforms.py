"""`video-manager demo --platforms`: the whole system with every platform faked, and a video that reaches them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.servers.processes import free_port
from tests.system.conftest import PASSWORD, START_SECONDS

from video_manager.cli.demo_platforms import channels_without_sign_in
from video_manager.fakes import mastodon
from video_manager.plugins.publishers import PUBLISHERS

LAST_LINE = "Connect these under Channels"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """Its log and its port; the fakes have the next one."""
    log, port = tmp_path / "log", _two_ports()
    left = tmp_path / "data-demo" / "server.json"  # as a demo that was killed leaves it
    left.parent.mkdir()
    left.write_text('{"url": "http://127.0.0.1:9", "pid": 1}')
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VIDEO_MANAGER_")} | {
        "VIDEO_MANAGER_DATA_DIR": str(tmp_path / "data"), "VIDEO_MANAGER_PORT": str(port),
        "VIDEO_MANAGER_ADMIN_PASSWORD": PASSWORD, "VIDEO_MANAGER_SAMPLE_VIDEO": "false",
    }  # fmt: skip
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "video_manager", "demo", "--platforms"],
            env=environment,
            stdout=written,
            stderr=written,
        )
    yield log, port
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(START_SECONDS) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def _two_ports() -> int:
    while True:
        port = free_port()
        try:
            with httpx.Client() as client:
                client.get(f"http://127.0.0.1:{port + 1}", timeout=1)
        except httpx.ConnectError:
            return port


def test_every_platform_can_be_tried_without_an_account(demo: tuple[Path, int], tmp_path: Path) -> None:
    log, port = demo
    deadline = time.monotonic() + START_SECONDS
    while LAST_LINE not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    token = (tmp_path / "data-demo" / "cli-token").read_text().strip()
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=60
    ) as api:
        channels = api.get("channels", params={"limit": 100}).json()["items"]
        connected = {channel["platform"] for channel in channels if channel["account_name"]}
        assert {one["platform"] for one in channels_without_sign_in()} <= connected
        for publisher in PUBLISHERS:
            if publisher.oauth is None:
                continue
            app = api.get(f"platforms/{publisher.name}/app").json()
            assert app["automatic"] or app["client_id"] == "demo-client", app
            options = {"server": f"https://{mastodon.HOST}"} if publisher.registers_apps else {}
            made = api.post(f"platforms/{publisher.name}/connections", json={"options": options})
            assert made.status_code == 201, made.text
            page = httpx.get(made.json()["authorize_url"])
            assert "Allow as" in page.text, page.text
    assert not (tmp_path / "data").exists()
    assert "Nothing has been posted yet" in httpx.get(f"http://127.0.0.1:{port + 1}/").text
    report = httpx.get(f"http://127.0.0.1:{port + 1}/youtubeanalytics.googleapis.com/v2/reports")
    assert report.json()["error"]["errors"][0]["reason"] == "authError"
