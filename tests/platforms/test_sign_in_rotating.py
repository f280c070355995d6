"""Signing in where every refresh token works once: TikTok, with its own names for things, and X, with PKCE."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from video_manager.errors import ActionRequiredError
from video_manager.fakes.network import Fake, FakeNetwork
from video_manager.fakes.serving import served
from video_manager.fakes.tiktok import TikTokFake
from video_manager.fakes.x import XFake
from video_manager.outbound import OutboundTransport
from video_manager.plugins.api import OAuth, OAuthApp, Publisher, Token
from video_manager.plugins.publishers.tiktok import TikTokPublisher
from video_manager.plugins.publishers.x import XPublisher
from video_manager.publishing.access import oauth

APP = OAuthApp("demo-client", "demo-secret")
BACK = "https://videos.example/oauth/demo/callback"
VERIFIER = "v" * 64
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def transport_to(gateway: str) -> OutboundTransport:
    return OutboundTransport(allow_private=True, setting="(a test)", gateway=gateway)


async def signed_in(way: OAuth, gateway: str, transport: httpx.AsyncBaseTransport) -> Token:
    verifier = VERIFIER if way.pkce else None
    address = oauth.authorize_address(way, APP, redirect_url=BACK, state="s" * 32, verifier=verifier)
    async with httpx.AsyncClient(transport=transport_to(gateway)) as person:
        agreed = await person.get(address.copy_merge_params({"decide": "allow"}))
    back = httpx.URL(agreed.headers["Location"])
    assert str(back).startswith(BACK)
    assert back.params["state"] == "s" * 32
    return await oauth.exchanged(
        way, APP, transport, NOW, "Demo", code=back.params["code"], redirect_url=BACK, verifier=verifier
    )


@pytest.mark.parametrize(
    ("publisher", "fake", "seconds"), [(TikTokPublisher, TikTokFake, 86_400), (XPublisher, XFake, 7200)]
)
async def test_signing_in_grants_all_scopes_and_a_refresh_token_works_once(
    publisher: type[Publisher[Any]], fake: type[Fake], seconds: int
) -> None:
    way = publisher.oauth
    assert way is not None
    with served(FakeNetwork([fake])) as gateway:
        transport = transport_to(gateway)
        first = await signed_in(way, gateway, transport)
        assert set(first.scopes) == set(way.scopes) >= set(way.needed)
        assert first.expires_at is not None
        assert (first.expires_at - NOW).total_seconds() == seconds
        second = await oauth.renewed(way, APP, first, transport, NOW, publisher.title)
        assert second.refresh not in (None, first.refresh)
        with pytest.raises(ActionRequiredError, match=r"invalid_grant.*connect the channel again"):
            await oauth.renewed(way, APP, first, transport, NOW, publisher.title)
        await transport.aclose()
