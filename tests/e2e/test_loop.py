"""The whole loop in a real browser: ask for a video, watch it being made, review it, publish it, see its numbers."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.e2e.conftest import DESKTOP, PHONE, RunningSystem, collect_faults, open_context, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800)]

TEXT = "# The lighthouse\n\nEvery evening the keeper climbed the stairs and lit the lamp for the ships."
RENDER_MILLISECONDS = 600_000
WIDE_ICONS = """[...document.querySelectorAll('.q-icon')]
    .filter(icon => icon.scrollWidth > icon.clientWidth + 4)
    .map(icon => icon.textContent)"""


def picture(page: Page, folder: Path, name: str) -> None:
    page.wait_for_timeout(600)  # animations
    page.screenshot(path=folder / f"{name}.png")
    assert page.evaluate(WIDE_ICONS) == [], "the icon font knows no icon of that name, and shows its letters"


def show_on_phone(page: Page, folder: Path, name: str) -> None:
    page.set_viewport_size(PHONE)
    picture(page, folder, f"phone-{name}")
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    page.set_viewport_size(DESKTOP)
    assert overflow <= 0, f"{name} is {overflow} px wider than a phone"


@pytest.mark.parametrize("system", [pytest.param("laptop", marks=pytest.mark.long), "cluster"], indirect=True)
def test_whole_loop(system: RunningSystem, browser: Browser, pictures: Path, faults: list[str]) -> None:
    page = open_context(browser, DESKTOP).new_page()
    collect_faults(page, faults)
    sign_in(page, system)
    expect(page.get_by_text("No videos yet")).to_be_visible()
    picture(page, pictures, "01-empty-board")

    video_id = request_video(page, system, pictures)
    watch_progress(page, system, pictures)
    review_first_version(page, system, video_id, pictures)
    regenerate(page, system, video_id, pictures)
    approve(page, system, video_id, pictures)
    watch_url = see_publication(page, system, video_id, pictures)
    play_on_watch_page(page, watch_url, pictures)
    see_numbers(page, system, pictures)
    assert faults == []


def request_video(page: Page, system: RunningSystem, pictures: Path) -> str:
    page.get_by_role("link", name="Request a video").click()
    page.get_by_role("button", name="Story").first.wait_for()
    # An empty form: the reason stands at its field.
    page.get_by_role("button", name="Request", exact=True).click()
    expect(page.locator(".vm-invalid .vm-wrong").first).to_be_visible()
    picture(page, pictures, "02-request-refused")
    page.get_by_label("Text", exact=True).fill(TEXT)
    # What was typed is still there after a reload.
    page.wait_for_timeout(2000)
    page.reload()
    expect(page.get_by_label("Text", exact=True)).to_have_value(TEXT)
    page.get_by_label("Longest duration").fill("15")
    page.get_by_role("button", name="Watch page").click()
    page.wait_for_timeout(300)
    show_on_phone(page, pictures, "request")
    picture(page, pictures, "03-request")
    page.get_by_role("button", name="Request", exact=True).click()
    page.wait_for_url(re.compile(r"/videos/[0-9a-f]+$"))
    return page.url.rsplit("/", 1)[-1]


def watch_progress(page: Page, system: RunningSystem, pictures: Path) -> None:
    """The bar moves by itself, without a reload."""
    page.goto(f"{system.url}/")
    bar = page.locator(".vm-video-card [role=progressbar]").first
    expect(bar).to_be_visible()
    page.wait_for_function(
        "() => Number(document.querySelector('.vm-video-card [role=progressbar]')?.getAttribute('aria-valuenow')) > 5",
        timeout=RENDER_MILLISECONDS,
    )
    picture(page, pictures, "04-board-working")
    show_on_phone(page, pictures, "board-working")
    card = page.get_by_role("region", name="To review").locator(".vm-video-card")
    expect(card).to_have_count(1, timeout=RENDER_MILLISECONDS)
    picture(page, pictures, "05-board-ready")


def review_first_version(page: Page, system: RunningSystem, video_id: str, pictures: Path) -> None:
    page.goto(f"{system.url}/review")
    picture(page, pictures, "06-queue")
    page.get_by_role("link", name="Start reviewing").click()
    page.wait_for_url(f"**/review/{video_id}")
    page.wait_for_function("() => document.querySelector('.vm-player video')?.readyState >= 2")
    picture(page, pictures, "07-review")
    # Keys are handled in the component: none of many fast ones is lost.
    page.locator(".vm-player").focus()
    for _ in range(20):
        page.keyboard.press(".")
    expect(page.locator(".vm-timecode")).to_contain_text("frame 20")
    page.keyboard.press("c")
    page.wait_for_function("() => document.activeElement?.getAttribute('aria-label') === 'Comment'")
    page.keyboard.type("The keeper should be mentioned later.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".vm-comment")).to_contain_text("mentioned later")
    expect(page.locator(".vm-comment")).to_contain_text("00:00.67")
    expect(page.locator(".vm-pin")).to_have_count(1)
    picture(page, pictures, "08-comment")
    page.get_by_role("tab", name="Checks").click()
    expect(page.get_by_text("Measured")).to_be_visible()
    picture(page, pictures, "09-checks")
    page.get_by_role("tab", name="Details").click()
    title = page.get_by_label("Title", exact=True)
    title.fill("The lighthouse keeper")
    page.get_by_role("button", name="Save now").click()
    expect(page.locator("h1")).to_have_text("The lighthouse keeper")
    expect(page.get_by_role("button", name="Save now")).to_be_hidden()
    page.get_by_role("button", name="Use the current frame").click()
    expect(page.locator(".vm-thumb")).to_have_count(4)
    picture(page, pictures, "10-details")
    show_on_phone(page, pictures, "review")


def regenerate(page: Page, system: RunningSystem, video_id: str, pictures: Path) -> None:
    page.locator(".vm-player").focus()
    page.keyboard.press("g")
    dialog = page.get_by_role("dialog", name="Make another version")
    dialog.get_by_label("Music level").fill("0.2")
    picture(page, pictures, "11-regenerate")
    dialog.get_by_role("button", name="Regenerate").click()
    second = page.get_by_role("button", name="Version 2")
    expect(second).to_be_visible()
    expect(second).to_contain_text("Ready", timeout=RENDER_MILLISECONDS)
    second.click()
    expect(second).to_have_attribute("aria-pressed", "true")  # before that, the first is compared with the second
    page.get_by_role("button", name="Compare").click()
    page.get_by_text("With version 1").click()
    expect(page.locator(".vm-screen")).to_have_count(2)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.vm-player video')].every((one) => one.readyState >= 2)"
    )
    picture(page, pictures, "12-compare")
    page.get_by_role("button", name="End comparison").click()


def approve(page: Page, system: RunningSystem, video_id: str, pictures: Path) -> None:
    page.get_by_role("button", name="Approve", exact=True).click()
    dialog = page.get_by_role("dialog", name="Approve version 2")
    expect(dialog.get_by_role("button", name="Watch page", exact=True)).to_have_attribute("aria-pressed", "true")
    picture(page, pictures, "13-approve")
    dialog.get_by_role("button", name="Approve and publish now").click()
    page.wait_for_url(f"{system.url}/review")
    expect(page.get_by_text("Nothing waits for review")).to_be_visible()


def see_publication(page: Page, system: RunningSystem, video_id: str, pictures: Path) -> str:
    page.goto(f"{system.url}/videos/{video_id}")
    expect(page.get_by_text("Published", exact=True)).to_be_visible(timeout=RENDER_MILLISECONDS)
    picture(page, pictures, "14-details")
    show_on_phone(page, pictures, "details")
    address = page.locator("a[href*='/watch/']").first.get_attribute("href")
    assert address
    page.goto(f"{system.url}/calendar")
    expect(page.locator(".vm-entry")).to_have_count(1)
    picture(page, pictures, "15-calendar")
    show_on_phone(page, pictures, "calendar")
    return address


def play_on_watch_page(page: Page, address: str, pictures: Path) -> None:
    page.goto(address)
    expect(page.get_by_text("The lighthouse keeper").first).to_be_visible()
    page.evaluate("() => { const video = document.querySelector('video'); video.muted = true; return video.play(); }")
    page.wait_for_function("() => document.querySelector('video').currentTime > 4", timeout=RENDER_MILLISECONDS)
    picture(page, pictures, "16-watch")
    page.wait_for_function("() => document.querySelector('video').ended", timeout=RENDER_MILLISECONDS)
    page.wait_for_timeout(1500)


def see_numbers(page: Page, system: RunningSystem, pictures: Path) -> None:
    page.goto(f"{system.url}/analytics")
    row = page.locator(".vm-table tbody tr").first
    expect(row).to_contain_text("The lighthouse keeper")
    expect(row.locator("td").nth(3)).to_have_text("1", timeout=RENDER_MILLISECONDS)
    expect(page.locator(".vm-chart canvas")).to_be_visible()
    picture(page, pictures, "17-analytics")
    show_on_phone(page, pictures, "analytics")
