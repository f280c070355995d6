"""The dry run: what will be published when, and what stands in the way, by the same rules as on the day."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel

from video_manager.domain import publication_times as times
from video_manager.domain.access import Actor, Right
from video_manager.domain.channel import Channel
from video_manager.domain.publication import Publication, PublicationState
from video_manager.domain.schedule import Hold, Limits, MissedRule, Others, free_slot
from video_manager.domain.timetable import Turn, TurnState
from video_manager.errors import ActionRequiredError, InvalidInput
from video_manager.ports import Clock, Op, Query, Where
from video_manager.publishing.access.service import AccessService
from video_manager.publishing.channels import ChannelService
from video_manager.publishing.planning import Planner
from video_manager.publishing.platforms import Platforms
from video_manager.repository import Repository, instant_text

MOST_DAYS = 60
_MOST = 2000
_QUOTAS_LAST = timedelta(days=1)
"""What is used up of a quota now says nothing of later days."""


class Obstacle(StrEnum):
    """What keeps a publication from its time, or from going out at all."""

    MISSED = "missed"
    DISTANCE = "distance"
    CAP = "cap"
    CHANNEL_PAUSED = "channel_paused"
    CHANNEL_DISABLED = "channel_disabled"
    NOT_CONNECTED = "not_connected"
    QUOTA = "quota"


class PlanConflict(BaseModel):
    kind: Obstacle
    text: str


class PlannedPost(BaseModel):
    """`expected_at` is when it will go out as things are; null: not before a person does something. `handed_over`: the
    platform publishes it by itself, whatever happens here."""

    publication_id: str
    video_id: str
    version: int
    title: str
    channel_id: str
    channel_name: str
    platform: str
    publish_at: datetime | None
    requested_local: str | None
    expected_at: datetime | None
    handed_over: bool = False
    conflicts: list[PlanConflict]


class Plan(BaseModel):
    """In the order in which they go out; what waits for a person comes last."""

    start: datetime
    until: datetime
    items: list[PlannedPost]


@dataclass
class _Lane:
    """One channel in the simulation: what went out, what has a time, and what was given one here."""

    channel: Channel
    limits: Limits
    turns: Sequence[Turn]
    obstacles: list[PlanConflict]
    planned: dict[str, datetime]
    given: list[datetime] = field(default_factory=list)

    def others(self, id: str, *, begun: bool) -> Others:
        turns = [
            turn.at for turn in self.turns
            if turn.publication_id != id and not (turn.state is TurnState.RESERVED and (begun or turn.at in self.given))
        ]  # fmt: skip
        return Others([*turns, *self.given], self.limits)


class Forecast:
    def __init__(
        self, publications: Repository[Publication], channels: ChannelService, planner: Planner, platforms: Platforms,
        access: AccessService, clock: Clock,
    ) -> None:  # fmt: skip
        self._publications = publications
        self._channels = channels
        self._planner = planner
        self._platforms = platforms
        self._access = access
        self._clock = clock

    async def plan(self, actor: Actor, days: int = 7) -> Plan:
        """What is scheduled for the next days. Nothing is reserved or changed."""
        actor.require(Right.VIEW)
        now = self._clock.now()
        until = now + timedelta(days=days)
        scheduled = (Where("state", Op.EQ, PublicationState.SCHEDULED.value),
                     Where("due_at", Op.LE, instant_text(until)))  # fmt: skip
        found = [one.value for one in await self._publications.find(Query(scheduled, order_by="due_at", limit=_MOST))]
        ahead = Where("state", Op.IN, [PublicationState.UPLOADING.value, PublicationState.PENDING.value])
        found += [
            one.value for one in await self._publications.find(Query((ahead,), limit=_MOST))
            if one.value.publish_at is not None and now < one.value.publish_at <= until
            and (one.value.state is PublicationState.UPLOADING or one.value.entrusted)
        ]  # fmt: skip
        by_channel: dict[str, list[Publication]] = {}
        for publication in found:
            by_channel.setdefault(publication.content.channel_id, []).append(publication)
        channels = {channel.id: channel for channel in await self._channels.all()}
        items: list[PlannedPost] = []
        for id, waiting in by_channel.items():
            if id in channels:
                lane = await self._lane(channels[id], waiting, now)
                in_order = sorted(waiting, key=lambda one: times.goes_out(one) or now)
                items += [_plan(lane, publication, now) for publication in in_order]
        items.sort(key=lambda item: (item.expected_at is None, item.expected_at or item.publish_at or now))
        return Plan(start=now, until=until, items=items)

    async def _lane(self, channel: Channel, waiting: Sequence[Publication], now: datetime) -> _Lane:
        limits = self._planner.limits(channel)
        turns = await self._planner.turns(channel, limits)
        planned = {one.id: times.goes_out(one) or now for one in waiting}
        return _Lane(channel, limits, turns, await self._obstacles(channel, now), planned)

    async def _obstacles(self, channel: Channel, now: datetime) -> list[PlanConflict]:
        """What holds for the whole channel."""
        found = []
        if not channel.enabled or channel.deleted_at is not None:
            found.append(PlanConflict(kind=Obstacle.CHANNEL_DISABLED, text="the channel is disabled: enable it"))
        if channel.paused:
            why = f": {channel.paused_reason}" if channel.paused_reason else ""
            found.append(PlanConflict(kind=Obstacle.CHANNEL_PAUSED, text=f"the channel is paused{why}"))
        broken = await self._broken_connection(channel, now)
        if broken is not None:
            found.append(PlanConflict(kind=Obstacle.NOT_CONNECTED, text=broken))
        found += [PlanConflict(kind=Obstacle.QUOTA, text=text) for text in await self._used_up(channel)]
        return found

    async def _broken_connection(self, channel: Channel, now: datetime) -> str | None:
        try:
            publisher = self._platforms.kind(channel.platform)
            secrets = await self._access.secrets(channel.id)
        except (InvalidInput, ActionRequiredError) as error:
            return error.detail
        token = secrets.token
        if publisher.oauth is None or publisher.token_option in secrets.options:
            return None
        if token is None:
            return f"the channel is not connected to {publisher.title}: connect it"
        ended = token.refresh_expires_at or (token.expires_at if token.refresh is None else None)
        if ended is not None and ended <= now:
            return f"the connection to {publisher.title} ended at {ended:%Y-%m-%d %H:%M} UTC: connect it again"
        return None

    async def _used_up(self, channel: Channel) -> list[str]:
        try:
            publisher = self._platforms.kind(channel.platform)
        except InvalidInput:
            return []
        return [
            f"{publisher.title}: all {quota.limit} {quota.name} are used up now; it waits until some are free"
            for quota in publisher.quotas
            if await self._access.quotas.used(publisher.name, channel.id, quota) >= quota.limit
        ]


_BLOCKING = frozenset({Obstacle.CHANNEL_DISABLED, Obstacle.CHANNEL_PAUSED, Obstacle.NOT_CONNECTED})


def _plan(lane: _Lane, publication: Publication, now: datetime) -> PlannedPost:
    """Give it its time in the simulation, as the scheduler would."""
    content, conflicts = publication.content, list(lane.obstacles)
    expected: datetime | None
    if publication.entrusted:
        conflicts, expected = [], publication.publish_at
    else:
        expected = _expected(lane, publication, now, conflicts)
    if any(conflict.kind in _BLOCKING for conflict in conflicts):
        expected = None
    if expected is None or expected > now + _QUOTAS_LAST:
        conflicts = [conflict for conflict in conflicts if conflict.kind is not Obstacle.QUOTA]
    if expected is not None:
        lane.given.append(expected)
    lane.planned.pop(publication.id, None)
    return PlannedPost(
        publication_id=publication.id, video_id=content.video_id, version=content.version,
        title=content.metadata.title, channel_id=lane.channel.id, channel_name=lane.channel.name,
        platform=content.platform, publish_at=publication.publish_at, requested_local=publication.requested_local,
        expected_at=expected, handed_over=publication.entrusted, conflicts=conflicts,
    )  # fmt: skip


def _expected(lane: _Lane, publication: Publication, now: datetime, conflicts: list[PlanConflict]) -> datetime | None:
    policy, due = lane.channel.schedule, times.goes_out(publication) or now
    if publication.waits_for is not None:
        conflicts.append(PlanConflict(kind=_kind(publication.waits_for, lane.limits), text=publication.waits_for))
    if times.is_missed(publication, policy, now):
        conflicts.append(PlanConflict(kind=Obstacle.MISSED, text=_MISSED[policy.missed]))
        if policy.missed is MissedRule.ASK:
            return None
        if policy.missed is MissedRule.NEXT_SLOT:
            taken = {*lane.given, *lane.planned.values(), *(turn.at for turn in lane.turns)}
            slot = free_slot(policy, lane.limits, now, taken)
            return slot.at if slot else None
    wanted = max(due, now)
    owns = any(turn.publication_id == publication.id and turn.at == due for turn in lane.turns)
    opening = lane.others(publication.id, begun=owns).opening(wanted)
    if opening.hold is not None:
        kind = Obstacle.DISTANCE if opening.hold is Hold.DISTANCE else Obstacle.CAP
        conflicts.append(PlanConflict(kind=kind, text=lane.limits.words(opening.hold)))
    return opening.at


_MISSED = {
    MissedRule.PUBLISH_NOW: "its time has passed: it goes out as soon as it can",
    MissedRule.NEXT_SLOT: "its time has passed: it goes to the next free slot",
    MissedRule.ASK: "its time has passed: you will be asked whether to publish it now or to move it",
}


def _kind(words: str, limits: Limits) -> Obstacle:
    return Obstacle.DISTANCE if words == limits.words(Hold.DISTANCE) else Obstacle.CAP
