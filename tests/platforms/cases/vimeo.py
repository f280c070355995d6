"""Vimeo: the video is there before its first byte, for nobody to see."""

from tests.platforms.case import Case

from video_manager.fakes import vimeo
from video_manager.fakes.network import FakeNetwork
from video_manager.plugins.api import Token


def _token(network: FakeNetwork) -> Token:
    fake = network.fakes["vimeo"]
    assert isinstance(fake, vimeo.VimeoFake)
    return Token(access=fake.desk.issue(vimeo.USER["uri"], vimeo.SCOPES)["access_token"], scopes=vimeo.SCOPES)


CASES: dict[str, Case] = {
    "vimeo": Case(
        "vimeo", vimeo.VimeoFake, calls=12, account_id="4711", token=_token, app=("demo-client", "demo-secret"),
        patterns=("POST .*/me/videos", "PATCH api.vimeo.com/videos/[0-9]+$"),
    ),
}  # fmt: skip
