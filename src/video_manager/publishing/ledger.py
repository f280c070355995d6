"""The publication ledger: every change of a publication is one write, together with the event that tells of it."""

from collections.abc import Callable, Sequence
from datetime import datetime

from video_manager.contracts.commands import CreatePublication, WithdrawPublication
from video_manager.contracts.envelope import Envelope, envelope
from video_manager.contracts.events import publication_event
from video_manager.domain import publication as rules
from video_manager.domain.publication import Approved, Outcome, Publication, PublicationState
from video_manager.ports import Clock, CollectionSpec, Op, Query, Where
from video_manager.repository import Change, Loaded, Repository, instant_text

FILE_PATHS = ("approved.master.id", "approved.thumbnail.id", "approved.captions.id")
PUBLICATIONS = CollectionSpec(
    "publications", indexed=("state", "due_at", "created_at", "approved.video_id", "approved.channel_id", *FILE_PATHS)
)
SOURCE = "publishing"
ASKED_STATES = (PublicationState.PENDING.value, PublicationState.UNKNOWN.value)
_LOOK = 100
ENDED_STATES = frozenset({PublicationState.PUBLISHED, PublicationState.CANCELLED, PublicationState.WITHDRAWN})

Decide = Callable[[Publication], Publication]


class Due:
    """One look at what is due, the longest waiting first. It is little as a rule, and one index finds it; the rest is
    looked at here. Only where much waits, as behind a paused channel, the store looks for it."""

    def __init__(self, publications: Repository[Publication], now: str, first: Sequence[Loaded[Publication]]) -> None:
        self._publications = publications
        self._now = now
        self._first = first

    @property
    def may_have_uploads(self) -> bool:
        """False: there are none, for whatever channel."""
        return len(self._first) == _LOOK or any(one.value.state is PublicationState.SCHEDULED for one in self._first)

    async def uploads(self, channel_ids: Sequence[str], limit: int) -> list[Loaded[Publication]]:
        """Scheduled ones of these channels."""
        if not channel_ids or limit < 1:
            return []
        return await self._of((PublicationState.SCHEDULED.value,), limit, channel_ids)

    async def questions(self, limit: int = 20) -> list[Loaded[Publication]]:
        """Armed ones about which the platform is to be asked now."""
        return await self._of(ASKED_STATES, limit)

    async def _of(
        self, states: Sequence[str], limit: int, channel_ids: Sequence[str] | None = None
    ) -> list[Loaded[Publication]]:
        if len(self._first) < _LOOK:
            wanted = [
                loaded for loaded in self._first
                if loaded.value.state.value in states
                and (channel_ids is None or loaded.value.content.channel_id in channel_ids)
            ]  # fmt: skip
            return wanted[:limit]
        where = [Where("state", Op.IN, list(states)), Where("due_at", Op.LE, self._now)]
        if channel_ids is not None:
            where.append(Where("approved.channel_id", Op.IN, list(channel_ids)))
        return await self._publications.find(Query(tuple(where), order_by="due_at", limit=limit))


class Ledger:
    """Moves publications by the rules of `domain.publication`, and finds the ones that are due."""

    def __init__(self, publications: Repository[Publication], clock: Clock) -> None:
        self._publications = publications
        self._clock = clock

    async def move(
        self, id: str, decide: Decide, *, handled: str | None = None, expected_revision: int | None = None
    ) -> Loaded[Publication]:
        """Load, decide, save once. Raises what the rules raise (InvalidTransition, LeaseLost)."""

        def decided(before: Publication) -> Change[Publication]:
            after = decide(before)
            if not _is_told(before, after):
                return Change(after)
            after = after.with_(told=before.told + 1)
            return Change(after, (_event(after, self._clock.now()),))

        return await self._publications.change(id, decided, handled=handled, expected_revision=expected_revision)

    async def insert(
        self, command: CreatePublication, platform: str, message: Envelope, decide: Decide = lambda made: made
    ) -> None:
        """The create command: inserts if absent; a tombstone gets its content and stays withdrawn. `decide` may change
        what is inserted."""
        now = self._clock.now()
        created = decide(_created(command, platform, now).with_(told=1))
        event = _event(created, now)
        if not await self._publications.add_if_absent(created, [event], handled=message.id):
            await self.move(created.id, lambda there: rules.fill(there, created), handled=message.id)

    async def withdraw(self, command: WithdrawPublication, message: Envelope) -> None:
        """The withdraw command; one that comes first leaves a tombstone."""
        now = self._clock.now()
        stone = rules.tombstone(command.publication_id, command.approval_id, command.reason, now)
        if not await self._publications.add_if_absent(stone, handled=message.id):
            await self.move(stone.id, lambda there: rules.withdraw(there, command.reason, now), handled=message.id)

    async def due(self) -> Due:
        """What is due now."""
        now = instant_text(self._clock.now())
        where = (Where("due_at", Op.GT, ""), Where("due_at", Op.LE, now))
        first = await self._publications.find(Query(where, order_by="due_at", limit=_LOOK))
        return Due(self._publications, now, first)

    async def due_soon(self, until: datetime, limit: int = 100) -> list[Loaded[Publication]]:
        """Scheduled ones whose time comes by then and that nobody has uploaded yet."""
        soon = (Where("due_at", Op.GT, instant_text(self._clock.now())), Where("due_at", Op.LE, instant_text(until)))
        found = await self._publications.find(Query(soon, order_by="due_at", limit=limit))
        return [
            loaded for loaded in found
            if loaded.value.state is PublicationState.SCHEDULED and not loaded.value.staged
            and loaded.value.due_at == loaded.value.publish_at
        ]  # fmt: skip

    async def keeps_time(self, channel_ids: Sequence[str], until: datetime, limit: int = 100) -> list[Publication]:
        """Scheduled ones of these channels that go out by then, at their own time, and that no worker has uploaded; or
        whose platform gave the time back."""
        if not channel_ids:
            return []
        where = (
            Where("state", Op.EQ, PublicationState.SCHEDULED.value),
            Where("due_at", Op.GT, instant_text(self._clock.now())), Where("due_at", Op.LE, instant_text(until)),
            Where("approved.channel_id", Op.IN, list(channel_ids)),
        )  # fmt: skip
        found = await self._publications.find(Query(where, order_by="due_at", limit=limit))
        return [
            one.value for one in found
            if one.value.due_at == one.value.publish_at
            and (one.value.attempt is None or one.value.attempt.outcome is not Outcome.STAGED)
        ]  # fmt: skip

    async def entrusted(self, channel_id: str) -> list[Publication]:
        """Those whose time the channel's platform keeps."""
        where = (Where("approved.channel_id", Op.EQ, channel_id),
                 Where("state", Op.EQ, PublicationState.PENDING.value))  # fmt: skip
        found = await self._publications.find(Query(where, limit=1000))
        return [one.value for one in found if one.value.entrusted]

    async def uploading(self) -> list[Loaded[Publication]]:
        return await self._publications.find(
            Query((Where("state", Op.EQ, PublicationState.UPLOADING.value),), limit=1000)
        )


def _is_told(before: Publication, after: Publication) -> bool:
    """Whether others are to hear of the change."""
    made_to_wait = after.waits_for is not None and after.due_at != before.due_at
    moved = after.state is PublicationState.SCHEDULED and (after.publish_at != before.publish_at or made_to_wait)
    filled = before.approved is None and after.approved is not None
    return after.approved is not None and (after.state is not before.state or moved or filled)


def _created(command: CreatePublication, platform: str, now: datetime) -> Publication:
    approved = Approved(
        video_id=command.video_id, version=command.version, channel_id=command.channel_id, platform=platform,
        metadata=command.metadata, master=command.master, thumbnail=command.thumbnail, captions=command.captions,
        approved_by=command.approved_by, options=command.options, text_sha256=command.text_sha256,
    )  # fmt: skip
    return rules.create(
        command.publication_id, command.approval_id, approved, now,
        publish_at=command.publish_at, requested_local=command.requested_local,
    )  # fmt: skip


def progress_hint(publication: Publication, now: datetime) -> Envelope:
    """How far the upload is, for watchers only: the same event as when it began, with the stage as its detail."""
    attempt = publication.attempts[-1]
    return _event(publication, now, f"{attempt.stage} ({attempt.progress:.0%})")


def _event(publication: Publication, now: datetime, detail: str | None = None) -> Envelope:
    content = publication.content
    scheduled = publication.state is PublicationState.SCHEDULED
    body = publication_event(publication.state.value)(
        publication_id=publication.id, approval_id=publication.approval_id, video_id=content.video_id,
        version=content.version, channel_id=content.channel_id, platform=content.platform,
        title=content.metadata.title, detail=detail or publication.error or publication.waits_for or "",
        external_id=publication.external_id, url=publication.url,
        at=(publication.due_at or now) if scheduled else now, sequence=publication.told,
    )  # fmt: skip
    return envelope(body, source=SOURCE, subject=publication.id, now=now, correlation_id=content.video_id)
