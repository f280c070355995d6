"""The schedule in the studio: a channel's slots and limits, the plan of the next days, the address to subscribe to."""

from datetime import timedelta
from typing import Any

from nicegui import ElementFilter, ui
from nicegui.testing import User
from nicegui.testing.user_interaction import UserInteraction
from tests.integration.publishing.conftest import message
from tests.unit.studio.conftest import Studio

from video_manager.contracts.commands import CreatePublication
from video_manager.domain.model import derived_id
from video_manager.domain.schedule import MissedRule
from video_manager.domain.video import MediaFile, MediaRole, Metadata
from video_manager.publishing.channels import ChannelEdit

SITE, FOLDER = derived_id("channel", "site"), derived_id("channel", "folder")


async def scheduled(studio: Studio, **fields: Any) -> None:
    master = MediaFile(
        id="m", role=MediaRole.MASTER, name="m.mp4", content_type="video/mp4", size_bytes=3, sha256="a" * 64
    )
    command = CreatePublication(
        publication_id="p" * 32, approval_id="a", video_id="v1", version=1, channel_id=SITE, master=master,
        metadata=Metadata(title="By the sea"), approved_by="Rita", **fields,
    )  # fmt: skip
    await studio.system.publishing.service.create(message(command, command.publication_id), command)


def field(user: User, label: str) -> Any:
    with user:
        found = [one for one in ElementFilter() if one.props.get("aria-label") == label and hasattr(one, "value")]
    return found[0]


async def test_a_channels_schedule_is_kept(studio: Studio) -> None:
    service = studio.system.publishing.service
    await service.channels.delete(studio.admin, FOLDER, 0)
    user = await studio.visitor()
    await user.open("/channels")
    user.find(kind=ui.button, content="Schedule").click()
    await user.should_see("Schedule of Watch page")
    field(user, "Time zone").value = "Europe/Berlin"
    field(user, "Monday").value = ["18:00", "9:30"]
    field(user, "Minutes between two posts").value = 45
    field(user, "Most posts a day").value = 3
    field(user, "When a time passed while nothing could go out").value = "ask"
    user.find("Save").click()
    await user.should_see("Saved.")
    policy = (await service.channels.get(studio.admin, SITE)).value.schedule
    assert [(slot.weekday, slot.time) for slot in policy.slots] == [("mon", "18:00"), ("mon", "09:30")]
    assert (policy.zone, policy.min_distance_minutes, policy.max_per_day) == ("Europe/Berlin", 45, 3)
    assert policy.missed is MissedRule.ASK


async def test_a_wrong_time_is_told_at_its_day(studio: Studio) -> None:
    await studio.system.publishing.service.channels.delete(studio.admin, FOLDER, 0)
    user = await studio.visitor()
    await user.open("/channels")
    user.find(kind=ui.button, content="Schedule").click()
    await user.should_see("Schedule of Watch page")
    field(user, "Friday").value = ["25:00"]
    user.find("Save").click()
    await user.should_see("25:00 is no time such as 18:00")


async def test_the_plan_is_a_view_of_the_calendar(studio: Studio) -> None:
    user = await studio.visitor()
    await user.open("/calendar")
    with user:
        toggle = next(one for one in ElementFilter(kind=ui.toggle))
    toggle.value = "plan"
    await user.should_see("Nothing is planned for the next 7 days")
    await scheduled(studio, publish_at=studio.system.adapters.clock.now() + timedelta(days=1))
    await studio.system.publishing.service.edit_channel(studio.admin, SITE, ChannelEdit(paused=True))
    toggle.value = "month"
    toggle.value = "plan"
    await user.should_see("By the sea")
    await user.should_see("The channel is paused: paused by admin.")
    await user.should_see("Not by itself")


async def test_an_address_to_subscribe_to_is_made_and_ended(studio: Studio) -> None:
    user = await studio.visitor()
    await user.open("/calendar")
    with user:
        subscribe = next(one for one in ElementFilter(kind=ui.button) if one.props.get("aria-label") == "Subscribe")
    UserInteraction(user, {subscribe}, None).click()
    await user.should_see("Subscribe to this calendar")
    user.find("Make an address").click()
    await user.should_see("It is shown only now.")
    assert "/calendar.ics?token=" in field(user, "Address").value
    assert await studio.system.access.calendars.has_one(studio.admin)
    user.find("End it").click()
    await user.should_see("Make an address")
    assert not await studio.system.access.calendars.has_one(studio.admin)
