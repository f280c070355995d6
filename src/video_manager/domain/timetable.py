"""A channel's timetable: which publication has which moment. One document for each channel, changed by compare-and-set,
so that any number of schedulers and people agree on who goes when.

A turn is noted before its publication is changed. A process that dies in between leaves a turn that nobody uses: it
counts for FRESH only, unless its publication comes again and finds it.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from video_manager.domain.model import Frozen, Instant
from video_manager.domain.publication_model import Publication, PublicationState
from video_manager.domain.schedule import Limits, Opening, Others, PostingPolicy, SlotTime, free_slot

FRESH = timedelta(minutes=2)
"""How long a turn is believed whose publication does not show it yet."""


class TurnState(StrEnum):
    RESERVED = "reserved"
    STARTED = "started"
    DONE = "done"
    """It is public; nobody needs to look it up again."""


class Turn(Frozen):
    """`at` is when it is to go out, was begun, or became public."""

    publication_id: str
    at: Instant
    state: TurnState
    noted_at: Instant


class Timetable(Frozen):
    """`id` is the channel's."""

    id: str
    turns: tuple[Turn, ...] = ()

    def turn(self, publication_id: str) -> Turn | None:
        return next((turn for turn in self.turns if turn.publication_id == publication_id), None)


Seen = Mapping[str, Publication]
"""The publications of a timetable's turns, read just before; one that is missing was not there then."""


def believed(turn: Turn, publication: Publication | None, now: datetime) -> Turn | None:
    """The turn as it counts now; None: its publication does not use it."""
    if turn.state is TurnState.DONE:
        return turn
    at = _used_at(turn, publication, now) if publication is not None else None
    if at is not None:
        done = publication is not None and publication.state is PublicationState.PUBLISHED
        return turn.with_(at=at, state=TurnState.DONE if done else turn.state)
    unused = publication is not None and _came_to_nothing(turn, publication)
    return None if unused or now >= turn.noted_at + FRESH else turn


def _came_to_nothing(turn: Turn, publication: Publication) -> bool:
    """Somebody changed the publication since, or its attempt by this turn has ended without a post."""
    attempt = publication.attempt
    ended = attempt is not None and attempt.outcome is not None and attempt.started_at >= turn.noted_at
    return ended or publication.updated_at > turn.noted_at


def _used_at(turn: Turn, publication: Publication, now: datetime) -> datetime | None:
    """When its publication went or goes out by this turn. What is being uploaded becomes public later than it began, so
    it counts as of now."""
    attempt = publication.attempt
    if publication.state is PublicationState.PUBLISHED:
        return publication.published_at
    if attempt is not None and attempt.in_doubt:
        return attempt.entrusted_for or attempt.armed_at
    if publication.state is PublicationState.UPLOADING:
        return max(turn.at, now)
    # One that failed to be uploaded ahead of its time is due for another try before it.
    kept = publication.due_at == turn.at or (turn.state is TurnState.RESERVED and publication.publish_at == turn.at)
    return turn.at if kept and publication.state is PublicationState.SCHEDULED else None


def admit(
    table: Timetable, publication_id: str, now: datetime, limits: Limits, seen: Seen
) -> tuple[Timetable, Opening]:
    """May a due publication go out now? Then its turn begins; else it gets the first moment that is free.

    Who holds a turn whose time has come looks only at what was really begun: the others keep their distance from it.
    """
    mine = table.turn(publication_id)
    turns = _others(table, publication_id, now, limits, seen)
    begun = [turn.at for turn in turns if turn.state is not TurnState.RESERVED]
    every = [turn.at for turn in turns]
    owns = mine is not None and mine.at <= now
    opening = Others(begun if owns else every, limits).opening(now)
    if opening.at > now:
        later = Others(every, limits).opening(now)
        opening = Opening(later.at, opening.hold)
    state = TurnState.STARTED if opening.at <= now else TurnState.RESERVED
    turn = Turn(publication_id=publication_id, at=opening.at, state=state, noted_at=now)
    return table.with_(turns=(*turns, turn)), opening


def reserve(
    table: Timetable, publication_id: str, now: datetime, policy: PostingPolicy, limits: Limits, seen: Seen,
    planned: Collection[datetime],
) -> tuple[Timetable, SlotTime | None]:  # fmt: skip
    """The next free slot. `planned` are the times of the channel's other scheduled publications."""
    turns = _others(table, publication_id, now, limits, seen)
    slot = free_slot(policy, limits, now, {*planned, *(turn.at for turn in turns)})
    if slot is None:
        return table.with_(turns=turns), None
    turn = Turn(publication_id=publication_id, at=slot.at, state=TurnState.RESERVED, noted_at=now)
    return table.with_(turns=(*turns, turn)), slot


def hold(
    table: Timetable, publication_id: str, at: datetime, now: datetime, limits: Limits, seen: Seen
) -> tuple[Timetable, bool]:
    """Reserve exactly this moment, for what the platform is to publish by itself; False: a limit forbids it, and
    nothing changes."""
    turns = _others(table, publication_id, now, limits, seen)
    if Others([turn.at for turn in turns], limits).against(at) is not None:
        return table, False
    turn = Turn(publication_id=publication_id, at=at, state=TurnState.RESERVED, noted_at=now)
    return table.with_(turns=(*turns, turn)), True


def recall(table: Timetable, published: Mapping[str, datetime], now: datetime, limits: Limits) -> Timetable:
    """With the turns of what was published while nothing was limited."""
    known = {turn.publication_id for turn in table.turns}
    missing = [
        Turn(publication_id=id, at=at, state=TurnState.DONE, noted_at=now)
        for id, at in published.items()
        if id not in known and at + limits.memory > now
    ]
    return table.with_(turns=(*table.turns, *missing))


def counted(table: Timetable, now: datetime, limits: Limits, seen: Seen) -> tuple[Turn, ...]:
    """The turns that count now."""
    return _others(table, "", now, limits, seen)


def _others(table: Timetable, except_for: str, now: datetime, limits: Limits, seen: Seen) -> tuple[Turn, ...]:
    """The turns of other publications that still count."""
    found = (
        believed(turn, seen.get(turn.publication_id), now) for turn in table.turns if turn.publication_id != except_for
    )
    return tuple(turn for turn in found if turn is not None and (turn.at + limits.memory > now or turn.at >= now))
