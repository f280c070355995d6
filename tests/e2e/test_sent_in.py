"""A video that somebody sends in: uploaded by the browser, rejected and brought back, scheduled, moved, published."""

import re
import subprocess
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from imageio_ffmpeg import get_ffmpeg_exe
from playwright.sync_api import Browser, Page, expect
from tests.e2e.conftest import DESKTOP, RunningSystem, collect_faults, open_context, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800)]

READY_MILLISECONDS = 600_000


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of a moving picture with a tone."""
    path = tmp_path_factory.mktemp("clip") / "harbour.mp4"
    sources = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=720x1280:rate=25:duration=4",
        "-f",
        "lavfi",
        "-i",
        "sine=330:duration=4",
    ]
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest"]
    command = [get_ffmpeg_exe(), "-y", "-loglevel", "error", *sources, *coding, str(path)]
    subprocess.run(command, check=True)
    return path


def test_sent_in_video(system: RunningSystem, browser: Browser, clip: Path, pictures: Path, faults: list[str]) -> None:
    page = open_context(browser, DESKTOP, dark=True).new_page()
    collect_faults(page, faults)
    sign_in(page, system)
    video = send_in(page, system, clip, pictures)
    reject(page, system, video)
    schedule(page, system, video, pictures)
    move_to_now(page, system, pictures)
    expect(page.locator(".vm-entry.vm-is-good")).to_have_count(1, timeout=READY_MILLISECONDS)
    assert faults == []


def send_in(page: Page, system: RunningSystem, clip: Path, pictures: Path) -> str:
    page.goto(f"{system.url}/new")
    page.get_by_role("button", name="Own video").click()
    page.locator("input[type=file]").set_input_files(clip)
    expect(page.locator(".vm-upload-file")).to_contain_text("harbour.mp4")
    expect(page.locator(".vm-upload-file")).to_contain_text("check_circle")
    page.get_by_label("Title", exact=True).fill("The harbour")
    page.get_by_label("Description", exact=True).fill("Ships come and go.")
    page.screenshot(path=pictures / "dark-upload.png")
    page.get_by_role("button", name="Request", exact=True).click()
    page.wait_for_url(re.compile(r"/videos/[0-9a-f]+$"))
    expect(page.get_by_text("In review")).to_be_visible(timeout=READY_MILLISECONDS)
    return page.url.rsplit("/", 1)[-1]


def reject(page: Page, system: RunningSystem, video: str) -> None:
    """A reason is needed; its files are kept, so that another look can still approve it."""
    page.goto(f"{system.url}/review/{video}")
    page.get_by_role("button", name="Reject", exact=True).click()
    dialog = page.get_by_role("dialog", name="Reject version 1")
    dialog.get_by_role("button", name="Reject", exact=True).click()
    expect(dialog.get_by_text("Say why")).to_be_visible()
    dialog.get_by_role("button", name="Sounds wrong").click()
    dialog.get_by_role("button", name="Reject", exact=True).click()
    page.wait_for_url(f"{system.url}/review")
    page.goto(f"{system.url}/videos/{video}")
    expect(page.get_by_text("admin rejected version 1")).to_be_visible()


def schedule(page: Page, system: RunningSystem, video: str, pictures: Path) -> None:
    page.goto(f"{system.url}/review/{video}")
    page.wait_for_function("() => document.querySelector('.vm-player video')?.readyState >= 2")
    page.screenshot(path=pictures / "dark-review.png")
    page.get_by_role("button", name="Approve", exact=True).click()
    dialog = page.get_by_role("dialog", name="Approve version 1")
    dialog.get_by_role("button", name="Published folder").click()
    dialog.get_by_role("button", name="At a time", exact=True).first.click()
    page.screenshot(path=pictures / "dark-approve.png")
    dialog.get_by_role("button", name="Approve and schedule").click()
    page.wait_for_url(re.compile("/review"))


def move_to_now(page: Page, system: RunningSystem, pictures: Path) -> None:
    page.goto(f"{system.url}/calendar")
    entries = page.locator(".vm-entry.vm-is-info")
    if page.evaluate("() => new Date(Date.now() + 86_400_000).getMonth() !== new Date().getMonth()"):
        page.get_by_role("button", name="Later").click()  # 18:00 tomorrow lies in the next month
    expect(entries).to_have_count(2, timeout=20_000)
    page.screenshot(path=pictures / "dark-calendar.png")
    entries.first.click()
    page.get_by_role("button", name="Move").click()
    dialog = page.get_by_role("dialog", name="When should it go out?")
    dialog.get_by_role("button", name="As soon as possible").click()
    dialog.get_by_role("button", name="Move").click()
    page.get_by_role("button", name="Today").click()


@pytest.mark.parametrize(("origin", "status"), [(None, 101), ("https://evil.example", 403)])
def test_pages_of_other_origins_get_no_socket(
    system: RunningSystem, browser: Browser, origin: str | None, status: int
) -> None:
    """A page elsewhere that knows our address must not open our sockets with a person's cookie."""
    context = open_context(browser, DESKTOP)
    sign_in(context.new_page(), system)
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in context.cookies())
    connection = HTTPConnection(urlsplit(system.url).netloc, timeout=20)
    headers = {
        "Origin": origin or system.url, "Cookie": cookies, "Connection": "Upgrade", "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13",
    }  # fmt: skip
    connection.request("GET", "/_nicegui_ws/socket.io/?EIO=4&transport=websocket", headers=headers)
    assert connection.getresponse().status == status
    connection.close()
