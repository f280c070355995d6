"""Users, keys, the audit log, dead letters and storage over HTTP."""

import asyncio

import httpx
import pytest
from tests.integration.gateway.server import until
from tests.integration.gateway.world import PASSWORD, World, sign_in

from video_manager.contracts.envelope import Envelope, envelope
from video_manager.contracts.events import VideoDeleted
from video_manager.domain.access import SYSTEM, Role
from video_manager.errors import PermanentError
from video_manager.ports import Subscription

NEW = {"name": "Grace", "password": "a long sentence", "role": "producer", "email": "grace@example.org"}


async def create(client: httpx.AsyncClient, **changes: str) -> httpx.Response:
    return await client.post("/api/v1/users", json=NEW | changes)


async def test_an_account_from_its_making_to_its_end(world: World) -> None:
    async with world.client(Role.ADMIN) as admin:
        answer = await create(admin)
        made = answer.json()
        assert (answer.status_code, made["name"], made["role"]) == (201, "grace", "producer")
        assert answer.headers["location"] == f"/api/v1/users/{made['id']}"
        assert "password" not in answer.text
        url = answer.headers["location"]
        changed = await admin.patch(url, json={"role": "reviewer", "email": ""})
        assert (changed.json()["role"], changed.json()["email"]) == ("reviewer", None)
        assert "grace" in [user["name"] for user in (await admin.get("/api/v1/users")).json()["items"]]
        assert (await admin.delete(url)).status_code == 204
        assert (await admin.get(url)).status_code == 404
        entries = (await admin.get("/api/v1/audit", params={"subject": made["id"]})).json()["items"]
    assert [entry["action"] for entry in entries] == ["user.remove", "user.change", "user.create"]
    assert {entry["actor_name"] for entry in entries} == {"key admin"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "two words"}, "name"),
        ({"name": ""}, "name"),
        ({"password": "short"}, "password"),
        ({"password": "aaaaaaaaaaaaaa"}, "password"),
        ({"password": "p" * 300}, "password"),
        ({"role": "worker"}, "role"),
        ({"role": "king"}, "role"),
        ({"email": "nowhere"}, "email"),
        ({"surprise": "x"}, "surprise"),
    ],
)
async def test_wrong_accounts_are_refused_with_the_field(world: World, change: dict[str, str], field: str) -> None:
    async with world.client(Role.ADMIN) as admin:
        answer = await create(admin, **change)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_names_are_unique_and_a_repeated_request_makes_one(world: World) -> None:
    async with world.client(Role.ADMIN) as admin:
        first = await admin.post("/api/v1/users", json=NEW, headers={"Idempotency-Key": "k"})
        again = await admin.post("/api/v1/users", json=NEW, headers={"Idempotency-Key": "k"})
        assert again.json() == first.json()
        taken = await create(admin, name="GRACE ")
    assert (taken.status_code, taken.json()["code"]) == (409, "already_exists")


async def test_a_stale_change_is_refused(world: World) -> None:
    async with world.client(Role.ADMIN) as admin:
        made = await create(admin)
        url = made.headers["location"]
        old = {"If-Match": (await admin.get(url)).headers["etag"]}
        assert (await admin.patch(url, json={"role": "viewer"}, headers=old)).status_code == 200
        stale = await admin.patch(url, json={"role": "admin"}, headers=old)
        assert (stale.status_code, stale.json()["code"]) == (412, "stale_revision")
        assert (await admin.delete(url, headers=old)).status_code == 412
        assert (await admin.get(url)).json()["role"] == "viewer"


async def test_the_last_administrator_stays(world: World) -> None:
    async with world.client(Role.ADMIN) as admin:
        url = "/api/v1/users/user-admin"
        for change in ({"disabled": True}, {"role": "viewer"}):
            answer = await admin.patch(url, json=change)
            assert answer.status_code == 409
            assert "last active administrator" in answer.json()["detail"]
        assert (await admin.delete(url)).status_code == 409
        second = (await create(admin, role="admin")).headers["location"]
        both = await asyncio.gather(admin.delete(url), admin.delete(second))
        assert sorted(answer.status_code for answer in both) == [204, 409]


async def test_nobody_removes_themselves(world: World) -> None:
    async with world.client(Role.ADMIN) as admin, world.browser() as browser:
        await create(admin, role="admin")
        assert (await browser.delete("/api/v1/users/user-admin")).status_code == 409


async def test_everybody_may_look_at_themselves(world: World) -> None:
    async with world.browser(Role.VIEWER) as browser:
        assert (await browser.get("/api/v1/users/user-viewer")).json()["name"] == "viewer"
        assert (await browser.get("/api/v1/users/user-admin")).status_code == 403


async def test_lists_come_in_pages(world: World) -> None:
    async with world.client(Role.ADMIN) as admin:
        names: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await admin.get("/api/v1/users", params={"limit": "3", **cursor})).json()
            names += [user["name"] for user in page["items"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert names == sorted(names)
        assert len(names) == 4
        assert (await admin.get("/api/v1/users?cursor=nonsense")).status_code == 422


async def test_a_refused_change_leaves_no_entry(world: World) -> None:
    async with world.client(Role.ADMIN) as admin:
        await create(admin)
        await create(admin)
    entries = (await world.access.audit.page(SYSTEM, action="user.create")).items
    assert sum("grace" in entry.detail for entry in entries) == 1


async def test_a_disabled_account_cannot_sign_in(world: World) -> None:
    async with world.client(Role.ADMIN) as admin, world.client() as client:
        await admin.patch("/api/v1/users/user-viewer", json={"disabled": True})
        assert (await sign_in(client, "viewer", PASSWORD)).status_code == 401
        await admin.patch("/api/v1/users/user-viewer", json={"disabled": False})
        assert (await sign_in(client, "viewer", PASSWORD)).status_code == 303


async def test_dead_letters_are_read_sent_again_and_dropped(world: World) -> None:
    broken = True
    handled: list[str] = []

    async def handle(message: Envelope) -> None:
        if broken:
            raise PermanentError("cannot handle this")
        handled.append(message.id)

    await world.bus.consume(Subscription("test", ("video.deleted",), handle))
    messages = [
        envelope(VideoDeleted(video_id=str(n), deleted_by="u"), source="test", subject=str(n)) for n in range(2)
    ]
    await world.bus.publish(messages)
    async with world.client(Role.ADMIN) as admin:

        async def dead() -> list[dict[str, object]]:
            items: list[dict[str, object]] = (await admin.get("/api/v1/dead-letters")).json()["items"]
            return items

        async def both() -> bool:
            return len(await dead()) == 2

        await until(both)
        first, second = await dead()
        assert first["reason"]
        assert first["queue"] == "test"
        broken = False
        assert (await admin.post(f"/api/v1/dead-letters/{first['id']}/resend")).status_code == 204
        await until(lambda: len(handled) == 1)
        assert (await admin.delete(f"/api/v1/dead-letters/{second['id']}")).status_code == 204
        assert await dead() == []
        assert (await admin.post("/api/v1/dead-letters/unknown/resend")).status_code == 404


async def test_storage_shows_what_is_used(world: World) -> None:
    async with world.client(Role.VIEWER) as client:
        use = (await client.get("/api/v1/storage")).json()
    assert use["used_bytes"] == 0
    assert use["free_bytes"] > 0
    assert use["quota_bytes"] is None
