"""The posts whose numbers are wanted: from being published until being withdrawn."""

from video_manager.contracts import events
from video_manager.domain.model import Frozen, Instant
from video_manager.ports import CollectionSpec
from video_manager.repository import Repository

TRACKED = CollectionSpec(
    "tracked_publications", indexed=("active", "due_at", "platform", "failures", "last_collected_at")
)


class TrackedPublication(Frozen):
    """`due_at` is when it is asked for next; moving it by compare-and-set claims the collection. `last_digest` is
    of the numbers last stored."""

    id: str
    platform: str
    channel_id: str
    external_id: str
    title: str = ""
    published_at: Instant
    active: bool = True
    due_at: Instant
    failures: int = 0
    last_error: str | None = None
    last_collected_at: Instant | None = None
    last_stored_at: Instant | None = None
    last_digest: str | None = None


async def track(tracked: Repository[TrackedPublication], body: events.PublicationPublished) -> None:
    """Begin; again, or after it was withdrawn, without effect. A platform without post ids states no numbers."""
    if body.external_id is None:
        return
    await tracked.add_if_absent(_tracked(body, body.external_id, active=True))


async def untrack(tracked: Repository[TrackedPublication], body: events.PublicationWithdrawn) -> None:
    """End; remembered even when it comes before the word of the publishing."""
    if await tracked.add_if_absent(_tracked(body, body.external_id or "", active=False)):
        return
    await tracked.change(body.publication_id, lambda current: current.with_(active=False))


def _tracked(
    body: events.PublicationPublished | events.PublicationWithdrawn, external_id: str, *, active: bool
) -> TrackedPublication:
    return TrackedPublication(
        id=body.publication_id, platform=body.platform, channel_id=body.channel_id, external_id=external_id,
        title=body.title, published_at=body.at, active=active, due_at=body.at,
    )  # fmt: skip
