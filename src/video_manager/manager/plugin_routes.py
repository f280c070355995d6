"""What there is to choose from: plugins with their JSON Schemas."""

from fastapi import APIRouter

from video_manager.domain.access import Right
from video_manager.plugins.registry import PluginDescription, PluginKind, Registry
from video_manager.web import CurrentActor, Items


def router(registry: Registry) -> APIRouter:
    routes = APIRouter(tags=["plugins"])

    def offer(path: str, kind: PluginKind) -> None:
        @routes.get(path, name=f"list_{path.strip('/')}")
        async def describe(actor: CurrentActor) -> Items[PluginDescription]:
            actor.require(Right.VIEW)
            return Items(items=registry.describe(kind))

    offer("/generators", PluginKind.GENERATOR)
    offer("/steps", PluginKind.STEP)
    offer("/checks", PluginKind.CHECK)
    offer("/platforms", PluginKind.PUBLISHER)
    return routes
