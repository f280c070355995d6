"""Writing down who did what: the audit log, as publishing is given it."""

from collections.abc import Awaitable, Callable

from video_manager.domain.access import Actor

Record = Callable[[Actor, str, str, str], Awaitable[None]]
"""Actor, action (`channel.connect`), subject (the object's id), detail in words."""


async def ignore_record(_actor: Actor, _action: str, _subject: str, _detail: str) -> None:
    """Nobody keeps a log."""
