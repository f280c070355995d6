"""Somebody connects a channel at a platform, refuses first, loses the access and signs in again; also from the command
line."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.e2e.conftest import DESKTOP, RunningSystem, collect_faults, laptop, open_context, sign_in
from tests.fakes import desk_publisher
from tests.fakes.desk_platform import DeskFake

from video_manager.fakes import mastodon
from video_manager.fakes.desk import Desk
from video_manager.fakes.network import FakeNetwork
from video_manager.fakes.serving import served

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

NOTICED_MILLISECONDS = 120_000
"""The keeper of tokens looks now and then."""


class Scene(NamedTuple):
    system: RunningSystem
    desk: Desk


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("connecting")
    plugins = folder / "plugins"
    plugins.mkdir()
    shutil.copy(desk_publisher.__file__, plugins)
    network = FakeNetwork([DeskFake, mastodon.MastodonFake])
    fake = network.fakes["deskgram"]
    assert isinstance(fake, DeskFake)
    with (
        served(network) as gateway,
        laptop(folder, platform_gateway=gateway, plugin_folder=str(plugins)) as system,
    ):
        yield Scene(system, fake.desk)


def test_connecting_and_connecting_again(
    scene: Scene, browser: Browser, pictures: Path, faults: list[str]
) -> None:  # fmt: skip
    page = open_context(browser, DESKTOP).new_page()
    collect_faults(page, faults)
    sign_in(page, scene.system)
    page.goto(f"{scene.system.url}/channels")
    refuse(page, pictures)
    connect(page, pictures)
    scene.desk.access_seconds = 5.0
    lose_access(page, scene)
    scene.desk.access_seconds = 3600.0
    reconnect(page)
    from_the_command_line(page, scene)
    # The fake platforms have no icon for the browser's tab.
    assert [fault for fault in faults if "502" not in fault] == []


def test_a_mastodon_server_is_signed_in_at_by_its_name(
    scene: Scene, browser: Browser, pictures: Path, faults: list[str]
) -> None:  # fmt: skip
    """Wrong at first; an access token is the other way, and connects without leaving the page."""
    page = open_context(browser, DESKTOP).new_page()
    collect_faults(page, faults)
    sign_in(page, scene.system)
    page.goto(f"{scene.system.url}/channels")
    dialog = new_mastodon(page)
    dialog.get_by_label("Server").fill("@me@mastodon.example")
    dialog.get_by_role("button", name="Sign in at Mastodon").click()
    expect(dialog.get_by_text("Must be the address of a server")).to_be_visible()
    dialog.get_by_label("Server").fill(mastodon.HOST)
    dialog.get_by_role("button", name="Sign in at Mastodon").click()
    page.locator(f"#allow-{mastodon.ACCOUNT}").click()
    choice = page.get_by_role("dialog", name="Mastodon: your account")
    expect(choice.get_by_text(f"@demo@{mastodon.HOST}")).to_be_visible()
    choice.get_by_label("Name", exact=True).fill("Signed in")
    choice.get_by_role("button", name="Save the channel").click()
    made = page.locator("article").filter(has_text="Signed in")
    expect(made.get_by_text("Active")).to_be_visible()
    made.get_by_role("button", name="Edit").click()
    edit = page.get_by_role("dialog", name="Edit Signed in")
    expect(edit.get_by_label("Server")).to_have_value(f"https://{mastodon.HOST}")
    expect(edit.get_by_label("Access token", exact=True)).to_have_count(0)
    edit.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The channel works.")).to_be_visible()
    dialog = new_mastodon(page)
    dialog.get_by_label("Name", exact=True).fill("By a token")
    dialog.get_by_label("Server").fill(f"https://{mastodon.HOST}")
    dialog.get_by_text("Without signing in: an access token").click()
    dialog.get_by_label("Access token", exact=True).fill(mastodon.TOKEN)
    page.screenshot(path=pictures / "mastodon-token.png")
    dialog.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("article").filter(has_text="By a token").get_by_text("Active")).to_be_visible()
    assert [fault for fault in faults if "502" not in fault] == []


def new_mastodon(page: Page) -> Locator:
    page.get_by_role("button", name="Add a channel").click()
    page.locator(".vm-option").filter(has_text="Mastodon").click()
    return page.get_by_role("dialog", name="New channel: Mastodon")


def card(page: Page) -> Locator:
    return page.locator("article").filter(has_text="Deskgram of Ada")


def refuse(page: Page, pictures: Path) -> None:
    """The first time with the operator's app; then the person denies."""
    page.get_by_role("button", name="Add a channel").click()
    page.locator(".vm-option").filter(has_text="Deskgram").click()
    dialog = page.get_by_role("dialog", name="New channel: Deskgram")
    expect(dialog.get_by_label("Redirect address to register, exactly so")).to_have_value(
        re.compile(r"/oauth/deskgram/callback$")
    )
    dialog.get_by_role("button", name="Sign in at Deskgram").click()
    expect(dialog.get_by_text("should have at least 1 character").first).to_be_visible()
    dialog.get_by_label("Client id").fill("demo-client")
    dialog.get_by_label("Client secret").fill("demo-secret")
    page.screenshot(path=pictures / "sign-in-dialog.png")
    dialog.get_by_role("button", name="Sign in at Deskgram").click()
    page.locator("#deny").click()
    failed = page.get_by_role("dialog", name="Deskgram: your account")
    expect(failed.get_by_text("Access was not granted at Deskgram")).to_be_visible()
    failed.get_by_role("button", name="Try again").click()


def connect(page: Page, pictures: Path) -> None:
    dialog = page.get_by_role("dialog", name="New channel: Deskgram")
    dialog.get_by_label("Name", exact=True).fill("Deskgram of Ada")
    dialog.get_by_role("button", name="Sign in at Deskgram").click()
    page.locator("#allow-ada").click()
    choice = page.get_by_role("dialog", name="Deskgram: your account")
    expect(choice.get_by_text("Ada's channel")).to_be_visible()
    expect(choice.get_by_label("Name", exact=True)).to_have_value("Deskgram of Ada")
    page.screenshot(path=pictures / "choose-account.png")
    choice.get_by_role("button", name="Save the channel").click()
    expect(card(page).get_by_text("Active")).to_be_visible()
    assert page.url.endswith("/channels")


def lose_access(page: Page, scene: Scene) -> None:
    """The account takes back what it agreed to. A token that ends soon lets that be noticed soon."""
    card(page).get_by_role("button", name="Sign in again").click()
    page.get_by_role("button", name="Sign in at Deskgram").click()
    page.locator("#allow-ada").click()
    page.get_by_role("button", name="Connect again").click()
    expect(page.get_by_text("The channel is connected.")).to_be_visible()
    scene.desk.revoke("ada")
    expect(card(page).get_by_text("Paused")).to_be_visible(timeout=NOTICED_MILLISECONDS)
    expect(card(page).get_by_text("connect the channel again")).to_be_visible()


def reconnect(page: Page) -> None:
    """Another account is refused; the same one goes on."""
    card(page).get_by_role("button", name="Reconnect").click()
    page.get_by_role("button", name="Sign in at Deskgram").click()
    page.locator("#allow-bob").click()
    failed = page.get_by_role("dialog", name="Deskgram: your account")
    expect(failed.get_by_text("You signed in as Bob's channel, but this channel is Ada's channel")).to_be_visible()
    failed.get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="Sign in at Deskgram").click()
    page.locator("#allow-ada").click()
    page.get_by_role("button", name="Connect again").click()
    expect(card(page).get_by_text("Active")).to_be_visible()


def from_the_command_line(page: Page, scene: Scene) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VIDEO_MANAGER_")}
    environment["VIDEO_MANAGER_DATA_DIR"] = str(scene.system.data_dir)
    command = [sys.executable, "-m", "video_manager", "channels", "connect", "deskgram", "Bob", "--account", "bob"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        assert process.stdout is not None
        page.goto(process.stdout.readline().strip())
        page.locator("#allow-bob").click()
        expect(page.get_by_text("Go back to the command line")).to_be_visible()
        rest, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert re.fullmatch(r"[0-9a-f]{32}", rest.strip())
    assert "Deprecat" not in said
    page.goto(f"{scene.system.url}/channels")
    expect(page.locator("article").filter(has_text="Bob's channel")).to_be_visible()
