"""Reels of a Facebook Page, by the Page's token."""

from typing import cast

from tests.platforms.case import Case

from video_manager.fakes import meta
from video_manager.fakes.network import FakeNetwork
from video_manager.plugins.api import Token
from video_manager.plugins.publishers.facebook import NEEDED


def page_token(network: FakeNetwork) -> Token:
    return Token(cast("meta.MetaFake", network.fakes["meta"]).page_token(meta.PAGE, NEEDED))


CASES: dict[str, Case] = {
    "facebook": Case(
        "facebook", meta.MetaFake, calls=7, account_id=meta.PAGE, token=page_token,
        app=("demo-client", "demo-secret"), patterns=("upload_phase=finish",),
    ),
}  # fmt: skip
