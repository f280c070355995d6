"""Logging, the ids that follow one piece of work through it, and the metrics of this process.

Log lines carry `request_id` (one HTTP request) and `correlation_id` (one video's way) wherever they are known, so
that everything that happened to a video can be found by one id. Secrets never get here: settings keep them as
SecretStr, and addresses that may hold a key are logged by other libraries only at levels that are switched off.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from datetime import UTC, datetime
from typing import Any, TextIO

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest

from video_manager.errors import Unavailable
from video_manager.settings import Settings

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)

_QUIET = (
    "httpx",
    "httpcore",
    "authlib",
    "apprise",
    "alembic",
    "urllib3",
    "asyncio",
    "watchfiles",
    "engineio",
    "socketio",
    "multipart",
)
"""Libraries that log every request, some with the whole address (a bot's token stands in it), or what they exchange:
only their warnings are shown, at every level of ours."""

_STEERING = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters but the tab, other ends of lines, and what turns the direction of writing."""

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request_id", "correlation_id"}


class _OurHandler(logging.StreamHandler[TextIO]):
    """Known by its class, so that handlers of others (a test's) stay."""


@contextmanager
def correlated(id: str | None) -> Iterator[None]:
    """Log lines written inside carry this correlation id."""
    token = correlation_id.set(id)
    try:
        yield
    finally:
        correlation_id.reset(token)


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Log to `stream` (stderr unless told otherwise). Called again it replaces its own earlier handler only."""
    handler = _OurHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_json else TextFormatter())
    handler.addFilter(_add_ids)
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _OurHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.log_level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)


def _add_ids(record: logging.LogRecord) -> bool:
    record.request_id = request_id.get()
    record.correlation_id = correlation_id.get()
    return True


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}


def _without_stack_of_outages(record: logging.LogRecord) -> logging.LogRecord:
    """A server that is away for a minute is no mistake of ours: what was tried and why it failed say all, and stack
    traces of it by the hundred would hide those that matter."""
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, Unavailable):
        return record
    short, text = copy(record), record.getMessage()
    short.exc_info = short.exc_text = None
    short.msg, short.args = (text if str(error) in text else f"{text}: {error}"), None
    return short


class TextFormatter(logging.Formatter):
    """`16:03:11 WARNING publishing: text (video 8f3c)`. Further lines are indented and control characters are written
    out: what a stranger sends (a path, a name) can neither look like a line of ours nor steer the terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return super().format(_without_stack_of_outages(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        text = super().formatMessage(record)
        facts = [f"{name}={value}" for name, value in _extra(record).items()]
        if correlation := getattr(record, "correlation_id", None):
            facts.append(f"about {correlation}")
        if request := getattr(record, "request_id", None):
            facts.append(f"request {request}")
        return _tamed(f"{text} ({', '.join(facts)})" if facts else text)


def _tamed(text: str) -> str:
    if text.isprintable():
        return text
    return _STEERING.sub(lambda found: "\n    " if found[0] == "\n" else ascii(found[0])[1:-1], text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, ids, whatever `extra` named, and the exception."""

    def format(self, record: logging.LogRecord) -> str:
        record = _without_stack_of_outages(record)
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in ("request_id", "correlation_id"):
            if value := getattr(record, name, None):
                line[name] = value
        line.update(_extra(record))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def new_registry() -> CollectorRegistry:
    """A registry of this system alone (not the process-wide one, which tests would fill twice), with the process's
    own memory, CPU and garbage-collection figures."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> tuple[bytes, str]:
    """The body and content type of `GET /metrics`."""
    return generate_latest(registry), CONTENT_TYPE_LATEST
