"""The login page, sessions, and what ends them."""

import httpx
import pytest
from pydantic import SecretStr
from tests.integration.gateway.world import PASSWORD, World, sign_in, started_world

from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.domain.access import SYSTEM, Role
from video_manager.errors import SettingsError
from video_manager.gateway.access import AccessService
from video_manager.settings import Settings


async def test_a_person_signs_in_and_out(world: World) -> None:
    async with world.browser(Role.REVIEWER) as browser:
        me = (await browser.get("/api/v1/me")).json()
        assert (me["name"], me["role"]) == ("reviewer", "reviewer")
        assert "review videos" in me["rights"]
        stolen = dict(browser.cookies)
        answer = await browser.post("/logout")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert (await browser.get("/api/v1/me")).status_code == 401
    async with world.client() as thief:
        thief.cookies.update(stolen)
        assert (await thief.get("/api/v1/me")).status_code == 401, "a copied cookie must end with the session"


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(world: World) -> None:
    async with world.client() as client:
        answer = await sign_in(client, "admin")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie


async def test_the_cookie_is_secure_behind_https(settings: Settings) -> None:
    settings = settings.model_copy(update={"public_url": "https://videos.example.org"})
    async with started_world(settings) as world, world.client() as client:
        answer = await client.get("/login")
    assert "; secure" in answer.headers["set-cookie"]
    assert answer.headers["strict-transport-security"]


@pytest.mark.parametrize("name", ["admin", "nobody"])
async def test_wrong_passwords_and_unknown_names_get_the_same_words(world: World, name: str) -> None:
    async with world.client() as client:
        answer = await sign_in(client, name, "wrong password")
        assert answer.status_code == 401
        assert "The name or the password is wrong." in answer.text
        assert (await client.get("/api/v1/me")).status_code == 401


async def test_guessing_has_to_wait(world: World) -> None:
    async with world.client() as client:
        for _ in range(world.settings.login_attempts_per_minute):
            assert (await sign_in(client, "admin", "wrong")).status_code == 401
        answer = await sign_in(client, "admin")
    assert answer.status_code == 429, "also the right password waits"
    assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_a_form_of_another_site_cannot_sign_in(world: World) -> None:
    data = {"name": "admin", "password": PASSWORD, "csrf": "guessed"}
    async with world.client() as client:
        await client.get("/login")
        assert (await client.post("/login", data=data)).status_code == 403
        foreign = await client.post("/login", data=data, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403
        assert (await client.get("/api/v1/me")).status_code == 401


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ("/videos?state=in_review", "/videos?state=in_review"),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
        ("/login", "/"),
    ],
)
async def test_after_signing_in_nobody_leaves_the_system(world: World, asked: str, target: str) -> None:
    async with world.client() as client:
        answer = await sign_in(client, "viewer", next=asked)
    assert answer.headers["location"] == target


async def test_pages_lead_to_the_login_and_back(world: World) -> None:
    async with world.client(Accept="text/html") as client:
        answer = await client.get("/review/1?tab=files")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/login?next=/review/1%3Ftab%3Dfiles"
        form = await client.get(answer.headers["location"])
        assert 'name="next" value="/review/1?tab=files"' in form.text


async def test_programs_get_a_problem_document(world: World) -> None:
    async with world.client() as client:
        answer = await client.get("/api/v1/me")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["correlation_id"] == answer.headers["x-request-id"]


async def test_a_new_password_ends_the_other_sessions(world: World) -> None:
    change = {"current_password": PASSWORD, "new_password": "another long sentence"}
    async with world.browser(Role.VIEWER) as here, world.browser(Role.VIEWER) as there:
        wrong = await here.post("/api/v1/me/password", json=change | {"current_password": "wrong"})
        assert wrong.status_code == 403
        assert (await here.post("/api/v1/me/password", json=change)).status_code == 204
        assert (await here.get("/api/v1/me")).status_code == 200
        assert (await there.get("/api/v1/me")).status_code == 401
        assert (await sign_in(there, "viewer")).status_code == 401
        assert (await sign_in(there, "viewer", "another long sentence")).status_code == 303


@pytest.mark.parametrize("change", [{"disabled": True}, {"role": "viewer"}, {"password": "a new long password"}])
async def test_a_change_by_the_administrator_ends_sessions_at_once(world: World, change: dict[str, object]) -> None:
    async with world.browser(Role.REVIEWER) as browser, world.client(Role.ADMIN) as admin:
        assert (await browser.get("/api/v1/me")).status_code == 200
        assert (await admin.patch("/api/v1/users/user-reviewer", json=change)).status_code == 200
        assert (await browser.get("/api/v1/me")).status_code == 401


async def test_cookie_requests_that_change_something_must_come_from_our_pages(world: World) -> None:
    key = {"name": "ci", "role": "viewer"}
    async with world.browser() as browser:
        csrf = (await browser.get("/api/v1/me")).json()["csrf_token"]
        del browser.headers["Origin"]

        async def status(**headers: str) -> int:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return (await browser.post("/api/v1/keys", json=key, headers=named)).status_code

        assert await status() == 403
        assert await status(X_CSRF_Token="wrong") == 403
        assert await status(X_CSRF_Token=csrf) == 201
        assert await status(Origin="https://evil.example") == 403
        assert await status(Origin="null") == 403
        assert await status(Origin="https://evil.example", X_CSRF_Token=csrf) == 403
        assert await status(Origin=world.settings.base_url) == 201
        assert await status(Sec_Fetch_Site="cross-site") == 403
        assert await status(Sec_Fetch_Site="same-origin") == 201


async def test_keys_need_no_such_proof_and_end_when_revoked(world: World) -> None:
    async with world.client(Role.ADMIN) as admin:
        made = (await admin.post("/api/v1/keys", json={"name": "ci", "role": "viewer"})).json()
        assert made["key"].startswith(f"vm_{made['prefix']}_")
        async with world.client(Authorization=f"Bearer {made['key']}") as program:
            assert (await program.get("/api/v1/me")).json()["role"] == "viewer"
            assert (await admin.delete(f"/api/v1/keys/{made['id']}")).status_code == 204
            assert (await program.get("/api/v1/me")).status_code == 401
        listed = (await admin.get("/api/v1/keys")).json()["items"]
    assert made["key"] not in str(listed)
    assert next(key for key in listed if key["id"] == made["id"])["revoked_at"]


@pytest.mark.parametrize("key", ["", "vm_0123456789_" + "0" * 48, "vm_short_1", "x" * 5000, "c" * 63])
async def test_wrong_keys_open_nothing(world: World, key: str) -> None:
    async with world.client(Authorization=f"Bearer {key}") as client:
        assert (await client.get("/api/v1/me")).status_code == 401


async def test_no_secret_is_stored(world: World) -> None:
    async with world.browser() as browser:
        await browser.get("/api/v1/me")
    documents = b"".join(path.read_bytes() for path in world.settings.data_dir.glob("documents.db*"))
    assert b"correct horse" not in documents
    for key in world.keys.values():
        assert key.rsplit("_", 1)[1].encode() not in documents


async def test_the_command_line_of_this_machine_is_an_administrator(world: World) -> None:
    async with world.client(Authorization=f"Bearer {'c' * 64}") as cli:
        assert (await cli.get("/api/v1/me")).json()["role"] == "admin"
        assert (await cli.get("/api/v1/users")).status_code == 200


async def test_the_first_administrator_is_made_once(settings: Settings) -> None:
    async with started_world(settings) as world:
        assert await world.access.ensure_first_admin() is None, "there are users already"


@pytest.mark.parametrize("password", ["", "short", "aaaaaaaaaaaa"])
async def test_an_administrator_that_anybody_can_guess_stops_the_start(settings: Settings, password: str) -> None:
    """An empty variable is easily left over in a compose file."""
    weak = settings.model_copy(update={"admin_password": SecretStr(password)})
    with pytest.raises(SettingsError, match="VIDEO_MANAGER_ADMIN_PASSWORD"):
        async with started_world(weak, people=False) as world:
            await world.access.ensure_first_admin()


async def test_the_password_of_the_first_administrator_works(settings: Settings) -> None:
    from video_manager.adapters.clock import SystemClock

    store = SqliteDocuments(settings.data_dir / "fresh.db")
    await store.open()
    try:
        access = AccessService(store, SystemClock(), settings)
        await access.open()
        password = await access.ensure_first_admin()
        assert password is not None
        assert len(password) >= 20
        assert await access.ensure_first_admin() is None
        cookie: dict[str, object] = {}
        assert (await access.sign_in(cookie, "Admin ", password, "127.0.0.1")).role is Role.ADMIN
        assert await access.actor_of_session(cookie)
    finally:
        await store.close()


async def test_signing_in_is_audited(world: World) -> None:
    async with world.client() as client:
        await sign_in(client, "viewer", "wrong")
        await sign_in(client, "my-typed-password", "wrong")
        await sign_in(client, "viewer")
    entries = (await world.access.audit.page(SYSTEM, limit=10)).items
    told = [(entry.action, entry.detail) for entry in entries]
    assert ("sign-in", "from 192.0.2.7") in told
    assert ("sign-in.failed", "viewer from 192.0.2.7") in told
    assert ("sign-in.failed", "an unknown name from 192.0.2.7") in told
    assert "my-typed-password" not in str(entries)


async def test_the_page_works_without_scripts_and_cannot_be_framed(world: World) -> None:
    async with world.client() as client:
        page: httpx.Response = await client.get("/login")
    assert "<script" not in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
