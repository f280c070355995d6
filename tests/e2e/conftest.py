"""The real system in a process of its own, and a real browser in front of it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    folder = tmp_path_factory.mktemp("system")
    port, log = _free_port(), folder / "log.txt"
    settings = {
        "DATA_DIR": str(folder / "data"), "PORT": str(port), "ADMIN_PASSWORD": PASSWORD, "SAMPLE_VIDEO": "false",
        "COLLECT_SECONDS": "2",
    }  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VIDEO_MANAGER_")}
    environment |= {f"VIDEO_MANAGER_{name}": value for name, value in settings.items()}
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
            if httpx.get(f"{url}/health/ready", timeout=5).status_code == 200:
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
    context.set_default_timeout(20_000)
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
