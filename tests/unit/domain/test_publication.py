from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from video_manager.domain import publication as rules
from video_manager.domain.publication import Approved, Failure, Outcome, Publication, PublicationState
from video_manager.domain.publication_attempts import KEPT_ATTEMPTS
from video_manager.domain.video import MediaFile, MediaRole, Metadata
from video_manager.errors import InvalidTransition, LeaseLost, NotFound

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
TRUST = timedelta(seconds=60)
S = PublicationState


def approved() -> Approved:
    master = MediaFile(
        id="m", role=MediaRole.MASTER, name="m.mp4", content_type="video/mp4", size_bytes=3, sha256="a" * 64
    )
    return Approved(
        video_id="v", version=1, channel_id="c", platform="folder", metadata=Metadata(title="T"), master=master,
        approved_by="Rita",
    )  # fmt: skip


def scheduled(publish_at: datetime | None = None) -> Publication:
    return rules.create("p", "a", approved(), NOW, publish_at=publish_at)


def uploading() -> Publication:
    return rules.claim(scheduled(), "w", NOW)


def armed() -> Publication:
    return rules.arm(rules.save_handle(uploading(), 1, {"id": "h"}), 1, NOW)


def pending() -> Publication:
    return rules.doubt(armed(), 1, "no answer", NOW)


def unknown() -> Publication:
    return rules.mark_unknown(pending(), 1, "cannot be asked", None, NOW)


def published() -> Publication:
    return rules.publish(armed(), 1, "x", "https://x", NOW)


def failed() -> Publication:
    return rules.fail(uploading(), 1, "refused", NOW)


def action_required() -> Publication:
    return rules.require_action(uploading(), 1, "reconnect", NOW)


def cancelled() -> Publication:
    return rules.cancel(scheduled(), "Rita", NOW)


def withdrawn() -> Publication:
    return rules.withdraw(scheduled(), "text changed", NOW)


ALL: dict[str, Callable[[], Publication]] = {
    "scheduled": scheduled, "uploading": uploading, "armed": armed, "pending": pending, "unknown": unknown,
    "published": published, "failed": failed, "action_required": action_required, "cancelled": cancelled,
    "withdrawn": withdrawn,
}  # fmt: skip


def refused_from(allowed: set[str], act: Callable[[Publication], Publication]) -> None:
    for name, make in ALL.items():
        if name in allowed:
            act(make())
        else:
            with pytest.raises((InvalidTransition, LeaseLost)):
                act(make())


def test_only_what_the_rules_allow_is_allowed() -> None:
    refused_from({"scheduled"}, lambda it: rules.claim(it, "w", NOW))
    refused_from({"uploading", "armed"}, lambda it: rules.renew(it, 1, 0.5, "half"))
    refused_from({"uploading"}, lambda it: rules.save_handle(it, 1, {}))
    refused_from({"uploading"}, lambda it: rules.postpone(it, 1, "later", LATER, NOW))
    refused_from({"uploading"}, lambda it: rules.hand_back(it, 1, NOW))
    refused_from({"armed", "pending", "unknown", "published"}, lambda it: rules.publish(it, 1, "x", None, NOW))
    refused_from({"armed", "pending", "unknown"}, lambda it: rules.mark_absent(it, 1, TRUST, LATER, NOW))
    refused_from({"pending"}, lambda it: rules.begin_asking(it, LATER, NOW))
    refused_from({"pending", "unknown"}, lambda it: rules.resolve(it, "Rita", NOW, published=False))
    refused_from({"scheduled", "uploading", "failed", "action_required"}, lambda it: rules.cancel(it, "Rita", NOW))
    refused_from(
        {"pending", "unknown", "failed", "action_required", "cancelled"}, lambda it: rules.retry(it, "Rita", NOW)
    )
    refused_from({"scheduled", "action_required"}, lambda it: rules.reschedule(it, "Rita", LATER, None, NOW))


def test_a_claim_waits_for_its_time() -> None:
    with pytest.raises(InvalidTransition, match="not due"):
        rules.claim(scheduled(LATER), "w", NOW)
    assert rules.claim(scheduled(LATER), "w", LATER).state is S.UPLOADING


def test_arming_needs_a_stored_handle_and_happens_once() -> None:
    with pytest.raises(InvalidTransition, match="no stored handle"):
        rules.arm(uploading(), 1, NOW)
    with pytest.raises(InvalidTransition, match="only ask"):
        rules.arm(armed(), 1, NOW)


def test_nothing_is_published_without_being_armed() -> None:
    with pytest.raises(InvalidTransition, match="never armed"):
        rules.publish(uploading(), 1, "x", None, NOW)


def test_the_handle_is_fixed_once_armed() -> None:
    with pytest.raises(InvalidTransition, match="only ask"):
        rules.save_handle(armed(), 1, {"id": "other"})


def test_an_expired_attempt_starts_again_unless_armed() -> None:
    again = rules.expire(uploading(), 1, 0, None, NOW)
    assert (again.state, again.due_at) == (S.SCHEDULED, NOW)
    assert again.attempt is not None
    assert again.attempt.outcome is Outcome.EXPIRED
    asked = rules.expire(armed(), 1, 0, None, NOW)
    assert (asked.state, asked.in_doubt) == (S.PENDING, True)


def test_a_lease_that_was_renewed_meanwhile_does_not_expire() -> None:
    renewed = rules.renew(uploading(), 1, 0.1, "copying")
    assert rules.expire(renewed, 1, 0, None, NOW) is renewed


def test_a_publication_that_takes_down_its_workers_fails_in_the_end() -> None:
    publication = scheduled()
    for crash in range(1, 4):
        publication = rules.expire(rules.claim(publication, "w", NOW), crash, 0, 3, NOW)
    assert publication.state is S.FAILED
    assert "3 times" in (publication.error or "")


def test_absent_is_trusted_only_when_the_call_can_no_longer_land() -> None:
    early = rules.mark_absent(pending(), 1, TRUST, NOW, NOW + TRUST - timedelta(seconds=1))
    assert (early.state, early.due_at, early.in_doubt) == (S.PENDING, NOW + TRUST, True)
    late = rules.mark_absent(early, 1, TRUST, LATER, NOW + TRUST)
    assert (late.state, late.due_at, late.in_doubt) == (S.SCHEDULED, LATER, False)


@pytest.mark.parametrize(
    ("failure", "state"),
    [
        (None, S.SCHEDULED),
        (Failure.RETRYABLE, S.SCHEDULED),
        (Failure.ACTION_REQUIRED, S.ACTION_REQUIRED),
        (Failure.PERMANENT, S.FAILED),
    ],
)
def test_what_failed_in_the_call_decides_after_the_post_is_known_to_be_absent(
    failure: Failure | None, state: PublicationState
) -> None:
    doubtful = rules.doubt(armed(), 1, "the reason", NOW, failure)
    assert rules.mark_absent(doubtful, 1, TRUST, LATER, LATER).state is state


def test_absent_after_enough_tries_fails() -> None:
    gone = rules.mark_absent(pending(), 1, TRUST, None, LATER)
    assert gone.state is S.FAILED
    assert "gave up" in (gone.error or "")


def test_success_is_believed_late_but_only_until_another_attempt_is_armed() -> None:
    absent = rules.mark_absent(pending(), 1, TRUST, LATER, LATER)
    assert rules.publish(absent, 1, "x", None, LATER).state is S.PUBLISHED
    second = rules.claim(absent, "w2", LATER)
    late = rules.publish(second, 1, "x", None, LATER)
    assert late.state is S.PUBLISHED
    with pytest.raises(LeaseLost):
        rules.arm(late, 2, LATER)
    with pytest.raises(LeaseLost):
        rules.publish(rules.arm(rules.save_handle(second, 2, {}), 2, LATER), 1, "x", None, LATER)


def test_retrying_what_may_be_public_only_asks_again() -> None:
    again = rules.retry(unknown(), "Rita", LATER)
    assert (again.state, again.due_at, again.in_doubt) == (S.PENDING, LATER, True)
    assert rules.retry(failed(), "Rita", LATER).state is S.SCHEDULED


def test_action_required_keeps_the_doubt() -> None:
    stuck = rules.require_action(pending(), 1, "reconnect", NOW)
    assert stuck.in_doubt
    with pytest.raises(InvalidTransition, match="resolve it"):
        rules.cancel(stuck, "Rita", NOW)


def test_an_attempt_asks_a_person_once_or_is_over() -> None:
    assert [rules.asks(it, 1) for it in (uploading(), pending(), unknown().with_(due_at=LATER))] == [None] * 3
    assert [rules.asks(it, 1) for it in (action_required(), rules.require_action(pending(), 1, "reconnect", NOW))] == [
        True, True,
    ]  # fmt: skip
    assert rules.asks(rules.retry(action_required(), "Rita", NOW), 1), "asked, whatever came of it"
    over = rules.hand_back(uploading(), 1, NOW)
    assert [rules.asks(it, 1) for it in (over, rules.claim(over, "w2", NOW))] == [False, False]
    assert rules.asks(unknown(), 1) is False, "nobody asks the platform any more"
    assert rules.asks(uploading(), 99), "so long ago that it is not kept"


def test_whoever_waits_for_the_answer_to_another_is_tried_again_afterwards() -> None:
    failed_so = rules.doubt(pending(), 1, "the token is dead", NOW, Failure.ACTION_REQUIRED).with_(asked=3)
    waiting = rules.wait_for_another(failed_so, 1, "the token is dead", LATER, NOW)
    assert (waiting.state, waiting.due_at, waiting.asked, waiting.in_doubt) == (S.PENDING, LATER, 2, True)
    again = rules.mark_absent(waiting, 1, timedelta(0), LATER, LATER)
    assert again.state is S.SCHEDULED


def test_a_person_resolves_what_nobody_can_ask() -> None:
    found = rules.resolve(unknown(), "Rita", NOW, published=True, url="https://x/1")
    assert (found.state, found.url, found.history[-1].by) == (S.PUBLISHED, "https://x/1", "Rita")
    missing = rules.resolve(unknown(), "Rita", NOW, published=False)
    assert missing.state is S.FAILED
    assert rules.retry(missing, "Rita", NOW).state is S.SCHEDULED


def test_a_withdrawal_stops_everything_that_is_not_armed() -> None:
    for make in (scheduled, uploading, failed, action_required, cancelled):
        gone = rules.withdraw(make(), "text changed", NOW)
        assert gone.state is S.WITHDRAWN
        assert gone.withdrawal is not None
        assert not gone.withdrawal.refused
    with pytest.raises(LeaseLost):
        rules.save_handle(rules.withdraw(uploading(), "text changed", NOW), 1, {})


def test_a_withdrawal_of_what_may_be_public_is_refused_and_remembered() -> None:
    for make in (armed, pending, unknown, published):
        kept = rules.withdraw(make(), "text changed", NOW)
        assert kept.state is make().state
        assert kept.withdrawal is not None
        assert kept.withdrawal.refused
    absent = rules.mark_absent(rules.withdraw(pending(), "text changed", NOW), 1, TRUST, LATER, LATER)
    assert absent.state is S.WITHDRAWN
    assert rules.resolve(rules.withdraw(unknown(), "x", NOW), "Rita", NOW, published=False).state is S.WITHDRAWN


def test_a_withdrawal_that_came_first_wins() -> None:
    stone = rules.tombstone("p", "a", "text changed", NOW)
    with pytest.raises(NotFound):
        _ = stone.content
    filled = rules.fill(stone, scheduled())
    assert (filled.state, filled.content.video_id, filled.due_at) == (S.WITHDRAWN, "v", None)
    with pytest.raises(InvalidTransition, match="approve the version again"):
        rules.retry(filled, "Rita", NOW)


def test_a_repeated_create_changes_nothing() -> None:
    there = published()
    assert rules.fill(there, scheduled()) is there


def test_moving_the_time_is_written_down() -> None:
    moved = rules.reschedule(scheduled(), "Rita", LATER, "2026-11-22T14:00 Europe/Berlin", NOW)
    assert (moved.due_at, moved.publish_at, moved.history[-1].action) == (LATER, LATER, "rescheduled")
    sooner = rules.reschedule(moved, "Rita", None, None, NOW)
    assert (sooner.due_at, sooner.publish_at) == (NOW, None)


def test_the_lists_in_the_document_stay_bounded() -> None:
    publication = scheduled()
    for number in range(1, KEPT_ATTEMPTS + 10):
        publication = rules.postpone(rules.claim(publication, "w", NOW), number, "busy", NOW, NOW)
    assert len(publication.attempts) == KEPT_ATTEMPTS
    assert publication.attempts[-1].number == KEPT_ATTEMPTS + 9
