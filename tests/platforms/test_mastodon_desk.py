"""The fake's sign-in refuses what a Mastodon server refuses, and answers in the shape of a real 4.7.3."""

import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from tests.platforms.recorded_mastodon import Recorded, recorded
from tests.platforms.test_mastodon_recorded import differences

from video_manager.fakes import mastodon as fake
from video_manager.fakes.desk import challenge_of
from video_manager.fakes.mastodon_desk import MastodonDesk
from video_manager.fakes.network import FakeNetwork
from video_manager.fakes.serving import served

BACK = "https://videos.example/oauth/mastodon/callback"
APP = {"client_name": "Ours", "redirect_uris": BACK, "scopes": "read:accounts write:statuses"}
VERIFIER = secrets.token_urlsafe(48)


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork([fake.MastodonFake])


@pytest.fixture
def there(network: FakeNetwork) -> MastodonDesk:
    found = network.fakes["mastodon"]
    assert isinstance(found, fake.MastodonFake)
    return found.sign_in


@pytest.fixture
def gateway(network: FakeNetwork) -> Iterator[str]:
    with served(network) as url:
        yield url


@pytest.fixture
async def http(gateway: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{gateway}/{fake.HOST}", trust_env=False) as client:
        yield client


async def registered(http: httpx.AsyncClient) -> dict[str, str]:
    made = (await http.post("/api/v1/apps", data=APP)).json()
    return {"client_id": made["client_id"], "client_secret": made["client_secret"]}


def wish(id: str, **changes: str | None) -> dict[str, str]:
    """What the browser is sent with; None leaves it out."""
    asked = {
        "response_type": "code", "client_id": id, "redirect_uri": BACK, "state": "s", "decide": "allow",
        "scope": "write:statuses", "code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256",
    }  # fmt: skip
    return {name: value for name, value in (asked | changes).items() if value is not None}


async def code_for(http: httpx.AsyncClient, id: str, **changes: str | None) -> str:
    answer = await http.get("/oauth/authorize", params=wish(id, **changes))
    assert answer.status_code == 303, answer.text
    return str(httpx.URL(answer.headers["Location"]).params["code"])


async def redeemed(http: httpx.AsyncClient, app: dict[str, str], code: str, **changes: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
    return await http.post("/oauth/token", data=app | form | changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"client_name": ""}, "name can't be blank"),
        ({"redirect_uris": "videos.example/callback"}, "must be an absolute URI"),
        ({"redirect_uris": ""}, "Redirect URI can't be blank"),
        ({"scopes": "write:everything"}, "Scopes"),
    ],
)
async def test_an_app_has_to_be_whole(http: httpx.AsyncClient, changes: dict[str, str], said: str) -> None:
    refused = await http.post("/api/v1/apps", data=APP | changes)
    assert (refused.status_code, said in refused.json()["error"]) == (422, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "nobody"}, {"redirect_uri": f"{BACK}/"}, {"scope": "write:media"}, {"response_type": "token"},
        {"code_challenge_method": "plain"}, {"state": None},
    ],
)  # fmt: skip
async def test_nobody_is_asked_for_what_was_not_registered(
    http: httpx.AsyncClient, changes: dict[str, str | None]
) -> None:
    app = await registered(http)
    assert (await http.get("/oauth/authorize", params=wish(app["client_id"]))).status_code == 303
    assert (await http.get("/oauth/authorize", params=wish(app["client_id"], **changes))).status_code == 400


async def test_a_code_works_once_for_its_app_its_address_and_its_verifier(http: httpx.AsyncClient) -> None:
    app, other = await registered(http), await registered(http)

    async def refusal(app: dict[str, str], **changes: str) -> tuple[int, Any]:
        answer = await redeemed(http, app, await code_for(http, used["client_id"]), **changes)
        return answer.status_code, answer.json().get("error")

    used = app
    code = await code_for(http, app["client_id"])
    assert (await redeemed(http, app, code)).json()["scope"] == "write:statuses"
    assert (await redeemed(http, app, code)).json()["error"] == "invalid_grant"
    assert await refusal(other) == (400, "invalid_grant")
    assert await refusal(app, redirect_uri=f"{BACK}/") == (400, "invalid_grant")
    assert await refusal(app, code_verifier="w" * 64) == (400, "invalid_grant")
    assert await refusal(app | {"client_secret": "another"}) == (401, "invalid_client")


async def test_the_same_app_and_person_get_the_same_token_until_it_is_taken_back(http: httpx.AsyncClient) -> None:
    app, other = await registered(http), await registered(http)

    async def token(app: dict[str, str]) -> str:
        return str((await redeemed(http, app, await code_for(http, app["client_id"]))).json()["access_token"])

    first = await token(app)
    assert (await token(app), await token(other) == first) == (first, False)
    theirs = await http.post("/oauth/revoke", data=other | {"token": first})
    assert (theirs.status_code, theirs.json()["error"]) == (403, "unauthorized_client")
    headers = {"Authorization": f"Bearer {first}"}
    assert (await http.get("/api/v1/apps/verify_credentials", headers=headers)).status_code == 200
    for _ in range(2):
        assert (await http.post("/oauth/revoke", data=app | {"token": first})).json() == {}
    assert (await http.get("/api/v1/apps/verify_credentials", headers=headers)).status_code == 401


async def test_an_older_one_knows_neither_metadata_nor_pkce(http: httpx.AsyncClient, there: MastodonDesk) -> None:
    there.old = True
    assert (await http.get("/.well-known/oauth-authorization-server")).status_code == 404
    assert (await http.post("/api/v1/apps", data=APP | {"scopes": "profile"})).status_code == 422
    app = await registered(http)
    assert (await redeemed(http, app, await code_for(http, app["client_id"]), code_verifier="w" * 64)).is_success


async def test_its_answers_have_the_shape_of_a_real_server(http: httpx.AsyncClient) -> None:
    app, token, *_ = recorded("test_app_account_create")
    metadata: Recorded = recorded("test_auth_request_url")[0]
    asked = {"client_name": "x", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob", "scopes": "read write follow push"}
    made = await http.post(app.path, data=asked)
    assert (made.status_code, differences(app.body, made.json())) == (app.status, [])
    given = {name: made.json()[name] for name in ("client_id", "client_secret")}
    form = given | {"grant_type": "client_credentials", "scope": "read write follow push"}
    answer = await http.post(token.path, data=form)
    assert (answer.status_code, differences(token.body, answer.json())) == (token.status, [])
    said = await http.get(metadata.path)
    assert differences(metadata.body, said.json()) == []
    assert {*metadata.body["code_challenge_methods_supported"]} == {"S256"}
