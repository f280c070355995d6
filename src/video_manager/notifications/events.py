"""Which events this service hears: all that a person or a webhook may want to know."""

from video_manager.contracts import events
from video_manager.contracts.envelope import Body

PUBLIC_EVENTS: tuple[type[Body], ...] = (
    events.VersionCreated, events.VersionReady, events.VersionFailed, events.ReviewDecided, events.VideoDeleted,
    events.PublicationScheduled, events.PublicationUploading, events.PublicationPending, events.PublicationPublished,
    events.PublicationFailed, events.PublicationUnknown, events.PublicationActionRequired,
    events.PublicationCancelled, events.PublicationWithdrawn, events.ChannelActionRequired,
)  # fmt: skip
