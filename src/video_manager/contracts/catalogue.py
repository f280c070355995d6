"""Every message type with its body, and who consumes it: for handlers, for AsyncAPI, and for the docs."""

from video_manager.contracts import commands, events
from video_manager.contracts.envelope import Body, Envelope
from video_manager.errors import PermanentError

COMMANDS: tuple[type[Body], ...] = (
    commands.OpenJob, commands.CancelJob,
    commands.AdjustJob, commands.Render, commands.Process, commands.CreatePublication,
    commands.WithdrawPublication,
)  # fmt: skip

EVENTS: tuple[type[Body], ...] = (
    events.VersionCreated, events.VersionReady, events.VersionFailed, events.ReviewDecided, events.VideoDeleted,
    events.JobClaimed, events.JobCancelled, events.RenderFinished, events.RenderFailed,
    events.ProcessingFinished, events.ProcessingFailed, events.PublicationScheduled, events.PublicationUploading,
    events.PublicationPending, events.PublicationPublished, events.PublicationFailed, events.PublicationUnknown,
    events.PublicationActionRequired, events.PublicationCancelled, events.PublicationWithdrawn,
    events.ChannelActionRequired, events.MetricsCollected,
)  # fmt: skip

HINTS: tuple[type[Body], ...] = (
    events.JobProgress, events.NotificationCreated, events.GeneratorRegistered, events.GeneratorRemoved,
)  # fmt: skip
"""Sent to watchers only; may be lost."""

_BY_TYPE: dict[str, type[Body]] = {kind.type: kind for kind in (*COMMANDS, *EVENTS, *HINTS)}


def body_class(message_type: str) -> type[Body]:
    """The body class of a type. Raises PermanentError for a type this release does not know."""
    if message_type in _BY_TYPE:
        return _BY_TYPE[message_type]
    if message_type.startswith("render."):
        return commands.Render
    raise PermanentError(f"unknown message type {message_type!r}: sent by a newer release or by mistake")


def body_of(envelope: Envelope) -> Body:
    """The typed body of a message. Raises pydantic's ValidationError when it does not fit its class."""
    return body_class(envelope.type).model_validate(envelope.data)
