"""Connecting behind the real gateway: who is sent to sign in first, and what the audit log says."""

from collections.abc import AsyncIterator

import httpx
import pytest

from video_manager.bootstrap.adapters import opened
from video_manager.bootstrap.application import build_application
from video_manager.bootstrap.system import System
from video_manager.domain.access import SYSTEM, Role
from video_manager.settings import Settings


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with opened(settings) as adapters:
        system = await System.build(settings, adapters)
        app = build_application(system, workers=False, studio=False)
        key = (await system.access.keys.create(SYSTEM, "k", "admin", Role.ADMIN)).text
        transport = httpx.ASGITransport(app, client=("192.0.2.7", 4711))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url=settings.base_url) as http,
        ):
            http.headers["X-Key"] = key
            yield http


def key(client: httpx.AsyncClient) -> dict[str, str]:
    return {"Authorization": f"Bearer {client.headers['X-Key']}"}


async def test_whoever_comes_back_signed_out_signs_in_first_and_then_goes_on(client: httpx.AsyncClient) -> None:
    answer = await client.get("/oauth/youtube/callback?state=s&code=c", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/oauth/youtube/callback%3Fstate%3Ds%26code%3Dc"
    unknown = await client.get("/oauth/youtube/callback?state=s&code=c", headers=key(client))
    assert (unknown.status_code, unknown.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert (await client.post("/oauth/youtube/callback", headers=key(client))).status_code == 405
    assert (await client.get("/oauth/other", headers=key(client))).status_code == 404


async def test_the_app_and_the_keys_are_in_the_audit_log(client: httpx.AsyncClient) -> None:
    body = {"client_id": "an-id", "client_secret": "a-secret-of-the-app"}
    put = await client.put("/api/v1/platforms/youtube/app", json=body, headers=key(client))
    assert put.status_code == 200, put.text
    assert "a-secret-of-the-app" not in put.text
    assert (await client.post("/api/v1/credentials/rotate", json={}, headers=key(client))).status_code == 200
    entries = (await client.get("/api/v1/audit", headers=key(client))).json()["items"]
    assert [(one["action"], one["subject"], one["detail"]) for one in entries][:2] == [
        ("credentials.rotate", "", "0 encrypted anew"), ("platform-app.change", "youtube", "an-id"),
    ]  # fmt: skip
