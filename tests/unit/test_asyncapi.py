"""The description of the messages says what is really sent. That it is valid AsyncAPI is tested with the example."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, ValidationError  # type: ignore[import-untyped]  # it has no types
from pydantic import SecretStr
from referencing import Registry
from referencing.jsonschema import DRAFT7

from video_manager.adapters.cluster.topology import Topology
from video_manager.contracts.asyncapi import Broker, describe_messages
from video_manager.contracts.catalogue import COMMANDS, EVENTS, HINTS
from video_manager.contracts.commands import OpenJob, Render
from video_manager.contracts.envelope import Body, envelope
from video_manager.contracts.events import JobProgress
from video_manager.contracts.topology import EXCHANGE, HINTS_EXCHANGE, queue_name, render_type
from video_manager.gateway.asyncapi import broker_of
from video_manager.settings import Bus, Settings

DOCUMENT = describe_messages("1.2.3", Broker("broker.invalid:5672", virtual_host="a/b"))


def look_up(reference: str) -> Any:
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [one for part in value.values() for one in references(part)]
    return [one for part in value for one in references(part)] if isinstance(value, list) else []


def check(body: Body, **changes: Any) -> None:
    """Validate a message as it is sent against the description of its type."""
    message = envelope(body, source="test", subject="s").model_dump(mode="json") | changes
    schema = {"$ref": f"urn:d#/components/messages/{type(body).type}/payload"}
    registry: Registry[Any] = Registry().with_resource("urn:d", DRAFT7.create_resource(DOCUMENT))
    Draft7Validator(schema, registry=registry).validate(message)


def test_every_reference_leads_somewhere() -> None:
    found = references(DOCUMENT)
    assert found
    for reference in found:
        look_up(reference)


@pytest.mark.parametrize("body", [*COMMANDS, *EVENTS, *HINTS], ids=lambda body: body.type)
def test_every_message_has_its_channel_exchange_and_words(body: type[Body]) -> None:
    channel = DOCUMENT["channels"][body.type]
    assert channel["address"] == ("render.{generator}" if body is Render else body.type)
    exchange = channel["bindings"]["amqp"]["exchange"]["name"]
    assert exchange == ("video-manager.hints" if body in HINTS else "video-manager")
    operation = DOCUMENT["operations"][f"send.{body.type}"]
    assert look_up(operation["channel"]["$ref"]) is channel
    assert operation["bindings"]["amqp"]["mandatory"] == (body in COMMANDS)
    assert len(DOCUMENT["components"]["messages"][body.type]["summary"].split()) > 2


def test_messages_as_they_are_sent_fit_their_description() -> None:
    render = Render(generator="painter", job_id="j", video_id="v", version=1)
    check(render)
    check(OpenJob(video_id="v", version=1, kind="render"))
    check(JobProgress(job_id="j", video_id="v", version=1, kind="render", progress=0.5, stage="s"))
    check(render, newer="fields of a later release are ignored")
    with pytest.raises(ValidationError):
        check(render, type="render.finished")
    with pytest.raises(ValidationError):
        check(render, data={"generator": "painter"})
    with pytest.raises(ValidationError):
        check(OpenJob(video_id="v", version=1, kind="render"), type="job.close")


def test_the_queue_of_a_generator_is_described() -> None:
    queue = DOCUMENT["channels"]["render.queue"]
    assert queue["address"] == queue["bindings"]["amqp"]["queue"]["name"] == "video-manager.render.{generator}"
    assert queue["bindings"]["amqp"]["queue"]["durable"]
    assert list(queue["parameters"]) == re.findall(r"{(\w+)}", queue["address"])


def test_the_names_are_those_of_the_bus() -> None:
    topology = Topology()
    assert (topology.messages, topology.hints) == (EXCHANGE, HINTS_EXCHANGE)
    assert topology.queue(render_type("painter")) == queue_name("render.painter") == "video-manager.render.painter"


def test_nobody_learns_our_password(tmp_path: Path) -> None:
    url = SecretStr("amqps://ours:secret-password@broker.invalid/video%20manager")
    settings = Settings(data_dir=tmp_path, bus=Bus.RABBITMQ, rabbitmq_url=url)
    described = json.dumps(describe_messages("1.2.3", broker_of(settings)))
    assert "secret-password" not in described
    assert "ours" not in described.replace("yours", "").replace("hours", "")
    assert broker_of(settings) == Broker("broker.invalid:5671", secure=True, virtual_host="video manager")
    assert broker_of(Settings(data_dir=tmp_path)) is None


def test_the_broker_is_named_only_where_there_is_one() -> None:
    server = DOCUMENT["servers"]["rabbitmq"]
    assert (server["host"], server["pathname"], server["protocol"]) == ("broker.invalid:5672", "/a%2Fb", "amqp")
    assert "servers" not in describe_messages("1.2.3")
