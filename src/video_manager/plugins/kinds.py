"""The five plugin kinds by name, and how one plugin is described to people and programs."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from video_manager.plugins.api import PlatformLimits


class PluginKind(StrEnum):
    GENERATOR = "generator"
    STEP = "step"
    CHECK = "check"
    PUBLISHER = "publisher"
    COLLECTOR = "collector"


class PluginDescription(BaseModel):
    """A plugin as the API and the forms show it. `limits`, `post_schema` (what may be
    chosen for each post) and `guide` (what to register first) are set for publishers; `external` is a worker of its
    own, known only by this description. Of those, `last_seen_at` is when the worker last said that it is there, and
    `offline` that this is too long ago: requests are taken and wait for it."""

    model_config = ConfigDict(frozen=True)

    kind: PluginKind
    name: str
    title: str
    description: str
    json_schema: dict[str, Any]
    limits: PlatformLimits | None = None
    post_schema: dict[str, Any] | None = None
    guide: str = ""
    signs_in: bool = False
    """Whether a person connects it by signing in at the platform (OAuth)."""
    external: bool = False
    last_seen_at: datetime | None = None
    offline: bool = False
