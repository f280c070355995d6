"""Mail through Apprise to a real mail server."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.fakes.clock import VirtualClock
from tests.integration.notifications.conftest import ADMIN, Desk, Inbox, open_desk, until
from tests.servers.processes import free_port

from video_manager.errors import Conflict, InvalidInput, SettingsError, StaleRevision
from video_manager.notifications.model import Delivery, DeliveryState, Kind, RecipientKind
from video_manager.notifications.targets import TargetView
from video_manager.ports import Query


async def only_target(desk: Desk) -> TargetView:
    [target] = (await desk.service.targets.list(ADMIN)).items
    return target.value


async def deliveries(desk: Desk) -> list[Delivery]:
    return [item.value for item in await desk.parts.stores.deliveries.find(Query(order_by="created_at"))]


async def test_a_mail_says_what_happened_and_where_to_look(mailing_desk: Desk, inbox: Inbox) -> None:
    await mailing_desk.ready("Ebb & flow <b>")
    await mailing_desk.deliver()
    [mail] = inbox.mails
    assert mail["Subject"] == "“Ebb & flow <b>” is ready for review"
    assert mail["To"] == "ada@example.com"
    body = mail.get_body(("plain", "html"))
    assert body is not None
    assert "The checks noticed 2 things." in body.get_content()
    assert "http://studio.test/review/v1" in body.get_content()
    assert [one.state for one in await deliveries(mailing_desk)] == [DeliveryState.SENT]


async def test_a_message_is_sent_once_though_its_event_came_twice(mailing_desk: Desk, inbox: Inbox) -> None:
    await mailing_desk.ready(id="e1")
    await mailing_desk.deliver()
    await mailing_desk.ready(id="e1")
    await mailing_desk.deliver()
    assert len(inbox.mails) == 1


async def test_a_refusal_is_seen_and_tried_again(mailing_desk: Desk, inbox: Inbox) -> None:
    inbox.refusing = True
    await mailing_desk.ready()
    await mailing_desk.deliver()
    health = (await only_target(mailing_desk)).health
    assert health.failures == 1
    assert health.last_error
    await mailing_desk.deliver()
    assert (await deliveries(mailing_desk))[0].tries == 1
    inbox.refusing = False
    await mailing_desk.clock.advance(6)
    await mailing_desk.deliver()
    assert len(inbox.mails) == 1
    health = (await only_target(mailing_desk)).health
    assert (health.failures, health.last_error) == (0, None)


async def test_after_a_day_it_is_given_up(mailing_desk: Desk, inbox: Inbox) -> None:
    inbox.refusing = True
    await mailing_desk.ready()
    for _ in range(30):
        await mailing_desk.deliver()
        await mailing_desk.clock.advance(3600)
    [delivery] = await deliveries(mailing_desk)
    assert delivery.state is DeliveryState.FAILED
    assert 8 <= delivery.tries <= 15


async def test_a_dead_target_delays_nobody_else(mailing_desk: Desk, inbox: Inbox) -> None:
    dead = f"mailto://127.0.0.1:{free_port()}/?from=a@example.com&to=b@example.com"
    await mailing_desk.service.targets.create(ADMIN, "dead", "Dead", dead)
    await mailing_desk.ready()
    await mailing_desk.deliver()
    assert len(inbox.mails) == 1
    targets = {item.value.id: item.value for item in (await mailing_desk.service.targets.list(ADMIN)).items}
    assert targets["dead"].health.failures == 1


async def test_a_storm_becomes_one_summary(mailing_desk: Desk, inbox: Inbox) -> None:
    await mailing_desk.ready("First")
    await mailing_desk.deliver()
    for number in range(100):
        await mailing_desk.ready(f"Video {number}")
        await mailing_desk.clock.advance(0.1)
        await mailing_desk.deliver()
    await mailing_desk.clock.advance(61)
    await mailing_desk.deliver()
    subjects = inbox.subjects()
    singles = [one for one in subjects if one.endswith("is ready for review")]
    [summary] = [one for one in subjects if one not in singles]
    assert len(singles) <= 5
    assert summary == f"{101 - len(singles)} videos are ready for review"
    text = inbox.mails[-1].get_body(("plain", "html"))
    assert text is not None
    assert f"and {91 - len(singles)} more" in text.get_content()
    await mailing_desk.clock.advance(61)
    await mailing_desk.ready("Later")
    await mailing_desk.deliver()
    assert inbox.subjects()[-1] == "“Later” is ready for review"
    assert {one.state for one in await deliveries(mailing_desk)} == {DeliveryState.SENT}


async def test_what_a_crash_left_claimed_is_sent_after_the_lease(tmp_path: Path, inbox: Inbox) -> None:
    clock = VirtualClock()
    settings = {"notify_urls": [SecretStr(inbox.url)]}
    async with open_desk(tmp_path, clock, **settings) as desk:
        await desk.ready()
        [delivery] = await deliveries(desk)
        assert await desk.parts.loop._targets._attempts.claim(delivery) is not None  # and here the process dies
    async with open_desk(tmp_path, clock, **settings) as desk:
        await desk.deliver()
        assert inbox.mails == []
        await clock.advance(60)
        await desk.deliver()
        assert len(inbox.mails) == 1


async def test_only_wanted_kinds_are_sent(desk: Desk, inbox: Inbox) -> None:
    await desk.service.targets.create(ADMIN, "t", "Failures", inbox.url, [Kind.FAILED])
    await desk.ready()
    await desk.deliver()
    assert inbox.mails == []
    assert await deliveries(desk) == []


async def test_the_loop_delivers_by_itself(mailing_desk: Desk, inbox: Inbox) -> None:
    await mailing_desk.parts.start()
    await mailing_desk.ready()
    await until(lambda: inbox.mails)


# ---- administering --------------------------------------------------------------------------------------


async def test_addresses_are_never_shown(mailing_desk: Desk) -> None:
    url = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"
    await mailing_desk.service.targets.create(ADMIN, "t", "Chat", url)
    shown = [item.value.model_dump_json() for item in (await mailing_desk.service.targets.list(ADMIN)).items]
    assert ["slack://****" in one or "mailto://****" in one for one in shown] == [True, True]
    assert not any(secret in "".join(shown) for secret in ("T1JJ3T3L2", "TIiajkdnlazkcOXrIdevi7FQ", "example.com"))


async def test_a_wrong_address_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidInput, match="Apprise") as caught:
        await desk.service.targets.create(ADMIN, "t", "Chat", "nonsense://secret")
    assert "secret" not in str(caught.value)


async def test_a_wrong_address_in_the_settings_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="VIDEO_MANAGER_NOTIFY_URLS, address 1") as caught:
        async with open_desk(tmp_path, VirtualClock(), notify_urls=[SecretStr("nonsense://secret")]):
            pass
    assert "secret" not in str(caught.value)


async def test_targets_of_the_settings_are_changed_there(tmp_path: Path, inbox: Inbox) -> None:
    clock = VirtualClock()
    async with open_desk(tmp_path, clock, notify_urls=[SecretStr(inbox.url)]) as desk:
        target = await only_target(desk)
        with pytest.raises(Conflict, match="VIDEO_MANAGER_NOTIFY_URLS"):
            await desk.service.targets.remove(ADMIN, target.id)
    async with open_desk(tmp_path, clock) as desk:
        assert (await only_target(desk)).enabled is False
    async with open_desk(tmp_path, clock, notify_urls=[SecretStr(inbox.url)]) as desk:
        assert (await only_target(desk)).enabled is True


async def test_a_test_message_says_how_it_went(desk: Desk, inbox: Inbox) -> None:
    await desk.service.targets.create(ADMIN, "t", "Mail", inbox.url)
    assert (await desk.service.targets.send_test(ADMIN, "t")).delivered
    assert inbox.subjects() == ["Test from video-manager"]
    inbox.refusing = True
    answer = await desk.service.targets.send_test(ADMIN, "t")
    assert not answer.delivered
    assert "example.com" not in answer.detail


async def test_changing_respects_the_revision(desk: Desk, inbox: Inbox) -> None:
    made = await desk.service.targets.create(ADMIN, "t", "Mail", inbox.url)
    changed = await desk.service.targets.change(ADMIN, "t", name="Post", enabled=False, expected_revision=made.revision)
    assert (changed.value.name, changed.value.enabled) == ("Post", False)
    with pytest.raises(StaleRevision):
        await desk.service.targets.change(ADMIN, "t", name="Late", expected_revision=made.revision)
    await desk.service.targets.remove(ADMIN, "t")
    assert (await desk.service.targets.list(ADMIN)).items == ()


async def test_what_waits_for_a_removed_target_is_ended(desk: Desk, inbox: Inbox) -> None:
    await desk.service.targets.create(ADMIN, "t", "Mail", inbox.url)
    await desk.ready()
    await desk.service.targets.remove(ADMIN, "t")
    await desk.clock.advance(3 * 86400)
    await desk.parts.loop.prune()
    [delivery] = await deliveries(desk)
    assert (delivery.state, delivery.recipient_kind) == (DeliveryState.FAILED, RecipientKind.TARGET)
    assert delivery.last_error == "the target was removed or switched off"
