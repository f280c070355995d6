"""What every worker service shares: slots, leases, work folders, and putting results into the file store."""

from video_manager.worker.files import Results, fetch_sources
from video_manager.worker.handlers import WorkerHandlers
from video_manager.worker.worker import Worker, WorkerSettings

__all__ = ["Results", "Worker", "WorkerHandlers", "WorkerSettings", "fetch_sources"]
