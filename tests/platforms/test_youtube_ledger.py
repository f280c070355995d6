"""YouTube together with the ledger: renewed connections, used up quotas, and posts that are found again."""

from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.platforms.cases.youtube import CASES
from tests.platforms.killing import check, undisturbed
from tests.platforms.world import approve, connect, open_platform, settle
from tests.platforms.youtube_alone import UPDATE, google_error

from video_manager.domain.publication import Publication, PublicationState
from video_manager.fakes.network import FakeNetwork, Fault
from video_manager.fakes.serving import served
from video_manager.fakes.youtube import CHANNEL, FORCE_SSL, YouTubeFake
from video_manager.plugins.api import Token

CASE = replace(CASES["youtube"], video_bytes=300_000)
ROUNDS = 200


def _fake(network: FakeNetwork) -> YouTubeFake:
    fake = network.fakes["youtube"]
    assert isinstance(fake, YouTubeFake)
    return fake


def _expired(network: FakeNetwork) -> Token:
    return Token("expired", refresh=_fake(network).desk.issue(CHANNEL, [FORCE_SSL])["refresh_token"])


async def test_an_expired_connection_is_renewed_by_its_refresh_token(tmp_path: Path) -> None:
    ended = await undisturbed(tmp_path, replace(CASE, token=_expired))
    check(ended, remembers=True)
    assert sum(call.text == "POST oauth2.googleapis.com/token" for call in ended.calls) == 1


async def _waiting(root: Path, network: FakeNetwork) -> Publication:
    """The publication as soon as something stands against it."""
    with served(network) as gateway:
        async with open_platform(root, gateway) as world:
            await connect(world, CASE, network)
            id = await approve(world, CASE)
            for _ in range(ROUNDS):
                await world.run()
                publication = await world.publication(id)
                if publication.error:
                    return publication
    raise AssertionError(f"still {publication.state}")


async def test_a_used_up_quota_is_no_failure_but_midnight_in_california(tmp_path: Path) -> None:
    network = FakeNetwork([YouTubeFake])
    _fake(network).allowance.inserts = 0
    publication = await _waiting(tmp_path, network)
    assert (publication.state, publication.tries) == (PublicationState.SCHEDULED, 0)
    assert "midnight in California" in (publication.error or "")
    assert publication.due_at is not None
    local = publication.due_at.astimezone(ZoneInfo("America/Los_Angeles"))
    away = abs((local - datetime.combine(local.date(), time(0), local.tzinfo)).total_seconds())
    assert min(away, 86400.0 - away) < 60.0


async def test_a_limit_at_the_publishing_call_is_a_later_time_too(tmp_path: Path) -> None:
    network = FakeNetwork([YouTubeFake])
    fault = google_error(403, "rateLimitExceeded")
    fault.pattern = UPDATE
    network.faults.append(fault)
    publication = await _waiting(tmp_path, network)
    assert (publication.state, publication.tries) == (PublicationState.SCHEDULED, 0)
    assert not _fake(network).public_posts()


async def test_after_a_failed_publishing_call_the_same_video_is_found_and_published(tmp_path: Path) -> None:
    """The ledger forgets the handle of an armed attempt: the video is found by its file name."""
    network = FakeNetwork([YouTubeFake])
    network.faults.append(Fault("answer", UPDATE, status=503))
    with served(network) as gateway:
        async with open_platform(tmp_path, gateway) as world:
            await connect(world, CASE, network)
            publication = await settle(world, await approve(world, CASE))
    assert publication.state is PublicationState.PUBLISHED, publication.error
    (video,) = _fake(network).videos.values()
    assert publication.external_id == video.id
    assert publication.tries == 1
