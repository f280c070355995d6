"""Calls to a platform while a person waits for the answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from video_manager.errors import Conflict, RetryableError, WorkError

TIMEOUT_SECONDS = 60.0


@asynccontextmanager
async def person_waits(title: str, failed: str) -> AsyncIterator[None]:
    """What goes wrong is told at once, as Conflict: `failed` with the platform's words."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            yield
    except TimeoutError as error:
        raise Conflict(f"{title} did not answer in time: look there what has become of the post") from error
    except RetryableError as error:
        raise Conflict(f"{failed} now ({error.detail}): try again later") from error
    except WorkError as error:
        raise Conflict(f"{failed}: {error.detail}") from error
