"""The dry run says what the scheduler will do, and what stands in the way."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.publishing.conftest import RITA
from tests.integration.publishing.test_planning import DAY, EVENINGS, HOUR, MINUTE, MONDAY, Pair, pair

from video_manager.domain.publication import PublicationState
from video_manager.plugins.api import Token
from video_manager.publishing.access.vault import Secrets
from video_manager.publishing.channels import ChannelEdit
from video_manager.publishing.forecast import Plan

__all__ = ["pair"]


async def plan(pair: Pair, days: int = 7) -> Plan:
    return await pair.first.publishing.service.plan(RITA, days)


def kinds(found: Plan) -> list[list[str]]:
    return [[conflict.kind.value for conflict in item.conflicts] for item in found.items]


async def test_nothing_is_planned(pair: Pair) -> None:
    channel = await pair.channel()
    await pair.create(channel, 0, MONDAY + 8 * DAY)
    found = await plan(pair)
    assert (found.items, found.start, found.until) == ([], MONDAY, MONDAY + 7 * DAY)
    assert len((await plan(pair, 9)).items) == 1


@pytest.mark.parametrize(
    ("schedule", "offsets"),
    [
        ({}, [0, 1, 2, 3, 600]),
        ({"min_distance_minutes": 45}, [0, 1, 2, 3, 90]),
        ({"max_per_day": 2, "zone": "Asia/Tokyo"}, [0, 1, 2, 3, 4]),
        ({"max_per_day": 3, "min_distance_minutes": 20}, [10, 10, 10, 30, 700]),
    ],
)
async def test_what_is_planned_is_what_happens(pair: Pair, schedule: dict[str, object], offsets: list[int]) -> None:
    channel = await pair.channel(**schedule)
    for number, minutes in enumerate(offsets):
        await pair.create(channel, number, MONDAY + minutes * MINUTE)
    foreseen = {item.publication_id: item.expected_at for item in (await plan(pair)).items}
    assert (await pair.publication(f"{0:032}")).state is PublicationState.SCHEDULED  # nothing was changed
    await pair.run(MONDAY + 4 * DAY)
    happened = {one: (await pair.publication(one)).published_at for one in foreseen}
    assert happened == foreseen
    assert len(foreseen) == len(offsets)


async def test_what_already_waits_is_planned_for_its_turn(pair: Pair) -> None:
    channel = await pair.channel(min_distance_minutes=60)
    for number in range(4):
        await pair.create(channel, number, MONDAY)
    await pair.run(MONDAY)
    found = await plan(pair)
    assert [item.expected_at for item in found.items] == [MONDAY + hours * HOUR for hours in (1, 2, 3)]
    assert kinds(found) == [["distance"]] * 3
    assert found.items[0].conflicts[0].text == "this channel posts at least 60 minutes apart"


async def test_a_channel_that_is_paused_or_disabled_publishes_nothing(pair: Pair) -> None:
    channel = await pair.channel()
    await pair.create(channel, 0, MONDAY + HOUR)
    service = pair.first.publishing.service
    await service.edit_channel(RITA, channel, ChannelEdit(paused=True, enabled=False))
    found = await plan(pair)
    assert kinds(found) == [["channel_disabled", "channel_paused"]]
    assert found.items[0].expected_at is None
    assert "paused by Rita" in found.items[0].conflicts[1].text


@pytest.mark.parametrize(
    ("rule", "expected"), [("publish_now", MONDAY + DAY), ("next_slot", MONDAY.replace(hour=18) + DAY), ("ask", None)]
)
async def test_what_was_missed_follows_the_rule(pair: Pair, rule: str, expected: object) -> None:
    channel = await pair.channel(missed=rule, slots=EVENINGS)
    await pair.create(channel, 0, MONDAY + HOUR)
    await pair.jump(MONDAY + DAY)
    found = await plan(pair)
    assert kinds(found) == [["missed"]]
    assert found.items[0].expected_at == expected


async def test_a_channel_without_a_token_is_marked(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.integration.publishing.noting_publisher import Noting

    from video_manager.plugins.api import OAuth

    channel = await pair.channel()
    oauth = OAuth(authorize_url="https://a.example/", token_url="https://a.example/t", scopes=("a",), needed=("a",))
    monkeypatch.setattr(Noting, "oauth", oauth)
    await pair.create(channel, 0, MONDAY + HOUR)
    assert kinds(await plan(pair)) == [["not_connected"]]
    vault = pair.first.publishing.service._forecast._access.vault
    lasting = Secrets(token=Token("a", MONDAY - HOUR, "r", MONDAY + DAY), obtained_at=MONDAY - DAY)
    await vault.put(channel, lasting, MONDAY)
    assert kinds(await plan(pair)) == [[]]
    over = Secrets(token=Token("a", MONDAY - HOUR, "r", MONDAY - MINUTE), obtained_at=MONDAY - DAY)
    await vault.put(channel, over, MONDAY)
    found = await plan(pair)
    assert kinds(found) == [["not_connected"]]
    assert found.items[0].conflicts[0].text == (
        "the connection to Notes ended at 2026-11-23 11:59 UTC: connect it again"
    )


async def test_a_used_up_quota_is_marked_for_a_day(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.integration.publishing.noting_publisher import Noting

    from video_manager.plugins.api import Quota

    quota = Quota("posts", 1, timedelta(days=1))
    monkeypatch.setattr(Noting, "quotas", (quota,))
    channel = await pair.channel()
    await pair.create(channel, 0, MONDAY + HOUR)
    await pair.create(channel, 1, MONDAY + 3 * DAY)
    await pair.first.publishing.service._forecast._access.quotas.spend("noting", channel, quota)
    assert kinds(await plan(pair)) == [["quota"], []]


async def test_the_last_of_the_week_are_in_order(pair: Pair, tmp_path: Path) -> None:
    channel = await pair.channel(slots=EVENINGS, max_per_day=1)
    for number in range(6):
        await pair.create(channel, number, next_slot=True)
    found = await plan(pair, 30)
    assert [item.expected_at for item in found.items] == [MONDAY.replace(hour=18) + number * DAY for number in range(6)]
    assert kinds(found) == [[]] * 6
