"""The whole system with every platform faked on this machine, to try them all without an account."""

import asyncio
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from video_manager.cli.exits import CommandError
from video_manager.cli.output import note, out, warn

if TYPE_CHECKING:
    from video_manager.cli.client import Json
    from video_manager.settings import Settings

_START_SECONDS = 120.0


def serve_demo() -> None:
    """Stays until Ctrl-C. Nothing of it touches the usual data folder, and nothing leaves this machine."""
    from video_manager.bootstrap import serve
    from video_manager.fakes.kinds import FAKES
    from video_manager.fakes.network import FakeNetwork
    from video_manager.fakes.serving import served
    from video_manager.settings import read_settings

    usual = read_settings()
    if not usual.keeps_data:
        raise CommandError("the demo runs in the laptop profile: leave VIDEO_MANAGER_PROFILE out")
    folder = usual.data_dir.with_name(f"{usual.data_dir.name}-demo")
    with ExitStack() as stack:
        try:
            gateway = stack.enter_context(served(FakeNetwork(FAKES), usual.port + 1))
        except OSError as error:
            told = f"the fake platforms cannot listen on port {usual.port + 1}: {error.strerror}"
            raise CommandError(told) from error
        settings = read_settings(data_dir=folder, platform_gateway=gateway)
        threading.Thread(target=_connect_all, args=(settings, gateway), daemon=True, name="demo").start()
        serve(settings)


def channels_without_sign_in() -> "list[Json]":
    """Those that a person connects by a password, a bot's token or an address."""
    from video_manager.fakes import bluesky, discord, mastodon, peertube, telegram

    return [
        {"platform": "bluesky", "options": {"handle": bluesky.HANDLE, "app_password": bluesky.APP_PASSWORD}},
        {"platform": "discord", "options": {"bot_token": discord.BOT_TOKEN, "channel_id": discord.CHANNEL}},
        {"platform": "discord-webhook", "options": {"webhook_url": discord.WEBHOOK_URL}},
        {"platform": "mastodon", "options": {"server": f"https://{mastodon.HOST}", "access_token": mastodon.TOKEN}},
        {
            "platform": "peertube",
            "options": {
                "server": peertube.SERVER, "username": peertube.USERNAME, "password": peertube.PASSWORD,
                "channel": peertube.CHANNEL["name"],
            },
        },
        {"platform": "telegram", "options": {"bot_token": telegram.BOT_TOKEN, "chat": "@demo_channel"}},
    ]  # fmt: skip


def _connect_all(settings: "Settings", gateway: str) -> None:
    try:
        _wait_until_served(settings.base_url)
        asyncio.run(_connect(settings))
    except CommandError as error:
        warn(f"the demo's channels could not be connected: {error}")
        return
    note(f"The fake platforms show what they got at {gateway}/")


def _wait_until_served(url: str) -> None:
    """Until it answers: what a killed demo left in the folder says nothing of this one."""
    import httpx

    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            if httpx.get(f"{url}/health/ready", timeout=5, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass  # not listening yet
        if time.monotonic() > deadline:
            raise CommandError("the system did not start in time")
        time.sleep(0.2)


async def _connect(settings: "Settings") -> None:
    from video_manager.cli.connection import connect
    from video_manager.fakes.desk import CLIENT_ID, CLIENT_SECRET

    async with connect(settings) as api:
        known = {channel["platform"] for channel in await api.items("channels")}
        platforms = (await api.get("platforms"))["items"]
        for platform in platforms:
            if platform["signs_in"] and not (await api.get("platforms", platform["name"], "app"))["automatic"]:
                app = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
                await api.put("platforms", platform["name"], "app", body=app)
        titles = {platform["name"]: platform["title"] for platform in platforms}
        for new in channels_without_sign_in():
            if new["platform"] not in known:
                channel = await api.post("channels", body={"name": f"{titles[new['platform']]} (fake)", **new})
                out.print(f"connected {channel['name']}: {channel['account_name']}", markup=False)
        signing_in = ", ".join(platform["title"] for platform in platforms if platform["signs_in"])
        note(f"Connect these under Channels, as on the real platform: {signing_in}")
