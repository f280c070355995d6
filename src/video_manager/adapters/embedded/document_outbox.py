"""Outbox and inbox as JSON columns beside the body, so that one statement changes all three.

An outbox is a list of [time, message] pairs: the times have a fixed width, so that an index on the first one gives the
longest waiting document. The functions run inside SQLite.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from video_manager.contracts.envelope import Envelope
from video_manager.ports import INBOX_LIMIT


def packed_messages(messages: Sequence[Envelope]) -> str | None:
    """None for no messages: the index of waiting documents leaves those out."""
    if not messages:
        return None
    return json.dumps([[fixed_width(one.time), one.model_dump(mode="json")] for one in messages])


def fixed_width(time: datetime) -> str:
    """Comparing these texts compares the times."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def unpacked_messages(outbox: str) -> tuple[Envelope, ...]:
    return tuple(Envelope.model_validate(message) for _, message in json.loads(outbox))


def joined_messages(outbox: str | None, new: str | None) -> str | None:
    if outbox is None or new is None:
        return outbox or new
    return json.dumps([*json.loads(outbox), *json.loads(new)])


def messages_without(outbox: str | None, sent_ids: str) -> str | None:
    if outbox is None:
        return None
    sent = set(json.loads(sent_ids))
    left = [pair for pair in json.loads(outbox) if pair[1]["id"] not in sent]
    return json.dumps(left) if left else None


def inbox_with(inbox: str | None, handled: str | None) -> str | None:
    """The newest INBOX_LIMIT ids, oldest first."""
    if handled is None:
        return inbox
    known = [id for id in json.loads(inbox or "[]") if id != handled]
    return json.dumps([*known, handled][-INBOX_LIMIT:])


def unpacked_inbox(inbox: str | None) -> frozenset[str]:
    return frozenset(json.loads(inbox)) if inbox else frozenset()
