"""The composition root: the only place that knows adapters and services alike."""

from video_manager.bootstrap import unused  # noqa: F401 - before anything else loads httpx
from video_manager.bootstrap.servers import look_at_servers
from video_manager.bootstrap.services import Service
from video_manager.bootstrap.serving import run_embedded, serve, serve_service

__all__ = ["Service", "look_at_servers", "run_embedded", "serve", "serve_service"]
