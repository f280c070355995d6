"""The composition root: the only place that knows adapters and services alike."""

from video_manager.bootstrap.serving import run_embedded, serve

__all__ = ["run_embedded", "serve"]
