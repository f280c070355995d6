"""Mail and chat through Apprise. The library is imported at the first use: most installations that only have the
studio never need its 25 MB."""

import asyncio
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from video_manager.errors import InvalidInput, RetryableError
from video_manager.notifications.model import Level

THREADS = 4
_THREAD_GRACE_SECONDS = 5.0
"""Apprise ends a call by itself at the timeout; this much later we stop waiting for it."""

_TYPES = {Level.INFO: "info", Level.SUCCESS: "success", Level.WARNING: "warning", Level.ERROR: "failure"}


@dataclass(frozen=True)
class ChatMessage:
    """Plain text; `text` may have several lines."""

    title: str
    text: str
    severity: Level = Level.INFO


class ChatSender(Protocol):
    async def check(self, url: str) -> str:
        """The service (scheme) of an address. Raises InvalidInput when it is none."""
        ...

    async def send(self, url: str, message: ChatMessage) -> None:
        """Raises RetryableError with the service's own words, secrets removed. An answer that was lost counts as
        a failure, so a message may arrive twice."""
        ...


class AppriseSender:
    """One call of Apprise per message, in a thread of its own, because Apprise is synchronous."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="apprise")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def check(self, url: str) -> str:
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(self._threads, _instantiate, url) is None:
            raise InvalidInput.field(
                "url", "is no address that Apprise understands, such as mailto://user:password@host or slack://..."
            )
        return url.split("://", 1)[0].lower()

    async def send(self, url: str, message: ChatMessage) -> None:
        loop = asyncio.get_running_loop()
        call = loop.run_in_executor(self._threads, _notify, url, message, self._timeout_seconds)
        try:
            async with asyncio.timeout(self._timeout_seconds + _THREAD_GRACE_SECONDS):
                failure = await call
        except TimeoutError as error:
            raise RetryableError(f"no answer within {self._timeout_seconds:.0f} s") from error
        except Exception as error:  # Apprise has 183 plugins: whatever one raises is shown and tried again
            raise RetryableError(without_secrets(f"{type(error).__name__}: {error}", url)[:500]) from error
        if failure is not None:
            raise RetryableError(failure)


def _instantiate(url: str) -> Any:
    from apprise import Apprise  # noqa: PLC0415 - imported late on purpose, see above

    # Its own log lines may hold whole addresses, secrets included; what went wrong comes back in the result.
    logging.getLogger("apprise").propagate = False
    return Apprise.instantiate(url, suppress_exceptions=True)


def _notify(url: str, message: ChatMessage, timeout_seconds: float) -> str | None:
    """None when it was accepted, else why not."""
    from apprise import Apprise, NotifyFormat  # noqa: PLC0415 - imported late on purpose, see above

    service = _instantiate(url)
    if service is None:
        return "the address is no longer one that Apprise understands"
    caller = Apprise()
    caller.add(service)
    result = caller.notify(
        body=message.text, title=message.title, notify_type=_TYPES[message.severity],
        body_format=NotifyFormat.TEXT, timeout=timeout_seconds,
    )  # fmt: skip
    if result:
        return None
    words = [entry.message for entry in result.logs() if entry.level in ("WARNING", "ERROR", "CRITICAL")]
    reason = " ".join(words) or f"the service did not accept the message ({result.status.name.lower()})"
    return without_secrets(reason, url)[:500]


def without_secrets(text: str, url: str) -> str:
    """The text with every longer part of the address blanked: tokens may stand anywhere in it."""
    rest = url.split("://", 1)[-1]
    for part in sorted(set(re.split(r"[/:@?&=#]", rest)), key=len, reverse=True):
        if len(part) >= 6:
            text = text.replace(part, "***")
    return text
