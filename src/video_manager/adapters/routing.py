"""Which queues and watchers a message goes to."""

from collections.abc import Iterable

from video_manager.contracts.catalogue import COMMANDS, body_class
from video_manager.errors import PermanentError


def matches(patterns: Iterable[str], message_type: str) -> bool:
    """Patterns are message types, or prefixes ending in `.*`."""
    return any(
        message_type.startswith(pattern[:-1]) if pattern.endswith(".*") else message_type == pattern
        for pattern in patterns
    )


def is_command(message_type: str) -> bool:
    """Whether somebody has to be bound to it; nobody needs to listen to an event."""
    try:
        return body_class(message_type) in COMMANDS
    except PermanentError:
        return False
