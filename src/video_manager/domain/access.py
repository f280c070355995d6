"""Who may do what. Deny by default: a right that no role lists belongs to nobody."""

from enum import StrEnum

from video_manager.domain.model import Frozen, Instant
from video_manager.errors import Forbidden


class Role(StrEnum):
    ADMIN = "admin"
    PRODUCER = "producer"
    REVIEWER = "reviewer"
    VIEWER = "viewer"
    WORKER = "worker"
    """Only for keys: a generation service outside our package."""


class Right(StrEnum):
    VIEW = "view"
    REQUEST = "request videos"
    REVIEW = "review videos"
    PUBLISH = "schedule and publish"
    DELETE = "delete videos"
    CHANNELS = "manage channels"
    ADMINISTER = "administer users, keys and the system"
    WORK = "work on jobs"


_VIEW = frozenset({Right.VIEW})
ROLE_RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: _VIEW,
    Role.PRODUCER: _VIEW | {Right.REQUEST, Right.DELETE},
    Role.REVIEWER: _VIEW | {Right.REVIEW, Right.PUBLISH, Right.REQUEST, Right.DELETE},
    Role.ADMIN: frozenset(Right) - {Right.WORK},
    Role.WORKER: frozenset({Right.WORK}),
}


class Actor(Frozen):
    """Who is asking: a signed-in user, an API key, or the system itself."""

    id: str
    name: str
    role: Role | None
    """None is the system itself: handlers and timers, which act on what a person already decided."""

    def may(self, right: Right) -> bool:
        return self.role is None or right in ROLE_RIGHTS[self.role]

    def require(self, right: Right) -> None:
        """Raise Forbidden unless this actor has the right."""
        if not self.may(right):
            role = self.role or "system"
            raise Forbidden(
                f"{self.name} ({role}) has no right to {right}; ask an administrator for a role that has it"
            )


SYSTEM = Actor(id="system", name="system", role=None)


COMMAND_LINE = "cli"
"""The id of whoever may read this machine's data folder: its owner, at the command line."""


class User(Frozen):
    """A person's account. `session_epoch` is raised to end all of the user's sessions at once."""

    id: str
    name: str
    role: Role
    password_hash: str
    session_epoch: int = 0
    email: str | None = None
    calendar_sha256: str | None = None
    """Of the secret in the address of their calendar; None: they have none."""
    disabled: bool = False
    created_at: Instant


class ApiKey(Frozen):
    """A key for programs. Only the sha256 of its secret is stored; `prefix` recognises it in lists."""

    id: str
    name: str
    role: Role
    prefix: str
    secret_sha256: str
    created_by: str
    created_at: Instant
    revoked_at: Instant | None = None


class AuditEntry(Frozen):
    """Who did what to which object, and when."""

    id: str
    at: Instant
    actor_id: str
    actor_name: str
    action: str
    subject: str
    detail: str = ""
