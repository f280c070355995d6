"""Instagram Reels, by the token of the Page that the account is linked to."""

from typing import cast

from tests.platforms.case import Case

from video_manager.fakes import meta
from video_manager.fakes.network import FakeNetwork
from video_manager.plugins.api import Token
from video_manager.plugins.publishers.instagram import NEEDED


def page_token(network: FakeNetwork) -> Token:
    return Token(cast("meta.MetaFake", network.fakes["meta"]).page_token(meta.PAGE, NEEDED))


CASES: dict[str, Case] = {
    "instagram": Case(
        "instagram", meta.MetaFake, calls=8, account_id=meta.ACCOUNT,
        facts={"username": "demo_reels", "page_id": meta.PAGE}, token=page_token, app=("demo-client", "demo-secret"),
        patterns=("media_publish",),
    ),
}  # fmt: skip
