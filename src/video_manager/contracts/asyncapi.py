"""The AsyncAPI 3.0 description of every message, made from the catalogue. With the REST API's OpenAPI document it is
all that a generation service in another language needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from video_manager.contracts.catalogue import COMMANDS, EVENTS, HINTS
from video_manager.contracts.commands import Render
from video_manager.contracts.envelope import Body, Envelope
from video_manager.contracts.topology import EXCHANGE, HINTS_EXCHANGE, RESERVED_GENERATOR_NAMES, queue_name, render_type

Json = dict[str, Any]

BINDING_VERSION = "0.3.0"
RENDER_QUEUE = "render.queue"
"""Name of the channel that a generation service consumes."""
_SCHEMAS = "#/components/schemas/"
_PLACEHOLDER = "{generator}"
_GENERATOR_PATTERN = rf"^render\.(?!({'|'.join(sorted(RESERVED_GENERATOR_NAMES))})$)[a-z][a-z0-9-]{{0,40}}$"

_ABOUT = f"""Messages between the services of Video Manager, over RabbitMQ (AMQP 0-9-1).

Commands and events go to the topic exchange `{EXCHANGE}`, hints to `{HINTS_EXCHANGE}`; the routing key is the message's
type. The body is the envelope as JSON; the AMQP properties repeat its id as `message_id` and its type as `type`.
Delivery is at least once: the same id may come again. Ignore fields that you do not know.

A generation service registers by `POST /api/v1/generators` (see /api/openapi.json), which answers with the name of its
queue. The queue exists already: consume it, do not declare it. Each message names a job to claim by
`POST /api/v1/jobs/{{id}}/claim`; acknowledge it as soon as the claim is answered, never after the render."""


@dataclass(frozen=True)
class Broker:
    """Where RabbitMQ is: `host` with its port. Never with anybody's password."""

    host: str
    secure: bool = False
    virtual_host: str = "/"


def describe_messages(version: str, broker: Broker | None = None) -> Json:
    """The document. `version` is the product's; `broker` None where there is none."""
    schemas = _schemas()
    messages = {_key(body): _message(body) for body in (*COMMANDS, *EVENTS, *HINTS)}
    document: Json = {
        "asyncapi": "3.0.0",
        "info": {"title": "Video Manager", "version": version, "description": _ABOUT},
        "defaultContentType": "application/json",
        "channels": {_key(body): _channel(body) for body in (*COMMANDS, *EVENTS, *HINTS)},
        "operations": {f"send.{_key(body)}": _sending(body) for body in (*COMMANDS, *EVENTS, *HINTS)},
        "components": {"schemas": schemas, "messages": messages},
    }
    document["channels"][RENDER_QUEUE] = _render_queue()
    if broker is not None:
        document["servers"] = {"rabbitmq": _server(broker)}
    return document


def _server(broker: Broker) -> Json:
    return {
        "host": broker.host,
        "pathname": "/" + quote(broker.virtual_host, safe=""),
        "protocol": "amqps" if broker.secure else "amqp",
        "protocolVersion": "0-9-1",
        "description": "The path is the virtual host. Ask an administrator for an account of RabbitMQ; reading its own "
        "queue is all that a worker needs.",
    }


def _key(body: type[Body]) -> str:
    return body.type


def _address(body: type[Body]) -> str:
    """The routing key; that of a render command ends with the generator's name."""
    return render_type(_PLACEHOLDER) if body is Render else body.type


# ---- channels and operations ------------------------------------------------------------------------------


def _channel(body: type[Body]) -> Json:
    hint = body in HINTS
    channel: Json = {
        "address": _address(body),
        "description": f"Routing key of the topic exchange `{HINTS_EXCHANGE if hint else EXCHANGE}`.",
        "messages": {_key(body): {"$ref": f"#/components/messages/{_key(body)}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": HINTS_EXCHANGE if hint else EXCHANGE, "type": "topic", "durable": True, "autoDelete": False,
                },
                "bindingVersion": BINDING_VERSION,
            }
        },
    }  # fmt: skip
    return channel | _parameters(body)


def _parameters(body: type[Body]) -> Json:
    about = {"description": "The name of the generator, as it was registered."}
    return {"parameters": {"generator": about}} if body is Render else {}


def _render_queue() -> Json:
    return {
        "address": queue_name(render_type(_PLACEHOLDER)),
        "description": "The durable queue of one generator, bound to its render command. Commands wait here while no "
        "worker runs; all workers of a generator share it.",
        "messages": {_key(Render): {"$ref": f"#/components/messages/{_key(Render)}"}},
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {
                    "name": queue_name(render_type(_PLACEHOLDER)), "durable": True, "exclusive": False,
                    "autoDelete": False,
                },
                "bindingVersion": BINDING_VERSION,
            }
        },
        **_parameters(Render),
    }  # fmt: skip


def _sending(body: type[Body]) -> Json:
    key, hint = _key(body), body in HINTS
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{key}"},
        "summary": _about(body),
        "messages": [{"$ref": f"#/channels/{key}/messages/{key}"}],
        "bindings": {
            "amqp": {
                "deliveryMode": 1 if hint else 2, "mandatory": body in COMMANDS, "bindingVersion": BINDING_VERSION,
            }
        },
    }  # fmt: skip


# ---- messages and schemas ---------------------------------------------------------------------------------


def _message(body: type[Body]) -> Json:
    type_schema = {"type": "string", "pattern": _GENERATOR_PATTERN} if body is Render else {"const": body.type}
    return {
        "name": _address(body),
        "title": body.__name__,
        "summary": _about(body),
        "contentType": "application/json",
        "correlationId": {"location": "$message.payload#/correlation_id"},
        "payload": {
            "allOf": [
                {"$ref": _SCHEMAS + Envelope.__name__},
                {
                    "type": "object",
                    "properties": {"type": type_schema, "data": {"$ref": _SCHEMAS + body.__name__}},
                    "required": ["type", "data"],
                },
            ]
        },
        "bindings": {"amqp": {"messageType": _address(body), "bindingVersion": BINDING_VERSION}},
    }


def _schemas() -> Json:
    bodies: tuple[type[BaseModel], ...] = (Envelope, *COMMANDS, *EVENTS, *HINTS)
    _, found = models_json_schema([(body, "serialization") for body in bodies], ref_template=_SCHEMAS + "{model}")
    schemas: Json = found["$defs"]
    for part in _objects(schemas):
        # Senders of a later release add fields.
        if part.get("additionalProperties") is False:
            del part["additionalProperties"]
    return schemas


def _objects(schema: Any) -> Iterator[Json]:
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from _objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _objects(value)


def _about(body: type[Body]) -> str:
    """The docstring of the class, else of what it has in common with others like it."""
    kinds = body.__mro__[: body.__mro__.index(Body)]
    return next((" ".join(words.split()) for kind in kinds if (words := vars(kind).get("__doc__"))), body.type)
