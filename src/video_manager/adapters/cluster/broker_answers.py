"""Waiting for the broker's answers: bounded, and with our own errors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelPreconditionFailed
from aiormq.exceptions import ChannelAccessRefused

from video_manager.errors import Unavailable

ANSWER_SECONDS = 10.0
"""How long the broker has for one answer; what waits for it fails with Unavailable then, and is tried again."""


@asynccontextmanager
async def answering(what: str, within_seconds: float | None = None) -> AsyncIterator[None]:
    """Waits for ANSWER_SECONDS unless told otherwise. Raises Unavailable when no answer comes in time, or the
    connection is lost. Refusals for want of a permission or for other arguments go on to `BrokerAddress.permission`."""
    within_seconds = ANSWER_SECONDS if within_seconds is None else within_seconds
    try:
        async with asyncio.timeout(within_seconds):
            yield
    except TimeoutError as error:
        raise Unavailable(f"RabbitMQ did not answer within {within_seconds:g} s: {what}") from error
    except asyncio.CancelledError as error:
        # The driver cancels what waits on a connection that is lost. Our own cancellation goes on as it is.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Unavailable(f"the connection to RabbitMQ was lost: {what}") from error
    except (ChannelAccessRefused, ChannelPreconditionFailed):
        raise
    except CONNECTION_EXCEPTIONS as error:
        raise Unavailable(f"RabbitMQ failed ({str(error) or type(error).__name__}): {what}") from error
