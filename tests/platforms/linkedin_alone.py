"""LinkedIn's publisher by itself, as the person who signed in."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.publishing.lone_context import FixedAccess
from tests.platforms.lone_publisher import LonePublisher, lone_publisher

from video_manager.fakes import linkedin
from video_manager.plugins.publishers.linkedin import LinkedInPublisher


@dataclass
class Unrenewed(FixedAccess):
    """As when the token was revoked: asking for another one gives the same."""

    async def token(self, renew: Any, refused: str | None) -> str:
        return self.kept


async def person_of(root: Path, **more: Any) -> AsyncIterator[LonePublisher]:
    account = {"id": linkedin.PERSON_URN}
    publisher = LinkedInPublisher()
    async with lone_publisher(root, linkedin.LinkedInFake, publisher, {}, account, access=Unrenewed(), **more) as it:
        it.access.kept = fake_of(it).desk.issue(linkedin.PERSON, publisher.oauth.scopes)["access_token"]
        yield it


def fake_of(it: LonePublisher) -> linkedin.LinkedInFake:
    found = it.network.fakes["linkedin"]
    assert isinstance(found, linkedin.LinkedInFake)
    return found


def parts_sent(it: LonePublisher) -> list[str]:
    return [call.path.rpartition("/")[2] for call in it.network.calls if call.method == "PUT"]
