"""Connecting a channel through a strict platform, and everything that people and platforms do wrong on the way."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.fakes.desk_platform import DeskFake
from tests.integration.publishing.access.access_world import SkippingClock, vault_of
from tests.integration.publishing.access.web import APP, CLI, OTTO, PLATFORM, REDIRECT, Web, decide, web_of
from tests.integration.publishing.conftest import RITA, World, message

from video_manager.contracts.envelope import Envelope
from video_manager.domain.publication import PublicationState
from video_manager.fakes.desk import Desk
from video_manager.fakes.network import FakeNetwork, Fault
from video_manager.publishing.channels import ChannelEdit
from video_manager.publishing.connecting import MOST_OPEN

assert message  # the conftest's, for the world


@pytest.fixture
async def web(world: World) -> AsyncIterator[Web]:
    made = web_of(world)
    assert (await made.http.put(f"{PLATFORM}/app", json=APP)).status_code == 200
    yield made
    await made.http.aclose()


async def connected(web: Web, name: str = "Ada", account: str = "ada") -> dict[str, str]:
    ready = await web.signed_in(account)
    body = {"platform": "deskgram", "name": name, "connection": ready["id"], "account_id": account}
    made = await web.http.post("/channels", json=body)
    assert made.status_code == 201, made.text
    channel: dict[str, str] = made.json()
    return channel


async def told(world: World) -> list[Envelope]:
    """What was said of channels."""
    unsent = [one for found in await world.documents.unsent(1000) for one in found.messages]
    return [one for one in unsent if one.type == "channel.action_required"]


# ---- the app ---------------------------------------------------------------------------------------------------------


async def test_the_secret_of_an_app_is_never_shown(world: World, web: Web) -> None:
    shown = await web.http.get(f"{PLATFORM}/app")
    assert shown.json() == {
        "platform": "deskgram", "title": "Deskgram", "automatic": False, "client_id": "demo-client", "registered": True,
        "redirect_url": REDIRECT, "scopes": ["post", "read"], "guide": "Register an app at desk.invalid.",
    }  # fmt: skip
    changed = await web.http.put(f"{PLATFORM}/app", json={"client_id": "other"})
    assert (changed.status_code, changed.json()["client_id"]) == (200, "other")
    assert (await vault_of(world).get("app-deskgram")).options == {**APP, "client_id": "other"}
    assert (await web.http.put(f"{PLATFORM}/app", json=APP, headers={"X-As": "vic"})).status_code == 403
    assert (await web.http.get(f"{PLATFORM}/app", headers={"X-As": "vic"})).status_code == 403
    assert (await web.http.get("/platforms/folder/app")).status_code == 404
    assert (await web.http.put("/platforms/nowhere/app", json=APP)).status_code == 404


async def test_without_an_app_people_hear_what_to_do(world: World) -> None:
    web = web_of(world)
    answer = await web.http.post(f"{PLATFORM}/connections", json={})
    assert (answer.status_code, "client id and secret" in answer.json()["detail"]) == (409, True)
    missing = await web.http.put(f"{PLATFORM}/app", json={"client_id": "x"})
    assert missing.json()["errors"][0]["field"] == "client_secret"


# ---- there and back --------------------------------------------------------------------------------------------------


async def test_a_channel_is_connected_by_signing_in(world: World, web: Web, platform: DeskFake) -> None:
    begun = await web.begin(options={"section": "sport"}, name="Ada")
    assert (begun["state"], begun["redirect_url"]) == ("waiting", REDIRECT)
    asked = parse_qs(urlsplit(begun["authorize_url"]).query)
    assert (asked["scope"], asked["prompt"], asked["code_challenge_method"]) == (["post read"], ["consent"], ["S256"])
    assert len(asked["state"][0]) >= 43  # 256 bits
    back = await web.come_back(await decide(begun["authorize_url"]))
    assert (back.status_code, back.headers["location"]) == (303, f"/channels?connection={begun['id']}")
    ready = await web.connection(begun["id"])
    assert (ready["state"], ready["accounts"]) == (
        "ready", [{"id": "ada", "name": "Ada's channel", "url": "https://desk.invalid/@ada"}],
    )  # fmt: skip
    body = {"platform": "deskgram", "name": "Ada", "connection": begun["id"], "account_id": "ada"}
    made = await web.http.post("/channels", json=body, headers={"Idempotency-Key": "k"})
    assert made.status_code == 201, made.text
    channel = made.json()
    assert (channel["account_id"], channel["options"]) == ("ada", {"section": "sport"})
    again = await web.http.post("/channels", json=body, headers={"Idempotency-Key": "k"})
    assert again.json()["id"] == channel["id"]
    # Nothing of the sign-in is left, and nothing of it is shown.
    assert (await web.http.get(f"{PLATFORM}/connections/{begun['id']}")).status_code == 404
    assert await vault_of(world).load(begun["id"]) is None
    assert not [token for token in platform.desk.access if token in made.text or token in back.text]
    id = await world.create(await world.command(channel=channel["id"]))
    await world.run()
    assert (await world.publication(id)).state is PublicationState.PUBLISHED
    assert len(platform.posts) == 1


async def test_state_works_once_and_only_for_whoever_began(web: Web, network: FakeNetwork) -> None:
    begun = await web.begin()
    path = await decide(begun["authorize_url"])
    stolen = await web.come_back(path, OTTO)
    assert (stolen.status_code, "begin it again" in stolen.text) == (404, True)
    assert (await web.come_back(path.replace("deskgram", "folder"))).status_code == 404
    assert (await web.come_back(path.split("?", maxsplit=1)[0])).status_code == 404
    assert (await web.come_back(path)).status_code == 303
    assert (await web.come_back(path)).status_code == 404
    assert sum(call.path == "/token" for call in network.calls) == 1
    assert (await web.connection(begun["id"]))["state"] == "ready"
    hidden = await web.http.get(f"{PLATFORM}/connections/{begun['id']}", headers={"X-As": "otto"})
    assert hidden.status_code == 404


async def test_what_the_command_line_began_any_browser_that_may_can_finish(web: Web) -> None:
    begun = await web.begin(CLI)
    page = await web.come_back(await decide(begun["authorize_url"]), OTTO)
    assert (page.status_code, "Go back to the command line" in page.text) == (200, True)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert (await web.connection(begun["id"], CLI))["state"] == "ready"


async def test_after_ten_minutes_it_is_too_late(web: Web, clock: SkippingClock, network: FakeNetwork) -> None:
    begun = await web.begin()
    path = await decide(begun["authorize_url"])
    clock.skip(601)
    assert (await web.come_back(path)).status_code == 404
    assert (await web.connection(begun["id"]))["state"] == "expired"
    body = {"platform": "deskgram", "name": "A", "connection": begun["id"]}
    refused = await web.http.post("/channels", json=body)
    assert (refused.status_code, "expired" in refused.json()["detail"]) == (409, True)
    assert not [call for call in network.calls if call.path == "/token"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("error=access_denied", "access was not granted at Deskgram"),
        ("error=server_error&error_description=<b>down</b>" + "x" * 3000, "Deskgram refused: server_error <b>down</b>"),
        ("", "sent nothing back"),
        ("code=invented", "refused the connection: invalid_grant"),
        ("iss=https://evil.example&code=stolen", "is not Deskgram's but that of 'https://evil.example'"),
        ("iss=https://evil.example&error=access_denied", "is not Deskgram's but that of 'https://evil.example'"),
        ("iss=https://desk.invalid&error=access_denied", "access was not granted at Deskgram"),
    ],
)
async def test_what_the_platform_sends_back_instead_is_told(web: Web, query: str, said: str) -> None:
    begun = await web.begin()
    state = parse_qs(urlsplit(begun["authorize_url"]).query)["state"][0]
    assert (await web.come_back(f"/oauth/deskgram/callback?state={state}&{query}")).status_code == 303
    failed = await web.connection(begun["id"])
    assert failed["state"] == "failed"
    assert said in failed["error"]
    assert len(failed["error"]) < 600


async def test_somebody_who_denies_is_told_so(web: Web) -> None:
    begun = await web.begin()
    await web.come_back(await decide(begun["authorize_url"], "deny"))
    assert "connect again and agree" in (await web.connection(begun["id"]))["error"]


async def test_a_box_that_was_unticked_is_named(world: World, web: Web, desk: Desk) -> None:
    desk.unticked = frozenset({"read"})
    assert (await web.signed_in())["state"] == "ready"  # it is not needed
    desk.unticked = frozenset({"post"})
    failed = await web.signed_in()
    assert (failed["state"], "missing: post" in failed["error"]) == ("failed", True)
    assert await vault_of(world).load(failed["id"]) is None


@pytest.mark.parametrize("kind", ["before", "after"])
async def test_a_lost_answer_of_the_exchange_is_a_new_beginning(web: Web, network: FakeNetwork, kind: str) -> None:
    network.faults.append(Fault("before" if kind == "before" else "after", r"/token"))
    failed = await web.signed_in()
    assert (failed["state"], "gave no token" in failed["error"]) == ("failed", True)
    assert (await web.signed_in())["state"] == "ready"


async def test_wrong_options_and_other_peoples_channels_are_refused(web: Web) -> None:
    wrong = await web.http.post(f"{PLATFORM}/connections", json={"options": {"section": 5}})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "options.section")
    assert (await web.http.post(f"{PLATFORM}/connections", json={"channel_id": "none"})).status_code == 404
    assert (await web.http.post("/platforms/folder/connections", json={})).status_code == 404
    begun = await web.begin()
    body = {"platform": "deskgram", "name": "A", "connection": begun["id"]}
    assert (await web.http.post("/channels", json=body)).status_code == 409  # nobody agreed yet
    assert (await web.http.post("/channels", json={**body, "connection": "none"})).status_code == 404
    assert (await web.http.post("/channels", json={"platform": "deskgram", "name": "A"})).status_code == 422


async def test_the_account_is_chosen_among_those_that_were_found(web: Web, platform: DeskFake) -> None:
    platform.pages = (("page-1", "The page"), ("page-2", "The other page"))
    ready = await web.signed_in()
    assert [one["id"] for one in ready["accounts"]] == ["ada", "page-1", "page-2"]
    body = {"platform": "deskgram", "name": "Page", "connection": ready["id"]}
    for wrong in ({}, {"account_id": "page-3"}):
        refused = await web.http.post("/channels", json=body | wrong)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "account_id")
    made = await web.http.post("/channels", json=body | {"account_id": "page-2"})
    assert (made.status_code, made.json()["account_name"]) == (201, "The other page")


async def test_one_person_begins_only_so_many(web: Web, clock: SkippingClock) -> None:
    for _ in range(MOST_OPEN):
        await web.begin()
    answer = await web.http.post(f"{PLATFORM}/connections", json={})
    assert answer.status_code == 429
    await web.begin(OTTO)
    clock.skip(601)
    await web.begin()


async def test_an_address_goes_to_the_platform_itself_without_a_gateway(world: World, web: Web) -> None:
    world.publishing.connecting._gateway = None
    assert httpx.URL((await web.begin())["authorize_url"]).host == "desk.invalid"


# ---- a dead token ----------------------------------------------------------------------------------------------------


async def test_a_dead_token_pauses_the_channel_asks_once_and_loses_nothing(
    world: World, web: Web, platform: DeskFake, clock: SkippingClock
) -> None:
    channel = await connected(web)
    ids = [await world.create(await world.command(f"{n}" * 32, channel["id"], f"Video {n}")) for n in (1, 2, 3)]
    platform.desk.revoke("ada")
    await world.run(4)
    states = [(await world.publication(id)).state for id in ids]
    assert set(states) == {PublicationState.ACTION_REQUIRED, PublicationState.SCHEDULED}
    assert states.count(PublicationState.ACTION_REQUIRED) == 1
    assert [one for one in await world.events() if one == "publication.action_required"] == [
        "publication.action_required"
    ]
    paused = (await web.http.get(f"/channels/{channel['id']}")).json()
    assert (paused["paused"], "connect the channel again" in paused["paused_reason"]) == (True, True)
    await world.publishing.keeper.tick()
    clock.skip(7200)
    await world.publishing.keeper.tick()
    assert await told(world) == []  # the publication asked already
    # Somebody else's account is refused, and says whose it is.
    other = await web.signed_in("bob", channel_id=channel["id"])
    assert (other["state"], "you signed in as Bob's channel, but this channel is Ada's channel" in other["error"]) == (
        "failed", True,
    )  # fmt: skip
    ready = await web.signed_in("ada", channel_id=channel["id"])
    again = await web.http.post(f"/channels/{channel['id']}/reconnect", json={"connection": ready["id"]})
    assert (again.status_code, again.json()["paused"]) == (200, False)
    await world.run(4)
    assert [(await world.publication(id)).state for id in ids] == [PublicationState.PUBLISHED] * 3
    assert len(platform.posts) == 3


async def test_a_sign_in_of_another_account_does_not_take_over_a_channel(web: Web) -> None:
    channel = await connected(web)
    ready = await web.signed_in("bob")
    refused = await web.http.post(f"/channels/{channel['id']}/reconnect", json={"connection": ready["id"]})
    assert (refused.status_code, "the channel is Ada's channel" in refused.json()["detail"]) == (409, True)
    assert (await web.connection(ready["id"]))["state"] == "ready"


async def test_reconnecting_leaves_a_pause_that_a_person_wants(world: World, web: Web) -> None:
    channel = await connected(web)
    await world.publishing.service.edit_channel(RITA, channel["id"], ChannelEdit(paused=True))
    ready = await web.signed_in("ada", channel_id=channel["id"])
    again = await web.http.post(f"/channels/{channel['id']}/reconnect", json={"connection": ready["id"]})
    assert (again.json()["paused"], again.json()["paused_reason"]) == (True, "paused by Rita")
