"""Usage, exit codes, and that help is quick."""

import json
import subprocess
import sys
import time

import pytest
from tests.unit.cli.conftest import Cli

from video_manager.cli.plugins import state_of


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["make"],
        ["make", "story", "--count", "0"],
        ["make", "story", "--option", "text"],
        ["make", "story", "--text", "a", "--text-file", "-"],
        ["make", "story", "--text-file", "/nowhere/article.txt"],
        ["review", "abc", "maybe"],
        ["review", "abc", "approve", "--at", "tomorrow"],
        ["keys", "create", "--role", "king", "--name", "x"],
        ["run", "nothing"],
        ["channels", "add", "folder", "Archive", "-o", "path"],
    ],
)
def test_wrong_usage_is_told_and_exits_2(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.code == 2
    assert "Error: " in done.err
    assert done.out == ""


def test_wrong_settings_exit_4(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEO_MANAGER_PORT", "many")
    done = cli("videos", "list")
    assert done.code == 4
    assert "VIDEO_MANAGER_PORT" in done.err
    assert "many" in done.err


def test_one_service_alone_needs_the_cluster_profile(cli: Cli) -> None:
    done = cli("run", "manager")
    assert done.code == 4
    assert "VIDEO_MANAGER_PROFILE=cluster" in done.err


def test_the_messages_are_described_without_a_system(cli: Cli) -> None:
    done = cli("asyncapi")
    assert done.code == 0
    described = json.loads(done.out)
    assert described["asyncapi"] == "3.0.0"
    assert "servers" not in described


@pytest.mark.parametrize(
    ("generator", "state"),
    [
        ({"external": False}, "installed"),
        ({}, "installed"),
        ({"external": True, "offline": False, "last_seen_at": "2026-11-22T12:00:00Z"}, "own worker, ready"),
        ({"external": True, "offline": True, "last_seen_at": None}, "own worker, not there yet"),
        ({"external": True, "offline": True, "last_seen_at": "2026-11-22T12:00:00Z"}, "own worker, away since 2026"),
    ],
)
def test_plugins_say_whether_their_worker_is_there(generator: dict[str, object], state: str) -> None:
    assert state_of(generator).startswith(state)


def test_a_plugin_of_ours_cannot_be_removed(cli: Cli) -> None:
    done = cli("plugins", "remove", "story")
    assert done.code == 2
    assert "there is no external generator 'story'" in done.err


def test_version(cli: Cli) -> None:
    assert cli("--version").out == "video-manager 0.1.0\n"


def test_help_loads_nothing_heavy_and_is_quick() -> None:
    heavy = (
        "httpx", "pydantic", "nicegui", "fastapi", "sqlalchemy", "numpy", "rich", "asyncio", "video_manager.settings",
    )  # fmt: skip
    probe = f"""
import atexit, sys
atexit.register(lambda: print([name for name in {heavy} if name in sys.modules], file=sys.stderr))
sys.argv = ["video-manager", "--help"]
from video_manager.cli import main
main()
"""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - started)
        assert done.stderr == "[]\n"
        assert "make" in done.stdout
    assert min(seconds) < 1.0, "0.3 s on an idle machine; this is a shared one"
