"""PeerTube: signs in with a password, uploads as private, sets the privacy."""

from tests.platforms.case import Case

from video_manager.fakes import peertube

CASES: dict[str, Case] = {
    "peertube": Case(
        "peertube", peertube.PeerTubeFake, calls=13,
        options={"server": peertube.SERVER, "username": peertube.USERNAME, "channel": peertube.CHANNEL["name"]},
        secrets={"password": peertube.PASSWORD}, account_id="7", facts={"channel_id": peertube.CHANNEL["id"]},
        patterns=("PUT .*upload-resumable", "PUT .*/videos/[0-9a-f]{8}-[^/]*$"),
    ),
}  # fmt: skip
