"""What people read."""

from datetime import UTC, datetime

import pytest

from video_manager.contracts import events
from video_manager.contracts.envelope import Body
from video_manager.domain.video import Recipe, RenderSpec
from video_manager.notifications.events import PUBLIC_EVENTS
from video_manager.notifications.model import Kind, Level
from video_manager.notifications.texts import describe_event, describe_many

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SPEC = RenderSpec(generator="story", options={}, seed=1, recipe=Recipe())
VERSION = {"video_id": "v1", "version": 2, "title": "Tides", "created_by": "Ada"}
PUBLICATION = {
    "publication_id": "p", "approval_id": "a", "video_id": "v1", "version": 1, "channel_id": "c", "platform": "site",
    "title": "Tides", "at": NOON,
}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "kind", "level", "title", "says"),
    [
        (events.VersionCreated(spec=SPEC, **VERSION), Kind.CREATED, Level.INFO,
         "“Tides” (version 2) was requested", "Requested by Ada; made with story"),
        (events.VersionReady(findings=1, duration_seconds=31.4, **VERSION), Kind.READY, Level.SUCCESS,
         "“Tides” (version 2) is ready for review", "noticed one thing. It is 31 s long."),
        (events.VersionFailed(error="no space " * 100, **VERSION), Kind.FAILED, Level.ERROR,
         "“Tides” (version 2) failed", "…\nOpen it to see the details"),
        (events.ReviewDecided(video_id="v1", version=1, decision="reject", reason="too loud", author="Rob"),
         Kind.DECIDED, Level.WARNING, "Untitled video was rejected", "Decided by Rob. Reason: too loud"),
        (events.PublicationPublished(url="https://x/watch/p", **PUBLICATION), Kind.PUBLISHED, Level.SUCCESS,
         "“Tides” is published on site", "https://x/watch/p"),
        (events.PublicationFailed(**PUBLICATION), Kind.PUBLICATION_FAILED, Level.ERROR,
         "“Tides” could not be published on site", "gave no reason"),
        (events.PublicationUnknown(**PUBLICATION), Kind.UNKNOWN, Level.WARNING,
         "Please check: is “Tides” public on site?", "not sent again by itself"),
        (events.PublicationActionRequired(detail="sign in again", **PUBLICATION), Kind.ACTION_REQUIRED, Level.WARNING,
         "“Tides” waits for you before it can go to site", "sign in again"),
    ],
)  # fmt: skip
def test_each_event_has_clear_words(body: Body, kind: Kind, level: Level, title: str, says: str) -> None:
    message = describe_event(body)
    assert message is not None
    assert (message.kind, message.severity, message.title, message.link) == (kind, level, title, "/review/v1")
    assert says in message.text


@pytest.mark.parametrize(("paused", "title"), [(True, "is paused and needs you"), (False, "will need you soon")])
def test_a_channel_that_needs_somebody_says_what_happens_meanwhile(paused: bool, title: str) -> None:
    message = describe_event(
        events.ChannelActionRequired(
            channel_id="c", platform="youtube", name="News", detail="connect it again", paused=paused,
            at=datetime.now(UTC),
        )
    )  # fmt: skip
    assert message is not None
    assert (message.kind, message.severity, message.link) == (Kind.ACTION_REQUIRED, Level.WARNING, "/channels")
    assert message.title == f"The channel “News” {title}"
    assert message.text.startswith("connect it again")
    assert ("waits" in message.text) is paused


def test_every_event_of_the_queue_is_known_and_some_are_silent() -> None:
    assert describe_event(events.VideoDeleted(video_id="v", deleted_by="a")) is None
    assert len({kind.type for kind in PUBLIC_EVENTS}) == len(PUBLIC_EVENTS)


@pytest.mark.parametrize("kind", Kind)
def test_a_summary_names_ten_and_counts_the_rest(kind: Kind) -> None:
    digest = describe_many(kind, [f"Video {number}" for number in range(12)])
    assert digest.title.startswith("12 ")
    assert digest.text.splitlines()[9:] == ["- Video 9", "- and 2 more"]
    assert "more" not in describe_many(kind, ["a"] * 10).text
