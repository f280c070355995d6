"""The real system in a process of its own, and a real browser in front of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright
from tests.no_tls import NO_TLS
from tests.servers.processes import free_port
from tests.system.cluster import RunningCluster, empty_servers

CHROMIUM = Path("/usr/bin/chromium")
PASSWORD = "a-password-for-tests-7"
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
ZONE = "Europe/Berlin"


@dataclass(frozen=True)
class RunningSystem:
    url: str
    data_dir: Path
    log: Path


@pytest.fixture(scope="module")
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """The laptop profile; a test that is parametrised with `system` may ask for the cluster."""
    folder = tmp_path_factory.mktemp("system")
    running = laptop if getattr(request, "param", "laptop") == "laptop" else _cluster
    with running(folder) as system:
        yield system


_SETTINGS = {"admin_password": PASSWORD, "collect_seconds": "2"}


@contextmanager
def _cluster(folder: Path) -> Iterator[RunningSystem]:
    """Every service a process; people are at the studio's."""
    with empty_servers() as servers:
        cluster = RunningCluster(folder, servers, {"gateway": 0}, **_SETTINGS)
        cluster.start()
        try:
            cluster.wait_ready()
            yield RunningSystem(cluster.url, cluster.data_dir, cluster.of("studio")[0].log_path)
        finally:
            codes = cluster.stop()
    assert set(codes.values()) == {0}, codes
    assert "Traceback" not in cluster.logs(), f"a service logged a surprise: {cluster.logs()[-4000:]}"


@contextmanager
def laptop(folder: Path, **more: str) -> Iterator[RunningSystem]:
    """With further settings."""
    port, log = free_port(), folder / "log.txt"
    settings = {"data_dir": str(folder / "data"), "port": str(port), "sample_video": "false", **_SETTINGS, **more}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VIDEO_MANAGER_")}
    environment |= {f"VIDEO_MANAGER_{name.upper()}": value for name, value in settings.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "video_manager", "up"], env=environment, stdout=output, stderr=output
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process, log)
        yield RunningSystem(url, folder / "data", log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert "Traceback" not in log.read_text(), f"the system logged a surprise: {log.read_text()[-4000:]}"


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the system ended: {log.read_text()[-4000:]}"
        try:
            if httpx.get(f"{url}/health/ready", timeout=5, verify=NO_TLS).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"the system was not ready within a minute: {log.read_text()[-4000:]}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Only as long as the module: Playwright keeps an event loop running, and no other test could run its own."""
    if not CHROMIUM.exists():
        pytest.skip("needs Chromium at /usr/bin/chromium")
    with sync_playwright() as playwright:
        arguments = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--autoplay-policy=no-user-gesture-required",
        ]
        expect.set_options(timeout=30_000)  # Playwright's own 5 s would let a busy machine decide
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the screenshots go: VIDEO_MANAGER_TEST_ARTIFACTS, or a temporary folder."""
    named = os.environ.get("VIDEO_MANAGER_TEST_ARTIFACTS")
    folder = Path(named) if named else tmp_path_factory.getbasetemp() / "artifacts"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def open_context(browser: Browser, viewport: ViewportSize, *, dark: bool = False) -> BrowserContext:
    context = browser.new_context(
        viewport=viewport, timezone_id=ZONE, locale="en-GB", color_scheme="dark" if dark else "light"
    )
    context.set_default_timeout(30_000)
    return context


def sign_in(page: Page, system: RunningSystem, name: str = "admin", password: str = PASSWORD) -> None:
    page.goto(f"{system.url}/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("main.vm-main")


@pytest.fixture
def faults() -> list[str]:
    """What the browser complained about; a test asserts at its end that it is empty."""
    return []


def collect_faults(page: Page, faults: list[str]) -> None:
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("response", lambda answer: faults.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None)
