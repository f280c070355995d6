"""How messages travel on RabbitMQ, by name: what a worker in another language needs to know."""

EXCHANGE = "video-manager"
"""Topic exchange of commands and events; the routing key is the message's type."""
HINTS_EXCHANGE = "video-manager.hints"
"""Topic exchange of hints, which are never stored."""
_QUEUE_PREFIX = "video-manager."
RESERVED_GENERATOR_NAMES = frozenset({"finished", "failed"})
"""A generator's command is `render.<generator>`: these names would be mistaken for events."""


def queue_name(queue: str) -> str:
    """The broker's name of a service's queue: `video-manager.render.painter` for `render.painter`."""
    return _QUEUE_PREFIX + queue


def render_type(generator: str) -> str:
    """The command to a generator's workers; their queue has the same name."""
    return f"render.{generator}"
