"""What there is to choose from: plugins with their JSON Schemas, and the registration of generators elsewhere."""

from dataclasses import dataclass

from fastapi import APIRouter
from pydantic import BaseModel, Field

from video_manager.contracts.topology import EXCHANGE, queue_name, render_type
from video_manager.domain.access import Right
from video_manager.domain.model import Instant
from video_manager.manager.external_generator import ExternalGenerator, NewGenerator
from video_manager.manager.generators import GeneratorService
from video_manager.plugins.registry import PluginDescription, PluginKind, Registry
from video_manager.web import CurrentActor, Items


@dataclass(frozen=True)
class WorkerTerms:
    """What a worker elsewhere has to keep to."""

    offline_seconds: float
    lease_seconds: float
    renew_seconds: float
    max_upload_bytes: int


class Registration(BaseModel):
    """What the worker needs to know. Its queue exists: it is consumed, never declared, by the worker."""

    name: str
    owner: str
    registered_at: Instant
    last_seen_at: Instant | None
    message_type: str = Field(description="Of the commands: `render.<name>`.")
    exchange: str | None = Field(description="Null where the worker asks `GET /jobs` instead.")
    queue: str | None = Field(description="Null where the worker asks `GET /jobs` instead.")
    register_again_seconds: float = Field(
        description="Register again so often, or people see the generator as offline."
    )
    renew_seconds: float = Field(description="Renew a claimed job so often.")
    lease_seconds: float = Field(description="Without a renewal for so long, the job is given to another worker.")
    max_upload_bytes: int


def router(registry: Registry, generators: GeneratorService, terms: WorkerTerms) -> APIRouter:
    routes = APIRouter(tags=["plugins"])

    def offer(path: str, kind: PluginKind) -> None:
        @routes.get(path, name=f"list_{path.strip('/')}")
        async def describe(actor: CurrentActor) -> Items[PluginDescription]:
            actor.require(Right.VIEW)
            if kind is PluginKind.GENERATOR:
                await generators.known.refresh()
            return Items(items=registry.describe(kind))

    offer("/generators", PluginKind.GENERATOR)
    offer("/steps", PluginKind.STEP)
    offer("/checks", PluginKind.CHECK)
    offer("/platforms", PluginKind.PUBLISHER)

    @routes.post("/generators")
    async def register(body: NewGenerator, actor: CurrentActor) -> Registration:
        """Make a generator known whose worker is yours, describe it anew, or (the same again) say that it is there."""
        return _registration(await generators.register(actor, body), terms)

    @routes.delete("/generators/{name}", status_code=204)
    async def remove(name: str, actor: CurrentActor) -> None:
        """Forget the generator of a worker elsewhere; 409 while jobs of it are open."""
        await generators.remove(actor, name)

    return routes


def _registration(stored: ExternalGenerator, terms: WorkerTerms) -> Registration:
    topic = render_type(stored.id)
    return Registration(
        name=stored.id, owner=stored.owner, registered_at=stored.registered_at, last_seen_at=stored.last_seen_at,
        message_type=topic, exchange=None if stored.polls else EXCHANGE,
        queue=None if stored.polls else queue_name(topic), register_again_seconds=terms.offline_seconds / 3,
        renew_seconds=terms.renew_seconds, lease_seconds=terms.lease_seconds, max_upload_bytes=terms.max_upload_bytes,
    )  # fmt: skip
