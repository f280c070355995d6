"""LinkedIn's publishers by themselves, with the token of the person who signed in."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.platforms.alone import SHORT, Alone, SameToken, alone

from video_manager.fakes import linkedin
from video_manager.plugins.api import Publisher
from video_manager.plugins.publishers.linkedin import LinkedInPublisher

PERSON = LinkedInPublisher()
ACCOUNT: Mapping[str, Any] = MappingProxyType({"id": linkedin.PERSON_URN})


@asynccontextmanager
async def alone_at_linkedin(
    root: Path, publisher: Publisher[Any] = PERSON, account: Mapping[str, Any] = ACCOUNT, **more: Any
) -> AsyncIterator[Alone]:
    access = SameToken()
    async with alone(
        linkedin.LinkedInFake, root, publisher, {}, account=account, access=access, facts=SHORT, **more
    ) as it:
        assert publisher.oauth is not None
        access.kept = fake_of(it).desk.issue(linkedin.PERSON, publisher.oauth.scopes)["access_token"]
        yield it


def fake_of(it: Alone) -> linkedin.LinkedInFake:
    return it.fake_of(linkedin.LinkedInFake)


def parts_sent(it: Alone) -> list[str]:
    return [call.path.rpartition("/")[2] for call in it.network.calls if call.method == "PUT"]
