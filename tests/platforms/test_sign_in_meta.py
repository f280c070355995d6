"""Signing in to Instagram and Facebook, from the dialog to a post with the token of the chosen account."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.platforms.alone import Alone
from tests.platforms.meta_alone import alone_at_meta, meta_of

from video_manager.errors import ActionRequiredError, WorkError
from video_manager.fakes import meta
from video_manager.outbound import OutboundTransport
from video_manager.plugins.api import Account, Answer, OAuthApp, Publisher
from video_manager.plugins.publishers.facebook import FacebookPublisher
from video_manager.plugins.publishers.instagram import InstagramPublisher
from video_manager.publishing.access import oauth

APP = OAuthApp("client-id", "client-secret")
BACK = "https://videos.example/oauth/demo/callback"


async def signed_in(it: Alone) -> tuple[Account, ...]:
    """What the person who agreed may choose from; the long-lived token is kept."""
    way = it.publisher.oauth
    assert way is not None
    transport = OutboundTransport(allow_private=True, setting="(a test)", gateway=it.gateway)
    address = oauth.authorize_address(way, APP, redirect_url=BACK, state="s" * 32, verifier=None)
    async with httpx.AsyncClient(transport=transport) as person:
        agreed = await person.get(address.copy_merge_params({"decide": "allow"}))
        code = httpx.URL(agreed.headers["Location"]).params["code"]
        context = it.context()
        first = await oauth.exchanged(
            way, APP, transport, context.now(), it.publisher.title, code=code, redirect_url=BACK, verifier=None
        )
    assert first.scopes == (), "Meta's token answers name none"
    lasting = await it.publisher.exchanged(first, context)
    it.access.kept = lasting.access
    return await it.publisher.accounts(it.options, context)


@pytest.mark.parametrize(
    ("publisher", "account", "names"),
    [
        (InstagramPublisher(), meta.ACCOUNT, ["@demo_reels"]),
        (FacebookPublisher(), meta.PAGE, ["Demo page", "Other page"]),
    ],
)
async def test_the_chosen_account_posts_with_a_token_of_its_own(
    publisher: Publisher[Any], account: str, names: list[str], tmp_path: Path
) -> None:
    async with alone_at_meta(tmp_path, publisher, {}, ()) as it:
        found = await signed_in(it)
        assert [one.name for one in found] == names
        chosen = found[0]
        assert chosen.token is not None
        it.access.kept = chosen.token.access
        it.account = {**chosen.facts, "id": chosen.id}
        it.network.skew_seconds = 61 * 24 * 3600.0  # the person's own token has ended
        connected = await publisher.connect(it.options, it.context())
        assert (connected.id, connected.name, connected.facts) == (account, chosen.name, chosen.facts)
        handle = await it.upload()
        try:
            await it.publish(handle)
        except WorkError:
            while (await it.ask(handle)).answer is not Answer.PUBLISHED:
                pass
        (post,) = meta_of(it).public_posts()
        assert post.sha256 == it.post().video_sha256


@pytest.mark.parametrize("publisher", [InstagramPublisher(), FacebookPublisher()])
async def test_what_the_person_unticks_is_named(publisher: Publisher[Any], tmp_path: Path) -> None:
    async with alone_at_meta(tmp_path, publisher, {}, ()) as it:
        meta_of(it).desk.unticked = frozenset({"pages_read_engagement"})
        with pytest.raises(ActionRequiredError, match="was not granted pages_read_engagement: connect again"):
            await signed_in(it)
