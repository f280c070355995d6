"""Bluesky: through its video service, and straight to the account's server."""

from tests.platforms.case import Case

from video_manager.fakes import bluesky

_FACTS = {"did": bluesky.DID, "handle": bluesky.HANDLE, "pds": bluesky.PDS}

CASES: dict[str, Case] = {
    "bluesky": Case(
        "bluesky", bluesky.BlueskyFake, calls=11, options={"handle": bluesky.HANDLE},
        secrets={"app_password": bluesky.APP_PASSWORD}, account_id=bluesky.DID, facts=_FACTS,
        patterns=("createRecord",),
    ),
    "bluesky, own server": Case(
        "bluesky", bluesky.BlueskyFake, calls=4, options={"handle": bluesky.HANDLE, "videos_through": "server"},
        secrets={"app_password": bluesky.APP_PASSWORD}, account_id=bluesky.DID, facts=_FACTS,
        patterns=("createRecord", "createSession"),
    ),
}  # fmt: skip
