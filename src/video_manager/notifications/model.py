"""What notifications keeps: what happened, who has read it, where it is sent, and how each sending went."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import SecretStr

from video_manager.domain.model import Frozen, Instant
from video_manager.ports import CollectionSpec


class Kind(StrEnum):
    """What a notification is about. A target names the kinds it wants."""

    CREATED = "created"
    READY = "ready"
    FAILED = "failed"
    DECIDED = "decided"
    PUBLISHED = "published"
    PUBLICATION_FAILED = "publication_failed"
    UNKNOWN = "unknown"
    ACTION_REQUIRED = "action_required"
    WEBHOOK_DISABLED = "webhook_disabled"


class Level(StrEnum):
    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"


class Notification(Frozen):
    """Something a person should know. Its id derives from the event, so that a repeated event says it once.
    `created_at` is when it was written, which is the order of the list; `link` is a path in the studio."""

    id: str
    kind: Kind
    title: str
    text: str
    link: str
    severity: Level
    created_at: Instant


class ReadMarks(Frozen):
    """What one person has read: everything up to `all_until`, and these later ones. One small document a person,
    so that reading never collides with anybody, and "mark all" is one write."""

    id: str
    all_until: Instant | None = None
    read: tuple[str, ...] = ()

    def has_read(self, notification: Notification) -> bool:
        return (
            self.all_until is not None and notification.created_at <= self.all_until
        ) or notification.id in self.read


class Origin(StrEnum):
    STORED = "stored"
    """Made in the studio or by the API; its address is in the document."""
    SETTINGS = "settings"
    """From VIDEO_MANAGER_NOTIFY_URLS; the address stays in the environment."""


class Health(Frozen):
    """How sending to one recipient goes. While `hold_until` lies ahead nothing is sent there, so that a recipient
    that is down costs one attempt now and then, whatever waits for it."""

    failures: int = 0
    failing_since: Instant | None = None
    hold_until: Instant | None = None
    last_error: str | None = None
    last_status: int | None = None
    """HTTP status of a webhook's last answer; None when there was no answer."""
    last_success_at: Instant | None = None

    def succeeded(self, now: datetime, status: int | None = None) -> "Health":
        return Health(last_success_at=now, last_status=status)

    def failed(self, now: datetime, error: str, hold_until: datetime, status: int | None = None) -> "Health":
        return self.with_(
            failures=self.failures + 1, failing_since=self.failing_since or now, hold_until=hold_until,
            last_error=error, last_status=status,
        )  # fmt: skip


class Target(Frozen):
    """A mail or chat address (Apprise) and the kinds it wants. `url` is secret and None for those from settings."""

    id: str
    name: str
    origin: Origin = Origin.STORED
    url: str | None = None
    service: str
    """The scheme of the address (`mailto`, `slack`): all of it that may be shown."""
    kinds: tuple[Kind, ...]
    enabled: bool = True
    health: Health = Health()
    created_at: Instant


class Webhook(Frozen):
    """An HTTP receiver of events. `secret` (`whsec_...`) signs, and is shown once, when it is made."""

    id: str
    name: str
    url: str
    secret: str
    events: tuple[str, ...]
    """Event types, or prefixes ending in `.*`."""
    enabled: bool = True
    disabled_reason: str | None = None
    health: Health = Health()
    created_at: Instant

    def wants(self, event_type: str) -> bool:
        return any(
            event_type == wanted or (wanted.endswith(".*") and event_type.startswith(wanted[:-1]))
            for wanted in self.events
        )


class RecipientKind(StrEnum):
    TARGET = "target"
    WEBHOOK = "webhook"


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


class Delivery(Frozen):
    """One thing to tell one recipient; its id derives from both. `due_at` is when it is tried (again): it survives
    a crash, and moving it by compare-and-set is how one process claims the attempt."""

    id: str
    recipient_kind: RecipientKind
    recipient_id: str
    kind: str
    """The notification's kind, or the event's type."""
    notification_id: str | None = None
    event: dict[str, Any] | None = None
    """The envelope, for webhooks."""
    state: DeliveryState = DeliveryState.PENDING
    tries: int = 0
    due_at: Instant
    last_error: str | None = None
    last_status: int | None = None
    created_at: Instant
    ended_at: Instant | None = None

    @property
    def recipient(self) -> tuple[RecipientKind, str]:
        return self.recipient_kind, self.recipient_id


class SentTest(Frozen):
    """How a test message went."""

    delivered: bool
    detail: str
    status: int | None = None


NOTIFICATIONS = CollectionSpec("notifications", indexed=("created_at", "kind"))
READ_MARKS = CollectionSpec("notification_read_marks")
TARGETS = CollectionSpec("notification_targets", indexed=("created_at", "origin", "enabled"))
WEBHOOKS = CollectionSpec("webhooks", indexed=("created_at", "enabled"))
DELIVERIES = CollectionSpec(
    "notification_deliveries",
    indexed=("state", "due_at", "recipient_id", "kind", "notification_id", "created_at", "ended_at"),
)

SettingsUrls = dict[str, SecretStr]
"""Addresses from the settings by target id."""
