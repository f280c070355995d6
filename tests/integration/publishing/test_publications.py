import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.publishing.conftest import CONTENT, FOLDER, RITA, SITE, VIC, World, message, open_world

from video_manager.contracts.commands import CreatePublication
from video_manager.domain.access import SYSTEM
from video_manager.domain.publication import PublicationState
from video_manager.domain.video import MediaRole
from video_manager.errors import Forbidden, InvalidInput, InvalidTransition, NotFound, StaleRevision
from video_manager.publishing.channels import ChannelEdit
from video_manager.publishing.service import LocalTime, NewTime, Resolution

S = PublicationState
P = "p" * 32


async def test_an_approved_version_lands_in_the_folder_with_everything(world: World) -> None:
    await world.create(await world.command(description="Wellen", tags=("meer", "sonne")))
    await world.run()
    publication = await world.publication()
    assert publication.state is S.PUBLISHED
    name = f"ein-tag-am-meer-{'p' * 12}"
    assert world.sets() == [f"{name}.{kind}" for kind in ("jpg", "json", "mp4", "vtt")]
    assert (world.published / f"{name}.mp4").read_bytes() == CONTENT[MediaRole.MASTER]
    facts = json.loads((world.published / f"{name}.json").read_text())
    assert (facts["title"], facts["description"], facts["tags"]) == ("Ein Tag am Meer", "Wellen", ["meer", "sonne"])
    assert facts["sha256"]["video"] == publication.content.master.sha256
    assert publication.url == (world.published / f"{name}.mp4").as_uri()
    assert await world.events() == ["publication.scheduled", "publication.uploading", "publication.published"]


async def test_the_site_shows_its_own_copy(world: World) -> None:
    await world.create(await world.command(channel=SITE))
    await world.run()
    publication = await world.publication()
    assert publication.state is S.PUBLISHED
    assert publication.external_id is not None
    page = await world.publishing.site.page(publication.external_id)
    assert publication.url == f"http://127.0.0.1:8800/watch/{page.id}"
    assert page.video.id != publication.content.master.id
    for role in MediaRole.MASTER, MediaRole.THUMBNAIL, MediaRole.CAPTIONS:
        await world.files.delete(f"file-{role}")
    assert b"".join([chunk async for chunk in world.files.read(page.video.id)]) == CONTENT[MediaRole.MASTER]


async def test_a_repeated_command_is_one_publication(world: World) -> None:
    command = await world.command()
    await world.create(command)
    await world.create(command)
    again = message(command, P).model_copy(update={"id": "another-delivery"})
    await world.publishing.service.create(again, CreatePublication.model_validate(again.data))
    await world.run()
    assert (await world.publication()).state is S.PUBLISHED
    assert (await world.events()).count("publication.scheduled") == 1
    await world.create(command)
    assert (await world.publication()).state is S.PUBLISHED


async def test_a_withdrawal_that_comes_first_is_remembered(world: World) -> None:
    await world.withdraw(P)
    with pytest.raises(NotFound):
        await world.publishing.service.get(SYSTEM, P)
    assert (await world.publishing.service.list(SYSTEM)).items == ()
    await world.create(await world.command())
    await world.run()
    assert (await world.publication()).state is S.WITHDRAWN
    assert await world.events() == ["publication.withdrawn"]
    assert not world.published.exists() or world.sets() == []


async def test_a_withdrawn_publication_is_never_published(world: World) -> None:
    await world.create(await world.command())
    await world.withdraw(P)
    await world.withdraw(P)
    await world.run()
    assert (await world.publication()).state is S.WITHDRAWN
    with pytest.raises(InvalidTransition, match="approve the version again"):
        await world.publishing.service.retry(RITA, P)


async def test_a_withdrawal_of_a_published_one_is_refused(world: World) -> None:
    await world.create(await world.command())
    await world.run()
    await world.withdraw(P)
    publication = await world.publication()
    assert publication.state is S.PUBLISHED
    assert publication.withdrawal is not None
    assert publication.withdrawal.refused


async def test_bytes_that_are_not_the_approved_ones_are_never_published(world: World) -> None:
    command = await world.command()
    await world.files.delete(command.master.id)
    await world.store(MediaRole.MASTER, b"something else")
    for number, channel in enumerate((FOLDER, SITE)):
        id = str(number) * 32
        await world.create(command.model_copy(update={"publication_id": id, "channel_id": channel}))
        await world.run()
        publication = await world.publication(id)
        assert publication.state is S.FAILED
        assert "not the one that was approved" in (publication.error or "")
        assert all(attempt.armed_at is None for attempt in publication.attempts)
    assert world.sets() == []


async def test_a_master_that_is_gone_fails_with_its_name(world: World) -> None:
    command = await world.command()
    await world.files.delete(command.master.id)
    await world.create(command)
    await world.run()
    assert "master.mp4" in ((await world.publication()).error or "")


async def test_a_scheduled_one_waits_for_its_time_and_may_be_moved(world: World) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    await world.create(await world.command(publish_at=later))
    await world.run()
    assert (await world.publication()).state is S.SCHEDULED
    moved = await world.publishing.service.reschedule(
        RITA, P, NewTime(publish_at=LocalTime(local="2036-03-30T02:30", zone="Europe/Berlin"))
    )
    assert moved.value.publish_at == datetime(2036, 3, 30, 1, 0, tzinfo=UTC)  # skipped: the next valid instant
    assert moved.value.requested_local == "2036-03-30T02:30 Europe/Berlin"
    with pytest.raises(InvalidInput) as caught:
        await world.publishing.service.reschedule(
            RITA, P, NewTime(publish_at=LocalTime(local="2036-03-30T02:30", zone="Mars"))
        )
    assert caught.value.errors[0].field == "publish_at.zone"
    await world.publishing.service.reschedule(RITA, P, NewTime(publish_at=None))
    await world.run()
    publication = await world.publication()
    assert publication.state is S.PUBLISHED
    assert [entry.action for entry in publication.history] == ["approved", "rescheduled", "rescheduled"]


async def test_cancel_and_retry(world: World) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    await world.create(await world.command(publish_at=later))
    cancelled = await world.publishing.service.cancel(RITA, P)
    assert cancelled.value.state is S.CANCELLED
    with pytest.raises(InvalidTransition):
        await world.publishing.service.cancel(RITA, P)
    with pytest.raises(StaleRevision):
        await world.publishing.service.retry(RITA, P, expected_revision=1)
    again = await world.publishing.service.retry(RITA, P)
    assert again.value.due_at == later  # not before its time
    await world.run()
    assert (await world.publication()).state is S.SCHEDULED
    await world.publishing.service.reschedule(RITA, P, NewTime(publish_at=None))
    await world.run()
    assert (await world.publication()).state is S.PUBLISHED


async def test_only_people_with_the_right_may_act(world: World) -> None:
    await world.create(await world.command(publish_at=datetime.now(UTC) + timedelta(days=1)))
    service = world.publishing.service
    assert (await service.get(VIC, P)).value.id == P
    for refused in (
        service.cancel(VIC, P), service.retry(VIC, P), service.reschedule(VIC, P, NewTime(publish_at=None)),
        service.resolve(VIC, P, Resolution(published=False)), service.delete_channel(VIC, FOLDER),
        service.edit_channel(VIC, FOLDER, ChannelEdit(paused=True)),
    ):  # fmt: skip
        with pytest.raises(Forbidden):
            await refused


async def test_a_paused_channel_waits_without_holding_up_the_others(world: World) -> None:
    await world.publishing.service.edit_channel(RITA, FOLDER, ChannelEdit(paused=True))
    for number in range(5):
        await world.create(await world.command(id=str(number) * 32))
    await world.create(await world.command(id="f" * 32, channel=SITE))
    await world.run()
    assert (await world.publication("f" * 32)).state is S.PUBLISHED
    assert (await world.publication("0" * 32)).state is S.SCHEDULED
    await world.publishing.service.edit_channel(RITA, FOLDER, ChannelEdit(paused=False))
    await world.run(3)
    assert (await world.publication("4" * 32)).state is S.PUBLISHED


async def test_an_unknown_channel_is_told_not_lost(world: World) -> None:
    await world.create(await world.command(channel="nowhere"))
    publication = await world.publication()
    assert publication.state is S.FAILED
    assert "nowhere" in (publication.error or "")
    assert await world.events() == ["publication.failed"]


async def test_racing_schedulers_publish_once(world: World) -> None:
    async with open_world(world.root) as second, open_world(world.root) as third:
        for number in range(6):
            await world.create(await world.command(id=str(number) * 32))
        for _ in range(6):
            for each in (world, second, third):
                await each.publishing.scheduler.tick()
        for each in (world, second, third):
            await each.publishing.scheduler.settle()
        for number in range(6):
            publication = await world.publication(str(number) * 32)
            assert publication.state is S.PUBLISHED
            assert len(publication.attempts) == 1
    assert len(world.sidecars()) == 6


async def test_open_ones_and_needed_files_are_told_to_others(world: World) -> None:
    command = await world.command(publish_at=datetime.now(UTC) + timedelta(days=1))
    await world.create(command)
    assert await world.publishing.service.open_for_video("v1") == []
    wanted = {"file-master", "file-thumbnail", "file-captions"}
    assert set(await world.publishing.needed_files([*wanted, "another"])) == wanted
    await world.publishing.service.cancel(RITA, P)
    assert set(await world.publishing.needed_files(wanted)) == set()
    await world.create(command.model_copy(update={"publication_id": "s" * 32, "channel_id": SITE, "publish_at": None}))
    await world.run()
    stored = [file.id async for file in world.files.list()]
    needed = set(await world.publishing.needed_files(stored))
    assert len(needed) == 3
    assert not needed & wanted


async def test_lists_are_filtered_and_paged(world: World) -> None:
    for number in range(5):
        await world.create(await world.command(id=str(number) * 32, video_id=f"v{number % 2}"))
    service = world.publishing.service
    first = await service.list(RITA, limit=3)
    rest = await service.list(RITA, limit=3, cursor=first.next)
    assert [one.value.id[0] for one in (*first.items, *rest.items)] == ["4", "3", "2", "1", "0"]
    assert len((await service.list(RITA, video_id="v0")).items) == 3
    assert len((await service.list(RITA, state=S.PUBLISHED)).items) == 0
    assert len((await service.list(RITA, channel_id=FOLDER)).items) == 5


async def test_what_nobody_takes_after_its_time_is_seen(world: World) -> None:
    """A queue that stands still shows, whatever the processes say of themselves; a paused channel's does not."""
    scheduler = world.publishing.scheduler
    assert await scheduler.overdue_since() is None
    id = await world.create(await world.command())
    assert await scheduler.overdue_since() == (await world.publication(id)).due_at
    channels = world.publishing.service.channels
    await channels.update(RITA, FOLDER, ChannelEdit(paused=True))
    assert await scheduler.overdue_since() is None
    await channels.update(RITA, FOLDER, ChannelEdit(paused=False))
    await world.run()
    assert await scheduler.overdue_since() is None
