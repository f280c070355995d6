"""Log lines carry the ids that follow a piece of work, as text and as JSON."""

import io
import json
import logging

import pytest

from video_manager import telemetry
from video_manager.errors import Unavailable
from video_manager.settings import Settings


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


def test_text_lines_name_the_video_and_the_request(log: io.StringIO) -> None:
    telemetry.configure_logging(Settings(), log)
    token = telemetry.request_id.set("r1")
    with telemetry.correlated("v1"):
        logging.getLogger("publishing").warning("waits", extra={"seconds": 3})
    telemetry.request_id.reset(token)
    logging.getLogger("publishing").info("idle")
    first, second = log.getvalue().splitlines()
    assert first.endswith("WARNING publishing: waits (seconds=3, about v1, request r1)")
    assert second.endswith("publishing: idle")


def test_what_strangers_send_makes_no_lines_of_ours_and_steers_no_terminal(log: io.StringIO) -> None:
    telemetry.configure_logging(Settings(), log)
    sent = "/x\n16:03:11 INFO    publishing: all fine\r\x1b[2J\u202e\tünï"
    logging.getLogger("access").warning("GET %s", sent, extra={"actor": "key a\nb"})
    first, second, third = log.getvalue().splitlines()
    assert first.endswith("WARNING access: GET /x")
    assert second == "    16:03:11 INFO    publishing: all fine\\r\\x1b[2J\\u202e\tünï (actor=key a"
    assert third == "    b)"


def test_json_lines_hold_everything(log: io.StringIO) -> None:
    telemetry.configure_logging(Settings(log_json=True), log)
    with telemetry.correlated("v1"):
        try:
            int("no picture")
        except ValueError:
            logging.getLogger("generation").warning("render %s", "failed", exc_info=True, extra={"job": "j1"})
    line = json.loads(log.getvalue())
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "generation", "render failed")
    assert (line["correlation_id"], line["job"]) == ("v1", "j1")
    assert "ValueError: invalid literal" in line["exception"]
    assert line["time"].endswith("+00:00")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_server_that_is_away_is_one_line_with_its_reason(log: io.StringIO, as_json: bool) -> None:
    telemetry.configure_logging(Settings(log_json=as_json), log)
    error = Unavailable("MongoDB does not answer")
    logging.getLogger("manager").warning("jobs could not be %s", "looked at", exc_info=error)
    logging.getLogger("manager").warning("again: %s", error, exc_info=error)
    lines = log.getvalue().splitlines()
    texts = [json.loads(line)["message"] if as_json else line.partition("manager: ")[2] for line in lines]
    assert texts == ["jobs could not be looked at: MongoDB does not answer", "again: MongoDB does not answer"]


def test_the_level_is_the_settings(log: io.StringIO) -> None:
    telemetry.configure_logging(Settings(log_level="WARNING"), log)
    logging.getLogger("manager").info("quiet")
    assert log.getvalue() == ""


def test_configured_twice_it_logs_once(log: io.StringIO) -> None:
    telemetry.configure_logging(Settings(), log)
    telemetry.configure_logging(Settings(), log)
    logging.getLogger("manager").warning("once")
    assert log.getvalue().count("once") == 1


def test_addresses_of_other_servers_are_not_logged(log: io.StringIO) -> None:
    telemetry.configure_logging(Settings(log_level="DEBUG"), log)
    logging.getLogger("httpx").info("POST https://hooks.example.org/SECRET")
    assert "SECRET" not in log.getvalue()


def test_every_system_has_metrics_of_its_own() -> None:
    first, second = telemetry.new_registry(), telemetry.new_registry()
    body, content_type = telemetry.exposition(first)
    assert b"process_resident_memory_bytes" in body
    assert content_type.startswith("text/plain")
    assert first is not second
