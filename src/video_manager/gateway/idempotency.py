"""A repeated POST with the same Idempotency-Key gets the answer of the first one, and nothing happens again."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import logging
from datetime import timedelta
from typing import ClassVar

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from video_manager.domain.access import Actor
from video_manager.domain.model import Frozen, Instant, derived_id
from video_manager.errors import Conflict, InvalidInput, NotFound, StaleRevision, VideoManagerError
from video_manager.gateway.problems import problem_response
from video_manager.ports import Clock, CollectionSpec, DocumentStore, Op, Query, Where
from video_manager.repository import Loaded, Repository, instant_text

RECORDS = CollectionSpec("idempotency_records", indexed=("expires_at",))
LIFETIME = timedelta(hours=24)
TAKEOVER = timedelta(seconds=15)
"""A request that has run for so long is believed dead with its process. Doing it again is safe even if it is not: the
ids of what it creates derive from the key."""

_MAX_KEY_LENGTH = 200
_MAX_STORED_BYTES = 2**20
_KEPT_HEADERS = ("content-type", "location", "etag")
_SWEEP_BATCH = 500

logger = logging.getLogger(__name__)


class StillRunning(Conflict):
    code: ClassVar[str] = "request_running"
    retry_after_seconds = 1.0


class KeyReused(InvalidInput):
    code: ClassVar[str] = "idempotency_key_reused"


class Answer(Frozen):
    """`body` is None for an answer with a secret, which is not kept."""

    status: int
    headers: dict[str, str]
    body: str | None
    """In base64."""


class IdempotencyRecord(Frozen):
    """`fingerprint` is a keyed hash of the request: bodies may hold passwords."""

    id: str
    fingerprint: str
    started_at: Instant
    expires_at: Instant
    answer: Answer | None = None


class IdempotencyRecords:
    def __init__(self, store: DocumentStore, clock: Clock, secret: str) -> None:
        self._records = Repository(store, RECORDS, IdempotencyRecord)
        self._clock = clock
        self._secret = secret.encode()

    async def open(self) -> None:
        await self._records.register()

    def fingerprint(self, *parts: bytes) -> str:
        lengths = b"".join(len(part).to_bytes(8) for part in parts)
        return hmac.new(self._secret, lengths + b"".join(parts), hashlib.sha256).hexdigest()

    async def begin(self, id: str, fingerprint: str) -> Answer | None:
        """The answer to give again, or None: then this request is the first, or takes over from one that died.
        Raises KeyReused for another request under the same key, StillRunning."""
        now = self._clock.now()
        fresh = IdempotencyRecord(id=id, fingerprint=fingerprint, started_at=now, expires_at=now + LIFETIME)
        if await self._records.add_if_absent(fresh):
            return None
        there: Loaded[IdempotencyRecord] | None = await self._records.get(id)
        if there is None:
            raise StillRunning("a request with this Idempotency-Key has just failed; send it again")
        record = there.value
        if record.expires_at > now:
            if not hmac.compare_digest(record.fingerprint, fingerprint):
                raise KeyReused.field(
                    "Idempotency-Key", "was used for a request with another body; use a new key for a new request"
                )
            if record.answer is not None:
                return record.answer
            if record.started_at > now - TAKEOVER:
                raise StillRunning("the first request with this Idempotency-Key is still running; ask again shortly")
        try:
            await self._records.save(there, fresh)
        except StaleRevision:
            raise StillRunning("another request with this Idempotency-Key has just begun; ask again shortly") from None
        return None

    async def finish(self, id: str, answer: Answer) -> None:
        # A missing record was taken over and given up again by another request meanwhile.
        with contextlib.suppress(NotFound):
            await self._records.change(id, lambda record: record.with_(answer=answer))

    async def abandon(self, id: str) -> None:
        """It failed: sending it again is a new try."""
        await self._records.remove(id)

    async def sweep(self) -> int:
        """Remove expired records; how many."""
        now = instant_text(self._clock.now())
        expired = await self._records.find(
            Query((Where("expires_at", Op.LE, now),), order_by="expires_at", limit=_SWEEP_BATCH)
        )
        for row in expired:
            await self._records.remove(row.value.id)
        return len(expired)


class Idempotency:
    """Pure ASGI, inside the guard and the body limit: POSTs below `prefix` with the header. Only successes are kept.
    Paths below `except_below` are left alone (their bodies are files)."""

    def __init__(self, app: ASGIApp, records: IdempotencyRecords, prefix: str, except_below: str) -> None:
        self._app = app
        self._records = records
        self._prefix = prefix
        self._except_below = except_below

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        actor = scope.get("state", {}).get("actor")
        if not self._applies(scope) or not isinstance(actor, Actor):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        key = headers["idempotency-key"]
        path: str = scope["path"]
        body = await _whole_body(receive)
        if body is None:
            return  # the client went away before it had said what it wants
        if not 1 <= len(key) <= _MAX_KEY_LENGTH:
            error = InvalidInput.field("Idempotency-Key", f"must have 1 to {_MAX_KEY_LENGTH} characters")
            await problem_response(scope, error)(scope, receive, send)
            return
        id = derived_id("idempotency-record", actor.id, path, key)
        content_type = headers.get("content-type", "")
        print_ = self._records.fingerprint(scope["query_string"], content_type.encode(), body)
        try:
            answer = await self._records.begin(id, print_)
        except VideoManagerError as refusal:
            await problem_response(scope, refusal)(scope, receive, send)
            return
        if answer is None:
            await self._run(id, scope, _replay(body, receive), send)
        else:
            await _again(scope, answer)(scope, receive, send)

    def _applies(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] != "POST":
            return False
        path: str = scope["path"]
        below = path.startswith(self._prefix) and not path.startswith(self._except_below)
        return below and "idempotency-key" in Headers(scope=scope)

    async def _run(self, id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """The answer is stored before its end is sent: who has read it all can rely on getting it again."""
        status = 0
        headers = Headers()
        collected = bytearray()
        settled = False

        async def storing(message: Message) -> None:
            nonlocal status, headers, settled
            if message["type"] == "http.response.start":
                # A copy: the middlewares outside add to the message's own list.
                status, headers = message["status"], Headers(raw=list(message["headers"]))
            elif message["type"] == "http.response.body":
                collected.extend(message.get("body", b""))
                if not message.get("more_body", False) and 200 <= status < 300:
                    await self._records.finish(id, _answer(status, headers, bytes(collected)))
                    settled = True
            await send(message)

        try:
            await self._app(scope, receive, storing)
        finally:
            if not settled:
                # Shielded: a cancelled request must not block its own repetition.
                await asyncio.shield(self._records.abandon(id))


def _answer(status: int, headers: Headers, body: bytes) -> Answer:
    secret = "no-store" in headers.get("cache-control", "") or len(body) > _MAX_STORED_BYTES
    return Answer(
        status=status,
        headers={name: headers[name] for name in _KEPT_HEADERS if name in headers},
        body=None if secret else base64.b64encode(body).decode(),
    )


def _again(scope: Scope, answer: Answer) -> Response:
    if answer.body is None:
        error = Conflict(
            "this was done already; the answer held a secret that is shown once and not kept. "
            "Remove what was made and make another under a new Idempotency-Key"
        )
        response = problem_response(scope, error)
    else:
        response = Response(base64.b64decode(answer.body), answer.status, answer.headers)
    MutableHeaders(raw=response.raw_headers)["Idempotency-Replayed"] = "true"
    return response


async def _whole_body(receive: Receive) -> bytes | None:
    """None when the client went away in between."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
