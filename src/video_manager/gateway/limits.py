"""How large a request's body may be."""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from video_manager.errors import TooLarge
from video_manager.gateway.problems import problem_response

JSON_LIMIT_BYTES = 2**20


class _BodyTooLarge(HTTPException):
    """An HTTPException, because FastAPI turns any other error while it reads a body into a 400."""


class BodyLimit:
    """Refuses larger bodies than `default_bytes`, or than that of the longest path prefix in `by_prefix` (None: the
    route counts for itself). A declared length is refused before a byte is read, an undeclared one while reading."""

    def __init__(
        self, app: ASGIApp, default_bytes: int = JSON_LIMIT_BYTES, by_prefix: Mapping[str, int | None] | None = None
    ) -> None:
        self._app = app
        self._default = default_bytes
        self._by_prefix = dict(sorted((by_prefix or {}).items(), key=lambda item: -len(item[0])))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self._limit(scope["path"]) if scope["type"] == "http" else None
        if limit is None:
            await self._app(scope, receive, send)
            return
        error = TooLarge(f"the request's body is larger than {limit} bytes; send files through /api/v1/uploads")
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdigit() or int(declared) > limit:
            await problem_response(scope, error)(scope, receive, send)
            return
        received = 0
        started = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _BodyTooLarge(413, error.detail)
            return message

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, counted, noting)
        except _BodyTooLarge:
            # Read by something that does not turn exceptions into answers, such as a mounted app.
            if started:
                raise
            await problem_response(scope, error)(scope, receive, send)

    def _limit(self, path: str) -> int | None:
        for prefix, limit in self._by_prefix.items():
            if path == prefix or path.startswith(prefix.rstrip("/") + "/"):
                return limit
        return self._default
