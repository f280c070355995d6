"""What a turn of a timetable is worth, seen beside its publication."""

from datetime import datetime, timedelta

import pytest
from tests.unit.domain.test_publication import (
    NOW,
    action_required,
    armed,
    cancelled,
    failed,
    published,
    scheduled,
    uploading,
)

from video_manager.domain import publication as rules
from video_manager.domain.publication import Publication
from video_manager.domain.publication_times import goes_out, realign, resume
from video_manager.domain.schedule import Limits
from video_manager.domain.timetable import FRESH, Timetable, Turn, TurnState, admit, believed, recall
from video_manager.errors import InvalidTransition

MINUTE = timedelta(minutes=1)
LONG_AGO, SOON = NOW - timedelta(days=1), NOW + timedelta(hours=6)
LIMITS = Limits(30 * MINUTE)


def turn(at: datetime = NOW, state: TurnState = TurnState.STARTED, noted: datetime = LONG_AGO) -> Turn:
    return Turn(publication_id="p", at=at, state=state, noted_at=noted)


@pytest.mark.parametrize(
    ("publication", "counts_at"),
    [
        (published(), NOW),
        (armed(), NOW),
        (uploading(), NOW + MINUTE),  # it is not public yet
        (failed(), None),
        (cancelled(), None),
        (action_required(), None),
        (scheduled(), NOW),  # due when the turn says
        (scheduled(SOON), None),
        (None, None),
    ],
)
def test_an_old_turn_counts_while_its_publication_uses_it(
    publication: Publication | None, counts_at: datetime | None
) -> None:
    found = believed(turn(), publication, NOW + MINUTE)
    assert (found and found.at) == counts_at


@pytest.mark.parametrize("publication", [None, scheduled(SOON).with_(updated_at=LONG_AGO)])
def test_a_fresh_turn_is_believed_before_its_publication_shows_it(publication: Publication | None) -> None:
    fresh = turn(NOW, TurnState.RESERVED, NOW)
    assert believed(fresh, publication, NOW + FRESH - MINUTE) == fresh
    assert believed(fresh, publication, NOW + FRESH) is None


@pytest.mark.parametrize("make", [failed, cancelled, action_required])
def test_a_fresh_turn_whose_attempt_came_to_nothing_is_free(make: object) -> None:
    ended = make().with_(updated_at=NOW + MINUTE)  # type: ignore[operator]
    assert believed(turn(NOW, TurnState.STARTED, NOW), ended, NOW + MINUTE) is None


def test_a_reserved_time_stays_while_it_is_uploaded_ahead_and_tried_again() -> None:
    reserved = turn(SOON, TurnState.RESERVED)
    early = scheduled(SOON).with_(due_at=NOW + MINUTE)
    assert believed(reserved, early, NOW) == reserved
    assert believed(reserved, uploading().with_(publish_at=SOON), NOW) == reserved
    assert goes_out(early) == SOON


def test_who_comes_again_finds_the_turn_it_had() -> None:
    table, opening = admit(Timetable(id="c"), "p", NOW, LIMITS, {})
    assert (opening.at, opening.hold) == (NOW, None)
    again, opening = admit(table, "p", NOW + MINUTE, LIMITS, {})
    assert opening.at == NOW + MINUTE
    assert len(again.turns) == 1
    _, other = admit(again, "q", NOW + MINUTE, LIMITS, {})
    assert other.at == NOW + 31 * MINUTE


def test_what_is_too_old_to_count_is_forgotten() -> None:
    old = recall(Timetable(id="c"), {"p": NOW - timedelta(days=3), "q": NOW - MINUTE}, NOW, LIMITS)
    assert [one.publication_id for one in old.turns] == ["q"]
    table, _ = admit(old, "r", NOW + timedelta(hours=1), LIMITS, {})
    assert [one.publication_id for one in table.turns] == ["r"]


def test_resuming_leaves_what_waits_for_a_decision_about_its_time() -> None:
    asking = action_required().with_(missed_at=NOW)
    assert resume(asking, "Rita", NOW) is asking
    again = resume(action_required().with_(publish_at=LONG_AGO), "Rita", NOW)
    assert (again.state, again.due_at) == ("scheduled", LONG_AGO)
    with pytest.raises(InvalidTransition):
        resume(published(), "Rita", NOW)


def test_an_unchanged_zone_moves_nothing() -> None:
    local = rules.reschedule(scheduled(), "Rita", SOON, f"{SOON:%Y-%m-%dT%H:%M} UTC", NOW)
    assert realign(local, NOW) is local
    assert realign(scheduled(SOON), NOW).publish_at == SOON
