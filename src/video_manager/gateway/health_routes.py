"""The gateway's health routes, described for whoever reads the OpenAPI document."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from video_manager.gateway.health import LIVE, METRICS, READY, WORK, Health

_DESCRIBED: Mapping[str, Mapping[str, Any]] = {
    LIVE: {"name": "live", "response_model": dict[str, str]},
    READY: {"name": "ready", "responses": {503: {"description": "A dependency is gone."}}},
    WORK: {"name": "work", "responses": {503: {"description": "Work stands still, or cannot be looked at."}}},
    METRICS: {"name": "metrics", "response_class": Response, "responses": {200: {"content": {"text/plain": {}}}}},
}


def health_routes(health: Health) -> APIRouter:
    router = APIRouter(tags=["health"])
    for path, answer in health.answers.items():
        router.get(path, **_DESCRIBED[path])(answer)
        router.head(path, include_in_schema=False)(answer)
    return router
