"""The flow against a real OAuth 2 server: what Authlib sends is what a server of the standard takes."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import httpx
import pytest
from tests.fakes.desk_publisher import DeskOptions, DeskPublisher
from tests.integration.publishing.access.access_world import vault_of
from tests.integration.publishing.access.web import APP, BASE, Web, web_of
from tests.integration.publishing.conftest import World, open_world
from tests.servers.oauth_server import OAuthServer
from tests.services import private_server

from video_manager.plugins.api import Account, OAuth, OAuthApp, PublisherContext
from video_manager.plugins.platform_http import Api


@pytest.fixture(scope="module")
def server() -> Iterator[OAuthServer]:
    with private_server(OAuthServer) as running:
        yield running


class StandardPublisher(DeskPublisher):
    """Where it is, is said by the test."""

    oauth: ClassVar[OAuth | None] = None
    issuer: ClassVar[str] = ""

    async def accounts(self, options: DeskOptions, context: PublisherContext) -> tuple[Account, ...]:
        person = await Api(context, self.title).json("GET", f"{self.issuer}/userinfo")
        return (Account(name=person["sub"], id=person["sub"]),)


class ServedOptions(DeskOptions):
    server: str


class Served:
    """A SignInServer: what the real server says of itself. It knows every app, and registers none."""

    def __init__(self, way: OAuth, server: str, http: httpx.AsyncClient) -> None:
        self._way, self._server, self._http = way, server, http

    async def described(self) -> OAuth:
        said = (await self._http.get(f"{self._server}/.well-known/openid-configuration")).json()
        assert httpx.URL(said["token_endpoint"]).path == httpx.URL(self._way.token_url).path
        pkce = "S256" in said["code_challenge_methods_supported"]
        return replace(self._way, pkce=pkce, issuer=said["issuer"], names_issuer=True)

    async def register(self, redirect_url: str) -> OAuthApp:
        return OAuthApp(f"registered for {redirect_url}", "a-secret")

    async def knows(self, app: OAuthApp) -> bool:
        return app.client_secret == "a-secret"


class ServedPublisher(StandardPublisher):
    """Of a server that the options name."""

    name: ClassVar[str] = "served"
    Options: ClassVar[type[DeskOptions]] = ServedOptions
    registers_apps: ClassVar[bool] = True

    def oauth_at(self, options: DeskOptions) -> OAuth | None:
        server = getattr(options, "server", "")
        return self.oauth and replace(
            self.oauth, authorize_url=f"{server}/authorize", token_url=f"{server}/token", pkce=False
        )  # fmt: skip

    def sign_in_server(self, options: DeskOptions, context: PublisherContext) -> Served:
        way = self.oauth_at(options)
        assert way is not None
        return Served(way, getattr(options, "server", ""), context.http)


@pytest.fixture
async def world(tmp_path: Path, server: OAuthServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    assert DeskPublisher.oauth is not None
    # This server grants the scope "dummy", whatever is asked for.
    oauth = replace(
        DeskPublisher.oauth, authorize_url=f"{server.url}/authorize", token_url=f"{server.url}/token",
        needed=("dummy",), authorize_parameters={},
    )  # fmt: skip
    monkeypatch.setattr(StandardPublisher, "oauth", oauth)
    monkeypatch.setattr(StandardPublisher, "issuer", server.url)
    async with open_world(tmp_path, plugins=[StandardPublisher, ServedPublisher], allow_private=True) as opened:
        yield opened


async def come_back(web: Web, begun: dict[str, str], **more: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(begun["authorize_url"])
    assert answer.status_code == 302, answer.text
    back = httpx.URL(answer.headers["location"]).copy_merge_params(more)
    assert (await web.come_back(back.raw_path.decode())).status_code == 303


async def test_a_real_server_takes_the_code_the_verifier_and_the_refresh_token(
    world: World, server: OAuthServer
) -> None:  # fmt: skip
    web = web_of(world)
    assert (await web.http.put("/platforms/deskgram/app", json=APP)).status_code == 200
    begun = await web.begin()
    await come_back(web, begun)
    ready = await web.connection(begun["id"])
    assert (ready["state"], ready["error"], [one["id"] for one in ready["accounts"]]) == ("ready", None, ["johndoe"])
    body = {"platform": "deskgram", "name": "John", "connection": begun["id"]}
    channel = (await web.http.post("/channels", json=body)).json()
    vault = vault_of(world)
    before = (await vault.get(channel["id"])).token
    assert before is not None
    assert before.refresh
    assert before.expires_at is not None
    # Its time has come: the keeper renews it by the standard.
    await vault.change(channel["id"], lambda row: row.with_(renew_at=datetime.now(UTC)))
    await world.publishing.keeper.tick()
    after = (await vault.get(channel["id"])).token
    assert after is not None
    assert after.expires_at is not None
    assert after.expires_at > before.expires_at
    assert [line for line in server.log_lines() if line.endswith(" 200")] == [
        "authorization_code 200", "refresh_token 200",
    ]  # fmt: skip


async def test_a_verifier_that_is_not_ours_is_refused_by_the_server(world: World) -> None:
    web = web_of(world)
    assert (await web.http.put("/platforms/deskgram/app", json=APP)).status_code == 200
    begun = await web.begin()
    vault = vault_of(world)
    held = await vault.get(begun["id"])
    assert held.verifier is not None
    await vault.put(begun["id"], replace(held, verifier="w" * 64), datetime.now(UTC))
    await come_back(web, begun)
    failed = await web.connection(begun["id"])
    assert failed["state"] == "failed"
    assert failed["error"]


async def test_a_server_of_ones_own_choosing_with_an_app_of_its_own(world: World, server: OAuthServer) -> None:
    web = web_of(world, "served")
    options = {"server": server.url}
    lines = len(server.log_lines())
    wrong = await web.begin(options=options)
    await come_back(web, wrong, iss="http://another.invalid")
    assert "begin again" in (await web.connection(wrong["id"]))["error"]
    silent = await web.begin(options=options)
    await come_back(web, silent)
    assert "does not say" in (await web.connection(silent["id"]))["error"]
    assert len(server.log_lines()) == lines, "their codes were not exchanged"
    begun = await web.begin(options=options)
    assert "code_challenge=" in begun["authorize_url"]
    issuer = (await world.publishing.http.get(f"{server.url}/.well-known/openid-configuration")).json()["issuer"]
    await come_back(web, begun, iss=issuer)
    ready = await web.connection(begun["id"])
    assert (ready["state"], ready["error"]) == ("ready", None)
    body = {"platform": "served", "name": "John", "connection": begun["id"]}
    channel = (await web.http.post("/channels", json=body)).json()
    vault = vault_of(world)
    before = await vault.get(channel["id"])
    assert before.app == OAuthApp(f"registered for {BASE}/oauth/served/callback", "a-secret")
    await vault.change(channel["id"], lambda row: row.with_(renew_at=datetime.now(UTC)))
    await world.publishing.keeper.tick()
    after = await vault.get(channel["id"])
    assert before.token is not None
    assert after.token is not None
    assert after.token.refresh != before.token.refresh  # the access token names the second it was made in
    assert after.app == before.app
