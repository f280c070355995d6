"""A platform, workers that die or come back late, impatient people, and the ledger's rules between them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from video_manager.domain import publication as rules
from video_manager.domain.publication import Approved, Failure, Publication, PublicationState
from video_manager.domain.video import MediaFile, MediaRole, Metadata
from video_manager.errors import InvalidTransition, LeaseLost

CALL_TIMEOUT = timedelta(seconds=60)
REFUSALS = (InvalidTransition, LeaseLost)
SELDOM = st.integers(0, 7).map(lambda value: value == 0)
"""For what ends a publication: in most runs the interesting part comes first."""


MASTER = MediaFile(id="m", role=MediaRole.MASTER, name="m.mp4", content_type="video/mp4", size_bytes=3, sha256="a" * 64)
APPROVED = Approved(
    video_id="v", version=1, channel_id="c", platform="folder", metadata=Metadata(), master=MASTER, approved_by="Rita"
)


@dataclass
class Worker:
    """A process with an attempt. It makes the publishing call only after its own `arm` was stored."""

    number: int
    hands_over: bool = False
    deadline: datetime | None = None
    called: bool = False
    landed: bool = False


class NeverTwice(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 11, 22, 12, tzinfo=UTC)
        self.workers: list[Worker] = []
        self.public = 0
        self.platform_at: datetime | None = None
        """When the platform publishes by itself."""
        self.withdrawn_unarmed = False

    @initialize(withdrawn_first=SELDOM)
    def begin(self, withdrawn_first: bool) -> None:
        created = rules.create("p", "a", APPROVED, self.now)
        if withdrawn_first:
            created = rules.fill(rules.tombstone("p", "a", "changed", self.now), created)
            self.withdrawn_unarmed = True
        self.ledger: Publication = created

    def move(self, decide: Callable[[Publication], Publication]) -> bool:
        """One compare-and-set on the stored document; False when the rules refused it."""
        try:
            moved = decide(self.ledger)
        except REFUSALS:
            return False
        self.ledger = Publication.model_validate(moved.model_dump(mode="json"))
        return True

    @rule(seconds=st.sampled_from([1, 30, 61]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        if self.platform_at is not None and self.platform_at <= self.now:
            self.platform_at = None
            self.public += 1

    @rule(reaches=st.sampled_from(["claim", "handle", "arm", "call"]), hands_over=st.booleans())
    def a_worker_begins(self, reaches: str, hands_over: bool = False) -> None:
        """And is interrupted after the named step; `a_worker_goes_on` may continue it at any later time."""
        early = timedelta(days=1) if hands_over else timedelta(0)
        if not self.move(lambda it: rules.claim(it, "w", self.now, early)):
            return
        assert self.ledger.attempt is not None
        self.workers.append(Worker(self.ledger.attempt.number, hands_over))
        for step in ("handle", "arm", "call")[: ("claim", "handle", "arm", "call").index(reaches)]:
            self.take_step(self.workers[-1], step)

    @precondition(lambda self: self.workers)
    @rule(back=st.integers(1, 3), step=st.sampled_from(["handle", "arm", "call"]))
    def a_worker_goes_on(self, back: int, step: str) -> None:
        self.take_step(self.workers[-min(back, len(self.workers))], step)

    def take_step(self, worker: Worker, step: str) -> None:
        """A call lands perhaps long after the observer gave the worker up, never after its own hard timeout."""
        if step == "handle":
            self.move(lambda it: rules.save_handle(it, worker.number, {"h": worker.number}))
        elif step == "arm":
            arm = rules.entrust if worker.hands_over else rules.arm
            if self.move(lambda it: arm(it, worker.number, self.now)):
                worker.deadline = self.now + CALL_TIMEOUT
        elif worker.deadline is not None and not worker.called and self.now < worker.deadline:
            worker.called = worker.landed = True
            if not worker.hands_over:
                self.public += 1
            else:
                attempt = next(one for one in self.ledger.attempts if one.number == worker.number)
                assert attempt.entrusted_for is not None
                self.platform_at = attempt.entrusted_for
                self.time_passes(0)

    @precondition(lambda self: self.workers)
    @rule(back=st.integers(1, 3))
    def a_worker_reports_success(self, back: int) -> None:
        worker = self.workers[-min(back, len(self.workers))]
        if worker.landed and worker.hands_over:
            self.move(lambda it: rules.await_platform(it, worker.number, "X", self.now))
        elif worker.landed:
            self.move(lambda it: rules.publish(it, worker.number, "x", "https://x", self.now))

    @precondition(lambda self: self.workers)
    @rule(back=st.integers(1, 3))
    def the_platform_refuses_to_keep_the_time(self, back: int) -> None:
        worker = self.workers[-min(back, len(self.workers))]
        if worker.hands_over and worker.deadline is not None and not worker.called:
            worker.called = True
            self.move(lambda it: rules.keep(it, worker.number, "no", self.now))

    @precondition(lambda self: self.workers)
    @rule(back=st.integers(1, 3), failure=st.sampled_from([None, *Failure]))
    def a_worker_reports_trouble(self, back: int, failure: Failure | None) -> None:
        worker = self.workers[-min(back, len(self.workers))]
        tries: list[Callable[[Publication], Publication]] = [
            lambda it: rules.doubt(it, worker.number, "lost", self.now, failure),
            lambda it: rules.postpone(it, worker.number, "busy", self.now, self.now),
            lambda it: rules.fail(it, worker.number, "refused", self.now),
            lambda it: rules.require_action(it, worker.number, "reconnect", self.now),
            lambda it: rules.hand_back(it, worker.number, self.now),
        ]
        kind = [None, *Failure].index(failure)
        if worker.called or not self.move(tries[kind + 1]):
            self.move(tries[0])

    @rule(counted=st.booleans())
    def the_observer_gives_the_worker_up(self, counted: bool) -> None:
        attempt = self.ledger.attempt
        if attempt is not None:
            limit = 3 if counted else None
            self.move(lambda it: rules.expire(it, attempt.number, attempt.renewals, limit, self.now))

    @rule(answers=st.integers(0, 3).map(bool), tries_left=st.integers(0, 3).map(bool), paused=SELDOM)
    def the_platform_is_asked(self, answers: bool, tries_left: bool, paused: bool = False) -> None:
        if not self.move(lambda it: rules.begin_asking(it, self.now, self.now)):
            return
        assert self.ledger.attempt is not None
        number = self.ledger.attempt.number
        if not answers:
            self.move(lambda it: rules.mark_unknown(it, number, "no answer", self.now, self.now))
        elif self.public:
            self.move(lambda it: rules.publish(it, number, "x", "https://x", self.now))
        elif rules.is_wanted_back(self.ledger, self.now, paused=paused):
            self.platform_at = None
            self.move(lambda it: rules.take_back(it, number, CALL_TIMEOUT, self.now))
        elif self.platform_at is not None:
            self.move(lambda it: rules.await_platform(it, number, "X", self.now))
        else:
            retry_at = self.now if tries_left else None
            self.move(lambda it: rules.mark_absent(it, number, CALL_TIMEOUT, retry_at, self.now))

    @rule()
    def a_person_retries(self) -> None:
        self.move(lambda it: rules.retry(it, "Rita", self.now))

    @rule(happens=SELDOM)
    def a_person_looks_and_resolves(self, happens: bool) -> None:
        """They look once the call is over, and say what they see."""
        calls_over = all(worker.deadline is None or self.now >= worker.deadline for worker in self.workers)
        if happens and (self.public or calls_over):
            self.move(lambda it: rules.resolve(it, "Rita", self.now, published=bool(self.public), url="https://x"))

    @rule(happens=SELDOM)
    def a_person_cancels(self, happens: bool) -> None:
        if happens:
            self.replan(lambda it: rules.cancel(it, "Rita", self.now))

    @rule(seconds=st.sampled_from([0, 100]))
    def a_person_moves_the_time(self, seconds: int) -> None:
        at = self.now + timedelta(seconds=seconds)
        self.replan(lambda it: rules.reschedule(it, "Rita", at, None, self.now))

    def replan(self, decide: Callable[[Publication], Publication]) -> None:
        """Where the platform keeps the time, it is taken back first; the process may die in between."""
        if not self.ledger.entrusted:
            self.move(decide)
        elif rules.may_be_taken_back(self.ledger, CALL_TIMEOUT, self.now) and not self.public:
            number = self.ledger.attempts[-1].number
            self.platform_at = None
            self.move(lambda it: decide(rules.take_back(it, number, CALL_TIMEOUT, self.now)))

    @rule(happens=SELDOM)
    def the_approval_is_withdrawn(self, happens: bool) -> None:
        _ = happens and self.move(lambda it: rules.withdraw(it, "changed", self.now))
        if self.ledger.state is PublicationState.WITHDRAWN and self.public == 0:
            self.withdrawn_unarmed = True

    @invariant()
    def never_public_twice(self) -> None:
        assert self.public <= 1

    @invariant()
    def published_is_true(self) -> None:
        if hasattr(self, "ledger") and self.ledger.state is PublicationState.PUBLISHED:
            assert self.public == 1
            assert any(attempt.armed_at is not None for attempt in self.ledger.attempts)

    @invariant()
    def withdrawn_stays_unpublished(self) -> None:
        if self.withdrawn_unarmed:
            assert self.public == 0
            assert self.ledger.state is PublicationState.WITHDRAWN


TestNeverTwice = NeverTwice.TestCase
TestNeverTwice.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


def test_a_call_that_lands_after_the_platform_said_absent_is_not_repeated() -> None:
    """The one path that random search seldom finds: the worker is given up, the platform says "absent", and only
    then its call arrives there."""
    world = NeverTwice()
    world.begin(withdrawn_first=False)
    world.a_worker_begins("arm")
    world.the_observer_gives_the_worker_up(counted=False)
    world.the_platform_is_asked(answers=True, tries_left=True)
    world.a_worker_goes_on(1, "call")
    world.a_worker_begins("call")
    assert world.public == 1
    world.time_passes(61)
    world.the_platform_is_asked(answers=True, tries_left=True)
    assert world.ledger.state is PublicationState.PUBLISHED


def handed_over(reaches: str) -> NeverTwice:
    """One that its platform is to publish in 100 seconds; its worker was interrupted after the named step."""
    world = NeverTwice()
    world.begin(withdrawn_first=False)
    world.a_person_moves_the_time(100)
    world.a_worker_begins(reaches, hands_over=True)
    return world


def test_a_hand_over_that_lands_after_the_cancelling_publishes_nothing() -> None:
    """The platform did not have the time yet, so there was nothing to take back; then the call arrives there."""
    world = handed_over("arm")
    world.the_observer_gives_the_worker_up(counted=False)
    world.a_person_cancels(happens=True)
    world.the_platform_is_asked(answers=True, tries_left=True, paused=True)
    world.a_worker_goes_on(1, "call")
    assert world.ledger.state is PublicationState.PENDING, "cancelling is refused while the call may still land"
    world.a_person_retries()
    world.the_platform_is_asked(answers=True, tries_left=True)
    world.a_person_cancels(happens=True)
    assert world.ledger.state is PublicationState.CANCELLED
    world.time_passes(61)
    world.time_passes(61)
    assert world.public == 0


def test_what_the_platform_is_to_publish_cannot_be_settled_as_not_published() -> None:
    world = handed_over("call")
    world.a_worker_reports_success(1)
    world.time_passes(61)
    world.a_person_looks_and_resolves(happens=True)
    world.a_person_retries()
    assert world.ledger.entrusted
    world.time_passes(61)
    assert world.public == 1
    world.the_platform_is_asked(answers=True, tries_left=True)
    assert world.ledger.state is PublicationState.PUBLISHED


def test_what_the_platform_lost_goes_out_from_here() -> None:
    world = handed_over("call")
    world.a_worker_reports_success(1)
    world.platform_at = None  # somebody took the time away there
    world.time_passes(61)
    world.time_passes(61)
    world.the_platform_is_asked(answers=True, tries_left=True)
    world.time_passes(61)
    world.the_platform_is_asked(answers=True, tries_left=True)
    world.a_worker_begins("call")
    world.a_worker_goes_on(1, "call")
    world.a_worker_reports_success(1)
    assert (world.public, world.ledger.state) == (1, PublicationState.PUBLISHED)
