"""Bluesky: through its video service, in three parts or in one piece, and straight to the account's server."""

from typing import Any

from tests.platforms.case import Case

from video_manager.fakes import bluesky

_FACTS = {"did": bluesky.DID, "handle": bluesky.HANDLE, "pds": bluesky.PDS}


class OlderBluesky(bluesky.BlueskyFake):
    """Its video service takes no parts."""

    def __init__(self, now: Any) -> None:
        super().__init__(now)
        self.video.knows_parts = False


CASES: dict[str, Case] = {
    "bluesky": Case(
        "bluesky", bluesky.BlueskyFake, calls=14, options={"handle": bluesky.HANDLE},
        secrets={"app_password": bluesky.APP_PASSWORD}, account_id=bluesky.DID, facts=_FACTS,
        patterns=("createRecord", "startUpload", "uploadPart", "finishUpload"),
    ),
    "bluesky, in one piece": Case(
        "bluesky", OlderBluesky, calls=12, options={"handle": bluesky.HANDLE},
        secrets={"app_password": bluesky.APP_PASSWORD}, account_id=bluesky.DID, facts=_FACTS,
        patterns=("createRecord", "uploadVideo"),
    ),
    "bluesky, own server": Case(
        "bluesky", bluesky.BlueskyFake, calls=4, options={"handle": bluesky.HANDLE, "videos_through": "server"},
        secrets={"app_password": bluesky.APP_PASSWORD}, account_id=bluesky.DID, facts=_FACTS,
        patterns=("createRecord", "createSession"),
    ),
}  # fmt: skip
