"""Outbox and inbox inside the document, and the expressions that change them where they are.

`outbox` is a list of {id, time, text}; `waiting` is the time of its first message, or null: a partial index on it knows
the waiting documents. `inbox` is the list of handled message ids, oldest first. The expressions run inside MongoDB, in
the one write that changes the document, so that a message which another process appends meanwhile is not lost.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from video_manager.contracts.envelope import Envelope
from video_manager.ports import INBOX_LIMIT

Stage = dict[str, Any]

IS_WAITING = {"waiting": {"$gt": ""}}
"""Also the filter of the partial index: a query has to repeat it to be served by that index."""


def packed(messages: Sequence[Envelope]) -> list[dict[str, str]]:
    """The envelope as text: its data may have names that MongoDB does not take."""
    return [{"id": one.id, "time": fixed_width(one.time), "text": one.model_dump_json()} for one in messages]


def unpacked(outbox: Sequence[Mapping[str, str]]) -> tuple[Envelope, ...]:
    return tuple(Envelope.model_validate_json(one["text"]) for one in outbox)


def fixed_width(time: datetime) -> str:
    """Comparing these texts compares the times."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def of_new_document(messages: Sequence[Envelope], handled: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if messages:
        fields["outbox"] = packed(messages)
        fields["waiting"] = fields["outbox"][0]["time"]
    if handled is not None:
        fields["inbox"] = [handled]
    return fields


def appended(messages: Sequence[Envelope], handled: str | None) -> dict[str, Any]:
    """The three fields of a document that is there, as expressions over its present ones; one that it lacks stays
    away."""
    fields: dict[str, Any] = {"outbox": "$outbox", "waiting": "$waiting", "inbox": "$inbox"}
    if messages:
        new = packed(messages)
        fields["outbox"] = {"$concatArrays": [{"$ifNull": ["$outbox", []]}, {"$literal": new}]}
        fields["waiting"] = {"$ifNull": ["$waiting", {"$literal": new[0]["time"]}]}
    if handled is not None:
        others = {
            "$filter": {
                "input": {"$ifNull": ["$inbox", []]},
                "as": "one",
                "cond": {"$ne": ["$$one", {"$literal": handled}]},
            }
        }
        joined = {"$concatArrays": [others, {"$literal": [handled]}]}
        fields["inbox"] = {"$slice": [joined, -INBOX_LIMIT]}
    return fields


def without(message_ids: Sequence[str]) -> list[Stage]:
    """The update that removes sent messages and leaves everything else, also a document without any."""
    is_sent = {"$in": ["$$one.id", {"$literal": list(message_ids)}]}
    left = {"$filter": {"input": {"$ifNull": ["$outbox", []]}, "as": "one", "cond": {"$not": [is_sent]}}}
    first_time = {"$let": {"vars": {"first": {"$arrayElemAt": ["$outbox", 0]}}, "in": "$$first.time"}}
    return [{"$set": {"outbox": left}}, {"$set": {"waiting": {"$ifNull": [first_time, None]}}}]


def waiting_since(before: datetime | None) -> dict[str, Any]:
    """The filter of the documents that wait, since before that time where it is given."""
    earlier = {} if before is None else {"$lt": fixed_width(before)}
    return {"waiting": {**IS_WAITING["waiting"], **earlier}}
