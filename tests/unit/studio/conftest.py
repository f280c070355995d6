"""The real application with all its pages over a temporary folder, and simulated visitors without a browser."""

import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from nicegui import Client, ui
from nicegui.functions.download import download
from nicegui.functions.navigate import Navigate
from nicegui.functions.notify import notify
from nicegui.testing import User
from nicegui.testing.general import nicegui_reset_globals
from pydantic import SecretStr

from video_manager.bootstrap.adapters import opened
from video_manager.bootstrap.application import build_application
from video_manager.bootstrap.system import System
from video_manager.domain.access import SYSTEM, Actor, Role
from video_manager.manager.requests import VideosRequest
from video_manager.manager.views import VideoView
from video_manager.settings import Settings
from video_manager.web import random_ids

PASSWORD = "a-password-for-tests-7"


class Visitor(User):
    """Looks for ten seconds: on a busy machine a page takes its time. It is a bound, not a claim."""

    async def should_see(self, *what: Any, retries: int = 100, **more: Any) -> None:  # type: ignore[override]
        await super().should_see(*what, retries=retries, **more)


@dataclass
class Studio:
    """The system without workers: what is requested stays requested, so pages stand still."""

    system: System
    app: FastAPI
    admin: Actor
    stack: AsyncExitStack

    async def request(self, title: str, text: str = "A short text to read aloud.") -> VideoView:
        body = VideosRequest.model_validate({"generator": "story", "title": title, "options": {"text": text}})
        return (await self.system.videos.request(self.admin, body, random_ids))[0]

    async def visitor(self, name: str = "admin") -> User:
        """Somebody who is signed in."""
        origin = self.system.settings.base_url
        client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=origin)
        await self.stack.enter_async_context(client)
        form = await client.get("/login")
        csrf = re.search(r'name="csrf" value="([^"]+)"', form.text)
        assert csrf is not None
        fields = {"csrf": csrf[1], "name": name, "password": PASSWORD}
        answer = await client.post("/login", data=fields, headers={"Origin": origin})
        assert answer.status_code == 303, answer.text
        return Visitor(client)

    async def add_person(self, name: str, role: Role) -> str:
        made = await self.system.access.users.create(SYSTEM, random_ids(), name, PASSWORD, role)
        return made.value.id


@pytest.fixture
def clean_nicegui() -> Iterator[None]:
    """NiceGUI keeps its pages and clients in module globals."""
    with nicegui_reset_globals():
        os.environ["NICEGUI_USER_SIMULATION"] = "true"
        try:
            yield
        finally:
            os.environ.pop("NICEGUI_USER_SIMULATION", None)
            ui.navigate, ui.notify, ui.download = Navigate(), notify, download
            # Else the modules of the pages, and with them all of ours, would be thrown out of sys.modules.
            Client.page_routes.clear()


@pytest.fixture
async def studio(settings: Settings, clean_nicegui: None) -> AsyncIterator[Studio]:
    settings = settings.model_copy(update={"admin_password": SecretStr(PASSWORD)})
    async with AsyncExitStack() as stack:
        adapters = await stack.enter_async_context(opened(settings))
        system = await System.build(settings, adapters)
        app = build_application(system, workers=False)
        await stack.enter_async_context(app.router.lifespan_context(app))
        admin = await system.access.users.by_name("admin")
        assert admin is not None
        yield Studio(system, app, Actor(id=admin.id, name="admin", role=Role.ADMIN), stack)
        for client in list(Client.instances.values()):
            client.delete()  # the visitors leave: an open dialog keeps its page, and by it the whole application
