"""A publishing call that certainly made nothing: what was uploaded is gone on with where it is still good, and uploaded
again where it is not."""

from pathlib import Path
from typing import Any

import pytest
from tests.integration.publishing.lone_context import client_of
from tests.platforms.cases import CASES
from tests.platforms.linkedin_alone import alone_at_linkedin, fake_of
from tests.platforms.world import approve, connect, open_platform, settle
from tests.servers.processes import free_port

from video_manager.domain.publication import Publication, PublicationState
from video_manager.errors import StillUploaded
from video_manager.fakes.bluesky import BlueskyFake
from video_manager.fakes.linkedin import LinkedInFake
from video_manager.fakes.network import FakeNetwork, Fault
from video_manager.fakes.serving import served

NOT_READY = {"status": 400, "code": "MEDIA_ASSET_WAITING_UPLOAD", "message": "not ready"}
GONE = {"error": "BlobNotFound", "message": "Could not find blob"}


async def published(root: Path, network: FakeNetwork, case: str, **rules: Any) -> Publication:
    with served(network) as gateway:
        async with open_platform(root, gateway, **rules) as world:
            await connect(world, CASES[case], network)
            return await settle(world, await approve(world, CASES[case]))


async def test_a_call_that_never_got_there_has_changed_nothing(tmp_path: Path) -> None:
    nobody = client_of(f"http://127.0.0.1:{free_port()}")
    async with alone_at_linkedin(tmp_path) as person, nobody:
        handle = await person.upload()
        person.http = nobody
        error, is_certain = await person.refused_with(handle)
        assert (type(error), is_certain) == (StillUploaded, True)
        assert "cannot be reached" in error.detail
        assert not fake_of(person).posts


async def test_the_next_try_goes_on_with_what_is_still_there(tmp_path: Path) -> None:
    network = FakeNetwork([LinkedInFake])
    fake = network.fakes["linkedin"]
    assert isinstance(fake, LinkedInFake)
    network.faults.append(Fault("answer", "POST .*/rest/posts$", status=400, body=NOT_READY, times=2))
    publication = await published(tmp_path, network, "linkedin")
    assert (publication.state, publication.tries) == (PublicationState.PUBLISHED, 2)
    assert (len(fake.uploads.videos), len(fake.posts)) == (1, 1)


async def test_tries_are_counted_and_end(tmp_path: Path) -> None:
    network = FakeNetwork([LinkedInFake])
    network.faults.append(Fault("answer", "POST .*/rest/posts$", status=400, body=NOT_READY, times=99))
    publication = await published(tmp_path, network, "linkedin", max_tries=3)
    assert publication.state is PublicationState.FAILED
    assert (publication.error or "").startswith("gave up after 3 tries: LinkedIn answered 400")
    assert len([call for call in network.calls if call.path == "/rest/posts"]) == 3


@pytest.mark.long
async def test_what_the_platform_has_lost_is_uploaded_again(tmp_path: Path) -> None:
    network = FakeNetwork([BlueskyFake])
    fake = network.fakes["bluesky"]
    assert isinstance(fake, BlueskyFake)
    network.faults.append(Fault("answer", "createRecord", status=400, body=GONE))
    publication = await published(tmp_path, network, "bluesky")
    assert publication.state is PublicationState.PUBLISHED
    assert (len(fake.video.parts.uploads), len(fake.posts)) == (2, 1)
