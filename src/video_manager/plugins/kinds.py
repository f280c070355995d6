"""The five plugin kinds by name, and how one plugin is described to people and programs."""

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
    """A plugin as the API and the forms show it. `limits` is set for publishers; `external` is a worker of its
    own, known only by this description."""

    model_config = ConfigDict(frozen=True)

    kind: PluginKind
    name: str
    title: str
    description: str
    json_schema: dict[str, Any]
    limits: PlatformLimits | None = None
    external: bool = False
