"""TikTok: a file of one chunk, and one of two."""

from datetime import UTC, datetime, timedelta

from tests.platforms.case import Case

from video_manager.fakes import tiktok
from video_manager.fakes.network import FakeNetwork
from video_manager.plugins.api import Token


def token(network: FakeNetwork) -> Token:
    fake = network.fakes["tiktok"]
    assert isinstance(fake, tiktok.TikTokFake)
    answer = fake.desk.issue(tiktok.ACCOUNT, tiktok.SCOPES)
    return Token(answer["access_token"], datetime.now(UTC) + timedelta(days=1), answer["refresh_token"])


CASES: dict[str, Case] = {
    "tiktok": Case(
        "tiktok", tiktok.TikTokFake, calls=6, options={"audited": True}, account_id=tiktok.ACCOUNT, token=token,
        app=("demo-client", "demo-secret"), patterns=("PUT .*/video/", "status/fetch"),
    ),
    "tiktok, in chunks": Case(
        "tiktok", tiktok.TikTokFake, calls=7, options={"audited": True}, account_id=tiktok.ACCOUNT, token=token,
        app=("demo-client", "demo-secret"), video_bytes=15_000_123,
    ),
}  # fmt: skip
