"""The API and the callback as browsers and programs meet them, and a person at the platform's desk."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.integration.publishing.conftest import RITA, World

from video_manager.domain.access import COMMAND_LINE, Actor, Role
from video_manager.gateway.problems import install_problems
from video_manager.publishing.connection_routes import callback_router, connection_router
from video_manager.publishing.routes import api_router

OTTO = Actor(id="otto", name="Otto", role=Role.ADMIN)
CLI = Actor(id=COMMAND_LINE, name=COMMAND_LINE, role=Role.ADMIN)
ACTORS = {actor.id: actor for actor in (RITA, OTTO, CLI, Actor(id="vic", name="Vic", role=Role.VIEWER))}
BASE = "http://127.0.0.1:8800"
REDIRECT = f"{BASE}/oauth/deskgram/callback"
PLATFORM = "/platforms/deskgram"
APP = {"client_id": "demo-client", "client_secret": "demo-secret"}


class _SignedIn:
    """As the gateway's guard does it; `X-As` says who."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            request.state.actor = ACTORS[request.headers.get("x-as", RITA.id)]
        await self._app(scope, receive, send)


@dataclass
class Web:
    http: httpx.AsyncClient
    platform: str = "deskgram"

    async def begin(self, actor: Actor = RITA, **body: Any) -> dict[str, Any]:
        answer = await self.try_to_begin(actor, **body)
        assert answer.status_code == 201, answer.text
        begun: dict[str, Any] = answer.json()
        return begun

    async def try_to_begin(self, actor: Actor = RITA, **body: Any) -> httpx.Response:
        return await self.http.post(f"/platforms/{self.platform}/connections", json=body, headers=_as(actor))

    async def come_back(self, path: str, actor: Actor = RITA) -> httpx.Response:
        return await self.http.get(path, headers=_as(actor))

    async def connection(self, id: str, actor: Actor = RITA) -> dict[str, Any]:
        answer = await self.http.get(f"/platforms/{self.platform}/connections/{id}", headers=_as(actor))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def signed_in(self, account: str = "ada", actor: Actor = RITA, **body: Any) -> dict[str, Any]:
        """A connection that is ready, or has failed."""
        begun = await self.begin(actor, **body)
        way_back = await decide(begun["authorize_url"], account=account, platform=self.platform)
        await self.come_back(way_back, actor)
        return await self.connection(begun["id"], actor)


def web_of(world: World, platform: str = "deskgram") -> Web:
    app = FastAPI()
    install_problems(app)
    publishing = world.publishing
    app.include_router(api_router(publishing.service, publishing.connecting))
    app.include_router(connection_router(publishing.connecting, publishing.rotation, publishing.scheduler._clock))
    app.include_router(callback_router(publishing.connecting))
    app.add_middleware(_SignedIn)
    return Web(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver"), platform)


async def decide(
    authorize_url: str, decision: str = "allow", account: str = "ada", platform: str = "deskgram"
) -> str:  # fmt: skip
    """What the person does at the platform; the path and query with which the browser comes back."""
    async with httpx.AsyncClient(trust_env=False) as browser:
        page = await browser.get(authorize_url)
        assert page.status_code == 200, page.text
        assert f"allow-{account}" in page.text
        answer = await browser.get(httpx.URL(authorize_url).copy_merge_params({"decide": decision, "account": account}))
    assert answer.status_code == 303
    back = urlsplit(answer.headers["location"])
    assert back._replace(query="").geturl() == f"{BASE}/oauth/{platform}/callback"
    return f"{back.path}?{back.query}"


def _as(actor: Actor) -> dict[str, str]:
    return {"X-As": actor.id}
