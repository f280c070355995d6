"""LinkedIn: as a person and as a page. The video of the first has two parts, and captions."""

from datetime import UTC, datetime, timedelta

from tests.platforms.case import Case

from video_manager.fakes import linkedin
from video_manager.fakes.network import FakeNetwork
from video_manager.plugins.api import Token
from video_manager.plugins.publishers.linkedin import LinkedInPagePublisher, LinkedInPublisher


def token(network: FakeNetwork, scopes: tuple[str, ...]) -> Token:
    fake = network.fakes["linkedin"]
    assert isinstance(fake, linkedin.LinkedInFake)
    answer = fake.desk.issue(linkedin.PERSON, scopes)
    until = datetime.now(UTC) + timedelta(seconds=linkedin.TOKEN_SECONDS)
    return Token(answer["access_token"], until, scopes=scopes)


CASES: dict[str, Case] = {
    "linkedin": Case(
        "linkedin", linkedin.LinkedInFake, calls=9, account_id=linkedin.PERSON_URN,
        token=lambda network: token(network, LinkedInPublisher.oauth.scopes), app=("demo-client", "demo-secret"),
        video_bytes=5_000_000, captions=b"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHallo\n",
        patterns=("POST .*/rest/posts$", "POST .*/captions$"),
    ),
    "linkedin-page": Case(
        "linkedin-page", linkedin.LinkedInFake, calls=7, account_id=next(iter(linkedin.PAGES)),
        token=lambda network: token(network, LinkedInPagePublisher.oauth.scopes), app=("demo-client", "demo-secret"),
        patterns=("POST .*/rest/posts$",),
    ),
}  # fmt: skip
