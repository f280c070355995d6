"""Signing in at a Mastodon server that a person named: the product's own app there, whatever is lost or raced, and the
account with which the channel then posts."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.integration.publishing.access.access_world import SkippingClock, vault_of
from tests.integration.publishing.access.web import BASE, Web, decide, web_of
from tests.integration.publishing.conftest import RITA, World, open_world

from video_manager.domain.publication import PublicationState
from video_manager.fakes import mastodon as fake
from video_manager.fakes.mastodon_desk import MastodonDesk
from video_manager.fakes.network import FakeNetwork, Fault
from video_manager.fakes.serving import served
from video_manager.plugins.publishers.mastodon_server import SCOPES
from video_manager.publishing.access.apps import server_app_owner
from video_manager.publishing.channels import ChannelEdit

SERVER = f"https://{fake.HOST}"
REDIRECT = f"{BASE}/oauth/mastodon/callback"
OWNER = server_app_owner("mastodon", f"{SERVER}/oauth/token", REDIRECT)
APPS = "POST .*/api/v1/apps$"


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork([fake.MastodonFake])


@pytest.fixture
def server(network: FakeNetwork) -> fake.MastodonFake:
    found = network.fakes["mastodon"]
    assert isinstance(found, fake.MastodonFake)
    return found


@pytest.fixture
def there(server: fake.MastodonFake) -> MastodonDesk:
    return server.sign_in


@pytest.fixture
def gateway(network: FakeNetwork) -> Iterator[str]:
    with served(network) as url:
        yield url


@pytest.fixture
async def world(tmp_path: Path, gateway: str) -> AsyncIterator[World]:
    async with open_world(tmp_path, clock=SkippingClock(), platform_gateway=gateway) as opened:
        yield opened


@pytest.fixture
async def web(world: World) -> AsyncIterator[Web]:
    made = web_of(world, "mastodon")
    yield made
    await made.http.aclose()


async def signed_in(web: Web, **body: Any) -> dict[str, Any]:
    return await web.signed_in(fake.ACCOUNT, **({"options": {"server": SERVER}} | body))


async def connected(web: Web) -> dict[str, Any]:
    ready = await signed_in(web)
    assert ready["state"] == "ready", ready
    body = {"platform": "mastodon", "name": "Ours", "connection": ready["id"]}
    made = await web.http.post("/channels", json=body)
    assert made.status_code == 201, made.text
    channel: dict[str, Any] = made.json()
    return channel


def asked_for(begun: dict[str, Any]) -> dict[str, list[str]]:
    return parse_qs(urlsplit(begun["authorize_url"]).query)


def registrations(network: FakeNetwork) -> int:
    return sum(bool(re.search(APPS, call.text)) for call in network.calls)


# ---- from the address to a post ---------------------------------------------------------------------------------


async def test_an_address_is_enough_to_sign_in_and_to_post(
    world: World, web: Web, server: fake.MastodonFake, network: FakeNetwork
) -> None:
    app = (await web.http.get("/platforms/mastodon/app")).json()
    assert (app["automatic"], app["registered"], app["client_id"]) == (True, True, None)
    begun = await web.begin(options={"server": f"{SERVER}/"}, name="Ours")
    asked = asked_for(begun)
    assert (asked["redirect_uri"], asked["scope"]) == ([REDIRECT], [" ".join(SCOPES)])
    assert (asked["code_challenge_method"], asked["force_login"]) == (["S256"], ["true"])
    await web.come_back(await decide(begun["authorize_url"], account=fake.ACCOUNT, platform="mastodon"))
    ready = await web.connection(begun["id"])
    assert (ready["state"], [one["name"] for one in ready["accounts"]]) == ("ready", [f"@demo@{fake.HOST}"])
    assert not [one for one in await world.publishing.service.channels.all() if one.platform == "mastodon"]
    body = {"platform": "mastodon", "name": "Ours", "connection": begun["id"]}
    channel = (await web.http.post("/channels", json=body)).json()
    assert (channel["account_id"], channel["options"]) == (fake.ACCOUNT, {"server": f"{SERVER}/"})
    kept = await vault_of(world).get(channel["id"])
    assert kept.app is not None
    assert kept.token is not None
    assert (kept.options, kept.token.expires_at, kept.app.client_id) == ({}, None, asked["client_id"][0])
    id = await world.create(await world.command(channel=channel["id"]))
    for _ in range(5):
        await world.run()
    assert (await world.publication(id)).state is PublicationState.PUBLISHED
    assert len(server.posts) == 1
    secrets = {kept.token.access, kept.app.client_secret}
    assert not [one for one in secrets if one in str(ready) + str(channel)]
    assert registrations(network) == 1


async def test_an_older_server_is_signed_in_at_without_pkce(web: Web, there: MastodonDesk) -> None:
    there.old = True
    assert "code_challenge" not in asked_for(await web.begin(options={"server": SERVER}))
    assert (await signed_in(web))["state"] == "ready"


async def test_what_another_server_says_of_itself_is_not_used(web: Web, there: MastodonDesk) -> None:
    there.metadata = {"issuer": "https://other.example/", "authorization_response_iss_parameter_supported": True}
    assert "code_challenge" not in asked_for(await web.begin(options={"server": SERVER}))
    assert (await signed_in(web))["state"] == "ready"


async def test_a_box_that_was_unticked_is_named(web: Web, there: MastodonDesk) -> None:
    there.desk.unticked = frozenset({"write:statuses"})
    failed = await signed_in(web)
    assert (failed["state"], "missing: write:statuses" in failed["error"]) == ("failed", True)


# ---- the app: once, whatever is lost ----------------------------------------------------------------------------


async def test_one_app_serves_everybody_at_a_server(web: Web, network: FakeNetwork, there: MastodonDesk) -> None:
    written = (SERVER, f"{SERVER}/", "https://MASTODON.example", f"{SERVER}:443/", " mastodon.example ")
    ids = [asked_for(await web.begin(options={"server": one}))["client_id"] for one in written]
    assert (len({id for (id,) in ids}), registrations(network), len(there.desk.clients)) == (1, 1, 1)


@pytest.mark.parametrize("kind", ["before", "after"])
async def test_a_lost_answer_of_the_registration_leaves_at_most_an_unused_app(
    web: Web, network: FakeNetwork, there: MastodonDesk, kind: Any
) -> None:
    network.faults.append(Fault(kind, APPS))
    refused = await web.try_to_begin(options={"server": SERVER})
    assert (refused.status_code, "try again later" in refused.json()["detail"]) == (409, True)
    assert (await signed_in(web))["state"] == "ready"
    assert len(there.desk.clients) == {"before": 1, "after": 2}[kind]
    assert (await signed_in(web))["state"] == "ready"
    assert registrations(network) == 2


@pytest.mark.parametrize("kind", [pytest.param("before", marks=pytest.mark.long), "after"])
async def test_whoever_is_killed_while_registering_leaves_at_most_an_unused_app(
    world: World, web: Web, tmp_path: Path, gateway: str, network: FakeNetwork, there: MastodonDesk, kind: Any
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    network.faults.append(Fault(kind, APPS, happens=lambda _call: started[0].send_signal(signal.SIGKILL)))
    started.append(
        subprocess.Popen(  # noqa: ASYNC220 - it is waited for in a thread
            [sys.executable, "-m", "tests.platforms.lone_registrar", str(tmp_path), gateway, SERVER]
        )
    )
    assert await asyncio.to_thread(started[0].wait, 60) == -signal.SIGKILL
    assert (await vault_of(world).get(OWNER)).options == {}
    assert (await signed_in(web))["state"] == "ready"
    assert len(there.desk.clients) == {"before": 1, "after": 2}[kind]
    assert (await vault_of(world).get(OWNER)).options["client_id"] in there.desk.clients


async def test_two_who_register_at_once_use_the_same_pair(
    world: World, tmp_path: Path, gateway: str, there: MastodonDesk
) -> None:
    async with open_world(tmp_path, clock=SkippingClock(), platform_gateway=gateway) as other:
        webs = [web_of(one, "mastodon") for one in (world, other, world, other)]
        ready = await asyncio.gather(*(signed_in(web) for web in webs))
        assert [one["state"] for one in ready] == ["ready"] * 4
        kept = (await vault_of(world).get(OWNER)).options
        client = there.desk.client(kept["client_id"])
        assert client is not None
        assert client.secret == kept["client_secret"]
        apps = [(await vault_of(world).get(one["id"])).app for one in ready]
        assert {app.client_id for app in apps if app} == {kept["client_id"]}
        for web in webs:
            await web.http.aclose()


async def test_an_app_that_the_server_forgot_is_registered_anew_once(
    world: World, web: Web, network: FakeNetwork, there: MastodonDesk
) -> None:
    begun = await web.begin(options={"server": SERVER})
    there.forget_apps()
    assert (await signed_in(web))["state"] == "ready"
    assert (registrations(network), len(there.desk.clients)) == (2, 1)
    # Whoever was under way with the former app is told, and begins again.
    state = asked_for(begun)["state"][0]
    await web.come_back(f"/oauth/mastodon/callback?state={state}&code=of-the-former")
    failed = await web.connection(begun["id"])
    assert (failed["state"], "invalid_client" in failed["error"]) == ("failed", True)
    assert (await vault_of(world).get(OWNER)).options["client_id"] in there.desk.clients


async def test_a_server_that_knows_no_app_at_all_is_not_asked_on_and_on(web: Web, network: FakeNetwork) -> None:
    body = {"error": "invalid_client"}
    network.faults.append(Fault("answer", "POST .*/oauth/token", status=401, body=body, times=9))
    refused = await web.try_to_begin(options={"server": SERVER})
    assert (refused.status_code, "just registered" in refused.json()["detail"]) == (409, True)
    assert registrations(network) == 1


async def test_an_app_whose_key_is_gone_is_registered_anew(world: World, web: Web, network: FakeNetwork) -> None:
    await web.begin(options={"server": SERVER})
    await vault_of(world).change(OWNER, lambda it: it.with_(sealed=it.sealed[:-20] + "A" * 18 + "=="))
    assert (await signed_in(web))["state"] == "ready"
    assert registrations(network) == 2


async def test_the_code_belongs_to_the_app_that_began(world: World, web: Web, there: MastodonDesk) -> None:
    """Somebody else had another one registered meanwhile."""
    begun = await web.begin(options={"server": SERVER})
    other = replace(next(iter(there.desk.clients.values())), id="another", secret="another-secret")
    there.desk.clients["another"] = other
    vault = vault_of(world)
    held = await vault.get(OWNER)
    pair = {"client_id": other.id, "client_secret": other.secret}
    await vault.put(OWNER, replace(held, options=pair), datetime.now(UTC))
    await web.come_back(await decide(begun["authorize_url"], account=fake.ACCOUNT, platform="mastodon"))
    assert (await web.connection(begun["id"]))["state"] == "ready"


# ---- servers where nobody can sign in ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "headers", "said"),
    [
        (403, {"error": "This action is not allowed"}, {}, "does not let apps register by themselves"),
        (422, {"error": "Validation failed: no"}, {}, "refused to register an app .*access token"),
        (404, {}, {}, "is no Mastodon server"),
        (200, {"hello": "world"}, {}, "is no Mastodon server"),
        (301, {}, {"Location": "https://www.mastodon.example/"}, "sends on to 'https://www.mastodon.example/'"),
    ],
)
async def test_a_server_that_gives_no_app_is_told_at_its_field(
    web: Web, network: FakeNetwork, status: int, body: dict[str, str], headers: dict[str, str], said: str
) -> None:
    network.faults.append(Fault("answer", APPS, status=status, body=body, headers=headers))
    refused = await web.try_to_begin(options={"server": SERVER})
    (error,) = refused.json()["errors"]
    assert (refused.status_code, error["field"]) == (422, "options.server")
    assert re.search(said, error["reason"])


@pytest.mark.parametrize(("status", "said"), [(429, "try again later"), (503, "try again later")])
async def test_a_server_that_is_busy_is_no_wrong_one(web: Web, network: FakeNetwork, status: int, said: str) -> None:
    network.faults.append(Fault("answer", APPS, status=status))
    refused = await web.try_to_begin(options={"server": SERVER})
    assert (refused.status_code, said in refused.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "@me@mastodon.example",
        "http://mastodon.example",
        "https://me:pw@mastodon.example",
        "https://a/b",
        "https://[::1",
    ],
)
async def test_what_is_no_address_is_refused_at_its_field(web: Web, network: FakeNetwork, wrong: str) -> None:
    refused = await web.try_to_begin(options={"server": wrong})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "options.server")
    assert network.calls == []


async def test_calls_to_servers_go_to_public_addresses_only(tmp_path: Path) -> None:
    async with open_world(tmp_path, clock=SkippingClock()) as world:
        web = web_of(world, "mastodon")
        for address in ("https://127.0.0.1", "https://localhost", "https://[::1]:8443", "https://10.0.0.1"):
            refused = await web.try_to_begin(options={"server": address})
            assert refused.status_code == 422, refused.text
            assert "is the private or local address" in refused.json()["errors"][0]["reason"]
        nowhere = await web.try_to_begin(options={"server": "https://no-such-server.invalid"})
        assert "leads to no server" in nowhere.json()["errors"][0]["reason"]
        await web.http.aclose()


# ---- tokens: by hand, taken away, and of another server -----------------------------------------------------------


async def test_a_token_made_by_hand_connects_without_signing_in(
    web: Web, network: FakeNetwork, there: MastodonDesk
) -> None:
    there.closed = True
    options = {"server": SERVER, "access_token": fake.TOKEN}
    refused = await web.try_to_begin(options=options)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "options.access_token")
    body = {"platform": "mastodon", "name": "By hand", "options": options}
    made = await web.http.post("/channels", json=body)
    assert (made.status_code, made.json()["options"]) == (201, {"server": SERVER})
    assert fake.TOKEN not in made.text
    without = await web.http.post("/channels", json=body | {"options": {"server": SERVER}})
    assert (without.status_code, "connect it" in without.json()["detail"]) == (422, True)
    assert registrations(network) == 0


async def test_a_token_that_was_taken_away_pauses_and_signing_in_again_mends(
    world: World, web: Web, server: fake.MastodonFake, there: MastodonDesk
) -> None:
    channel = await connected(web)
    there.desk.revoke(fake.ACCOUNT)
    id = await world.create(await world.command(channel=channel["id"]))
    await world.run(2)
    paused = (await web.http.get(f"/channels/{channel['id']}")).json()
    assert (paused["paused"], "connect it again" in paused["paused_reason"]) == (True, True)
    ready = await signed_in(web, options={}, channel_id=channel["id"])
    again = await web.http.post(f"/channels/{channel['id']}/reconnect", json={"connection": ready["id"]})
    assert (again.status_code, again.json()["paused"]) == (200, False)
    await world.run(5)
    assert (await world.publication(id)).state is PublicationState.PUBLISHED
    assert len(server.posts) == 1


async def test_signing_in_takes_the_place_of_a_token_made_by_hand_and_back(world: World, web: Web) -> None:
    body = {"platform": "mastodon", "name": "Ours", "options": {"server": SERVER, "access_token": fake.TOKEN}}
    id = (await web.http.post("/channels", json=body)).json()["id"]
    ready = await signed_in(web, options={}, channel_id=id)
    assert (await web.http.post(f"/channels/{id}/reconnect", json={"connection": ready["id"]})).status_code == 200
    kept = await vault_of(world).get(id)
    assert (kept.options, kept.token is not None) == ({}, True)
    edit = ChannelEdit(options={"server": SERVER, "access_token": fake.TOKEN})
    await world.publishing.service.edit_channel(RITA, id, edit)
    kept = await vault_of(world).get(id)
    assert (kept.options, kept.token) == ({"access_token": fake.TOKEN}, None)


@pytest.mark.parametrize("by_hand", [True, False])
async def test_no_token_is_sent_to_a_server_that_it_is_not_for(web: Web, network: FakeNetwork, by_hand: bool) -> None:
    if by_hand:
        body = {"platform": "mastodon", "name": "A", "options": {"server": SERVER, "access_token": fake.TOKEN}}
        channel = (await web.http.post("/channels", json=body)).json()
    else:
        channel = await connected(web)
    before = len(network.calls)
    edit = {"options": {"server": "https://elsewhere.example"}}
    refused = await web.http.patch(f"/channels/{channel['id']}", json=edit)
    assert (refused.status_code, "cannot be connected" in refused.json()["detail"]) == (422, True)
    assert network.calls[before:] == []
    kept = (await web.http.get(f"/channels/{channel['id']}")).json()
    assert (kept["options"], kept["paused"]) == ({"server": SERVER}, False)


# ---- whose answer it is (RFC 9207) --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "promised", "fault"),
    [
        (f"{SERVER}/", True, None),
        (f"{SERVER}/", False, None),
        (None, False, None),
        (None, True, "does not say that it is Mastodon's"),
        ("https://other.example/", True, "but that of 'https://other.example/'"),
        ("https://other.example/", False, "but that of 'https://other.example/'"),
    ],
)
async def test_an_answer_of_another_server_is_refused(
    web: Web, there: MastodonDesk, network: FakeNetwork, sent: str | None, promised: bool, fault: str | None
) -> None:
    there.desk.issuer, there.metadata = sent, {"authorization_response_iss_parameter_supported": promised}
    found = await signed_in(web)
    assert found["state"] == ("failed" if fault else "ready"), found
    assert (fault or "") in (found["error"] or "")
    spent = sum("grant_type=authorization_code" in call.query or call.path == "/oauth/token" for call in network.calls)
    assert spent == (1 if fault else 2), "the code of a wrong answer is not sent anywhere"
