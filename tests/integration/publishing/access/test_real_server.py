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
from tests.integration.publishing.access.web import APP, Web, web_of
from tests.integration.publishing.conftest import World, open_world
from tests.servers.oauth_server import OAuthServer
from tests.services import private_server

from video_manager.plugins.api import Account, OAuth, PublisherContext
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
    async with open_world(tmp_path, plugins=[StandardPublisher], allow_private=True) as opened:
        yield opened


async def come_back(web: Web, begun: dict[str, str]) -> None:
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(begun["authorize_url"])
    assert answer.status_code == 302, answer.text
    back = httpx.URL(answer.headers["location"])
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
