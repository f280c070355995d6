"""Mastodon."""

from tests.platforms.case import Case

from video_manager.fakes import mastodon

CASES: dict[str, Case] = {
    "mastodon": Case(
        "mastodon", mastodon.MastodonFake, calls=5, options={"server": f"https://{mastodon.HOST}"},
        secrets={"access_token": mastodon.TOKEN}, account_id=mastodon.ACCOUNT, patterns=("POST .*/statuses", "/media"),
    ),
}  # fmt: skip
