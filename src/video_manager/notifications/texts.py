"""What people are told about each event, in plain words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from video_manager.contracts import events
from video_manager.contracts.envelope import Body
from video_manager.notifications.model import Kind, Level

MOST_NAMES_IN_DIGEST = 10
MOST_ERROR_CHARACTERS = 500


@dataclass(frozen=True)
class Message:
    kind: Kind
    severity: Level
    title: str
    text: str
    link: str


@dataclass(frozen=True)
class Digest:
    title: str
    text: str


def describe_event(body: Body) -> Message | None:
    """The message for people, None for an event that people need not hear of."""
    describe = _DESCRIPTIONS.get(type(body))
    return describe(body) if describe is not None else None


def describe_many(kind: Kind, titles: Sequence[str]) -> Digest:
    """One summary in the place of many messages of one kind."""
    shown = "\n".join(f"- {title}" for title in titles[:MOST_NAMES_IN_DIGEST])
    rest = len(titles) - MOST_NAMES_IN_DIGEST
    more = f"\n- and {rest} more" if rest > 0 else ""
    return Digest(f"{len(titles)} {_PLURALS[kind]}", shown + more)


_PLURALS = {
    Kind.CREATED: "videos were requested",
    Kind.READY: "videos are ready for review",
    Kind.FAILED: "videos failed",
    Kind.DECIDED: "reviews were decided",
    Kind.PUBLISHED: "publications are out",
    Kind.PUBLICATION_FAILED: "publications failed",
    Kind.UNKNOWN: "publications need checking: it is not known whether they are public",
    Kind.ACTION_REQUIRED: "publications or channels wait for somebody to act",
    Kind.WEBHOOK_DISABLED: "webhooks were switched off",
}


def _named(title: str) -> str:
    return f"“{title.strip()}”" if title.strip() else "Untitled video"


def _of_version(version: int) -> str:
    return f" (version {version})" if version > 1 else ""


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= MOST_ERROR_CHARACTERS else text[:MOST_ERROR_CHARACTERS].rstrip() + " …"


def _created(body: events.VersionCreated) -> Message:
    text = f"Requested by {body.created_by}; made with {body.spec.generator}. It comes to review when it is finished."
    title = f"{_named(body.title)}{_of_version(body.version)} was requested"
    return Message(Kind.CREATED, Level.INFO, title, text, f"/review/{body.video_id}")


def _ready(body: events.VersionReady) -> Message:
    findings = {0: "The checks found nothing.", 1: "The checks noticed one thing."}
    found = findings.get(body.findings, f"The checks noticed {body.findings} things.")
    length = f" It is {body.duration_seconds:.0f} s long." if body.duration_seconds is not None else ""
    title = f"{_named(body.title)}{_of_version(body.version)} is ready for review"
    return Message(Kind.READY, Level.SUCCESS, title, found + length, f"/review/{body.video_id}")


def _failed(body: events.VersionFailed) -> Message:
    title = f"{_named(body.title)}{_of_version(body.version)} failed"
    text = f"{_short(body.error)}\nOpen it to see the details and to try again."
    return Message(Kind.FAILED, Level.ERROR, title, text, f"/review/{body.video_id}")


_VERDICTS = {
    "approve": ("was approved", Level.SUCCESS),
    "reject": ("was rejected", Level.WARNING),
    "regenerate": ("is made again", Level.INFO),
}


def _decided(body: events.ReviewDecided) -> Message:
    verdict, level = _VERDICTS.get(body.decision, (f"was reviewed: {body.decision}", Level.INFO))
    reason = f" Reason: {_short(body.reason)}" if body.reason.strip() else ""
    title = f"{_named(body.title)}{_of_version(body.version)} {verdict}"
    return Message(Kind.DECIDED, level, title, f"Decided by {body.author}.{reason}", f"/review/{body.video_id}")


def _published(body: events.PublicationPublished) -> Message:
    where = f"\n{body.url}" if body.url else ""
    title = f"{_named(body.title)} is published on {body.platform}"
    return Message(Kind.PUBLISHED, Level.SUCCESS, title, f"It is public now.{where}", f"/review/{body.video_id}")


def _publication_failed(body: events.PublicationFailed) -> Message:
    text = f"{_short(body.detail) or 'The platform gave no reason.'}\nNothing was made public; you can try again."
    title = f"{_named(body.title)} could not be published on {body.platform}"
    return Message(Kind.PUBLICATION_FAILED, Level.ERROR, title, text, f"/review/{body.video_id}")


def _publication_unknown(body: events.PublicationUnknown) -> Message:
    text = (
        f"{_short(body.detail)}\nThe answer of {body.platform} was lost and cannot be asked for. Look there whether "
        "the video is public, then say so in the publication. It is not sent again by itself."
    ).strip()
    title = f"Please check: is {_named(body.title)} public on {body.platform}?"
    return Message(Kind.UNKNOWN, Level.WARNING, title, text, f"/review/{body.video_id}")


def _action_required(body: events.PublicationActionRequired) -> Message:
    text = f"{_short(body.detail) or 'The platform asks for something a person has to do.'}\nIt goes on afterwards."
    title = f"{_named(body.title)} waits for you before it can go to {body.platform}"
    return Message(Kind.ACTION_REQUIRED, Level.WARNING, title, text, f"/review/{body.video_id}")


def _channel_action_required(body: events.ChannelActionRequired) -> Message:
    after = "What is scheduled waits, and goes on afterwards." if body.paused else "Until then it goes on as it is."
    state = "is paused and needs you" if body.paused else "will need you soon"
    title = f"The channel {_named(body.name)} {state}"
    return Message(Kind.ACTION_REQUIRED, Level.WARNING, title, f"{_short(body.detail)}\n{after}", "/channels")


_DESCRIPTIONS: dict[type[Body], Callable[[Any], Message]] = {
    events.VersionCreated: _created,
    events.VersionReady: _ready,
    events.VersionFailed: _failed,
    events.ReviewDecided: _decided,
    events.PublicationPublished: _published,
    events.PublicationFailed: _publication_failed,
    events.PublicationUnknown: _publication_unknown,
    events.PublicationActionRequired: _action_required,
    events.ChannelActionRequired: _channel_action_required,
}


def describe_disabled_webhook(name: str, reason: str, error: str) -> Message:
    text = f"Why: {reason}. The last attempt: {_short(error)}\nMend the receiver, then switch it on again."
    return Message(Kind.WEBHOOK_DISABLED, Level.ERROR, f"The webhook {name!r} was switched off", text, "/admin")
