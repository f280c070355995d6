"""The description of the messages, beside the OpenAPI document: workers elsewhere are written from the two."""

from functools import cache, partial
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from video_manager import __version__
from video_manager.contracts.asyncapi import Broker, describe_messages
from video_manager.settings import Settings
from video_manager.web import CurrentActor

PATH = "/api/asyncapi.json"


def asyncapi_routes(settings: Settings) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    # Made when it is first asked for.
    document = cache(partial(describe_messages, __version__, broker_of(settings)))

    @router.get(PATH)
    async def asyncapi(_actor: CurrentActor) -> JSONResponse:
        return JSONResponse(document())

    return router


def broker_of(settings: Settings) -> Broker | None:
    """Where RabbitMQ is, without whose name and password we use; None where there is none."""
    if settings.rabbitmq_url is None or not settings.uses_rabbitmq:
        return None
    parts = urlsplit(settings.rabbitmq_url.get_secret_value())
    secure = parts.scheme == "amqps"
    host = f"{parts.hostname or 'localhost'}:{parts.port or (5671 if secure else 5672)}"
    return Broker(host, secure=secure, virtual_host=unquote(parts.path[1:]) or "/")
