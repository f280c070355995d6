"""X: a video of one segment, and one of three."""

from datetime import UTC, datetime, timedelta

from tests.platforms.case import Case

from video_manager.fakes import x
from video_manager.fakes.network import FakeNetwork
from video_manager.plugins.api import Token


def token(network: FakeNetwork) -> Token:
    fake = network.fakes["x"]
    assert isinstance(fake, x.XFake)
    answer = fake.desk.issue(x.ACCOUNT, x.SCOPES)
    return Token(answer["access_token"], datetime.now(UTC) + timedelta(hours=2), answer["refresh_token"])


CASES: dict[str, Case] = {
    "x": Case(
        "x", x.XFake, calls=10, account_id=x.ACCOUNT, facts={"username": x.USERNAME}, token=token,
        app=("demo-client", "demo-secret"), patterns=("POST .*/2/tweets",),
    ),
    "x, in segments": Case(
        "x", x.XFake, calls=12, account_id=x.ACCOUNT, facts={"username": x.USERNAME}, token=token,
        app=("demo-client", "demo-secret"), video_bytes=9_000_000,
    ),
}  # fmt: skip
