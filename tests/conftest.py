"""What every test gets: no connections to elsewhere, no unexpected ERROR logs, its own data folder."""

import functools
import gc
import logging
import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tests.servers import processes
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from video_manager.settings import PREFIX, Settings

pytest_plugins = ("tests.services",)

# Until all tests are collected: nearly all that is made until then stays, so looking for garbage is lost work.
gc.disable()

# ---- nothing leaves this machine ----------------------------------------------------------------------


class OutsideConnection(RuntimeError):
    """A test tried to reach another machine."""


def _refuse_outside(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        return
    host = arguments[0] if event == "socket.getaddrinfo" else arguments[1][0]
    if event != "socket.getaddrinfo" and not isinstance(arguments[1], tuple):
        return  # a Unix socket
    name = host.decode() if isinstance(host, bytes) else host
    if name is None or name in ("", "localhost") or name.endswith(".localhost"):
        return
    try:
        inside = ip_address(name.partition("%")[0]).is_loopback or name in ("0.0.0.0", "::")  # noqa: S104
        inside = inside or event == "socket.getaddrinfo"  # an address needs no looking up
    except ValueError:
        inside = name in (socket.gethostname(), "testserver") or name.endswith(".invalid")
    if not inside:
        raise OutsideConnection(f"a test tried to reach {name}: tests use only this machine's loopback")


sys.addaudithook(_refuse_outside)


# ---- an unexpected ERROR in the log fails the test ----------------------------------------------------


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = f"{record.name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[1] is not None:
            text += f" ({record.exc_info[1]!r})"
        self.messages.append(text)


@pytest.fixture(autouse=True)
def error_log(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """The ERROR lines logged so far. `@pytest.mark.logs_errors(pattern)` says that lines matching the pattern must
    occur; any other ERROR line fails the test."""
    collected = _Errors()
    root = logging.getLogger()
    root.addHandler(collected)
    yield collected.messages
    root.removeHandler(collected)
    marks = list(request.node.iter_markers("logs_errors"))
    patterns = [mark.args[0] if mark.args else "." for mark in marks]
    unexpected = [line for line in collected.messages if not any(re.search(pattern, line) for pattern in patterns)]
    if unexpected:
        pytest.fail("unexpected ERROR in the log:\n  " + "\n  ".join(unexpected), pytrace=False)
    missing = [pattern for pattern in patterns if not any(re.search(pattern, line) for line in collected.messages)]
    if missing:
        pytest.fail(f"expected an ERROR in the log that matches {' and '.join(missing)}", pytrace=False)


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """What a test configures ends with it: its handler writes to a stream that pytest closes."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [one for one in root.handlers if one not in handlers]:
        root.removeHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture(autouse=True)
def _applications_end_with_their_test() -> Iterator[None]:
    """FastAPI keeps the functions of all routes it ever saw, and by them whole systems: the collector would go through
    more with each test."""
    yield
    kept = sys.modules.get("fastapi.dependencies.models")
    for value in [] if kept is None else vars(kept).values():
        if isinstance(value, functools._lru_cache_wrapper):
            value.cache_clear()


# ---- settings and folders -----------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own VIDEO_MANAGER_* variables do not reach the tests."""
    for name in list(os.environ):
        if name.startswith(PREFIX) and "_TEST_" not in name:
            monkeypatch.delenv(name)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def free_port() -> int:
    """A port that was free a moment ago."""
    return processes.free_port()


@pytest.fixture
def settings(data_dir: Path, free_port: int) -> Settings:
    """The laptop profile in a folder and on a port of this test alone, without the sample video."""
    return Settings(data_dir=data_dir, port=free_port, sample_video=False)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium. ./test installs one where it may; without one the test is skipped, loudly."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("no Chromium: sudo apt-get install chromium")


# ---- the last words -----------------------------------------------------------------------------------


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Nothing skipped and no failed linter goes unseen: both are said right before pytest's own last line."""
    skipped = len(terminalreporter.stats.get("skipped", []))
    if skipped:
        terminalreporter.section("not everything ran", sep="!", red=True, bold=True)
        terminalreporter.write_line(f"{skipped} skipped; the reasons are above, each as SKIPPED", red=True)
    failed = os.environ.get("VIDEO_MANAGER_TEST_FAILED_CHECKS", "").strip()
    if failed:
        terminalreporter.section("failed before the tests", sep="!", red=True, bold=True)
        terminalreporter.write_line(f"{failed}: see the top of this output; ./test fails", red=True)


# ---- order ---------------------------------------------------------------------------------------------


_LONGEST = (
    "chaos/test_campaign.py", "e2e/test_loop.py", "e2e/test_sent_in.py", "system/test_publishing_api.py",
    "system/test_api.py", "integration/cluster/test_rabbitmq_outage.py", "e2e/test_connecting.py",
    "platforms/test_once.py", "integration/workers/test_generation.py", "system/test_killing.py",
)  # fmt: skip
_LONGEST_OF_ALL = (
    "platforms/test_once.py", "chaos/test_faults.py", "chaos/test_campaign.py", "platforms/test_hand_over.py",
    "system/test_killing.py", "integration/publishing/test_a_year_of_zones.py", *_LONGEST,
)  # fmt: skip
"""With the `long` ones."""
_LONG = ("system", "e2e", "integration/cluster", "integration/replicas")
_BY_PROFILE = re.compile(r"(?P<file>.*platforms/test_once\.py)::\w+\[(?P<profile>laptop|cluster)\b")
"""Hundreds of tests on each profile that share nothing."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest files first, so that both cores end together."""
    longest = _LONGEST if config.option.markexpr == "not long" else _LONGEST_OF_ALL

    def place(item: pytest.Item) -> int:
        path = _path(item)
        if path in longest:
            return longest.index(path)
        return len(longest) if path.startswith(_LONG) else len(longest) + 1

    items.sort(key=place)


class _ByFileAndProfile(LoadFileScheduling):  # type: ignore[misc]  # which is Any to mypy
    """Tests of one file stay together (`--dist loadfile`), because some share a running system."""

    def _split_scope(self, nodeid: str) -> str:
        found = _BY_PROFILE.search(nodeid)
        return f"{found['file']} {found['profile']}" if found else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return _ByFileAndProfile(config, log) if config.getoption("dist") == "loadfile" else None


def _path(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).as_posix()


def pytest_collection_finish() -> None:
    """What is imported stays: the collector need not go through all of it again, each time."""
    gc.collect()
    gc.freeze()
    gc.enable()
