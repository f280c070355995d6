"""YouTube: 9 MB are two chunks; with captions and thumbnail (of every publication here) and a playlist."""

from tests.platforms.case import Case

from video_manager.fakes import youtube
from video_manager.fakes.network import FakeNetwork
from video_manager.plugins.api import Token


def _token(network: FakeNetwork) -> Token:
    fake = network.fakes["youtube"]
    assert isinstance(fake, youtube.YouTubeFake)
    issued = fake.desk.issue(youtube.CHANNEL, [youtube.FORCE_SSL])
    return Token(issued["access_token"], refresh=issued["refresh_token"])


CASES: dict[str, Case] = {
    "youtube": Case(
        "youtube", youtube.YouTubeFake, calls=14, account_id=youtube.CHANNEL, token=_token,
        facts={"uploads": youtube.UPLOADS, "long_uploads": "allowed"}, app=("demo-client", "demo-secret"),
        post_options={"playlist": youtube.PLAYLIST}, video_bytes=9_000_000,
        patterns=(r"^PUT www.googleapis.com/youtube/v3/videos", r"^PUT www.googleapis.com/upload/youtube/v3/videos"),
    ),
}  # fmt: skip
