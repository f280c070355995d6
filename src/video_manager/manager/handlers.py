"""Messages to the manager: commands about jobs, and what workers and publishing report."""

from collections.abc import Awaitable, Callable
from typing import Any

from video_manager.contracts import commands, events
from video_manager.contracts.envelope import Body, Envelope
from video_manager.manager.jobs import JobService
from video_manager.manager.progress import ProgressService
from video_manager.messaging import HandlerTable
from video_manager.ports import Subscription

QUEUE = "manager"


def subscription(jobs: JobService, progress: ProgressService) -> Subscription:
    """The manager's queue."""
    methods: dict[type[Body], Callable[[Envelope, Any], Awaitable[None]]] = {
        commands.OpenJob: lambda message, body: jobs.open(body, message),
        commands.CancelJob: lambda _, body: jobs.cancel(body),
        commands.AdjustJob: lambda message, body: jobs.adjust(body, message),
        events.JobClaimed: progress.job_claimed,
        events.JobCancelled: progress.job_cancelled,
        events.RenderFinished: progress.render_finished,
        events.ProcessingFinished: progress.processing_finished,
        events.RenderFailed: progress.job_failed,
        events.ProcessingFailed: progress.job_failed,
    }
    methods.update(dict.fromkeys(events.PUBLICATION_EVENTS, progress.publication_changed))
    table = HandlerTable(methods)
    return Subscription(QUEUE, table.types, table)
