"""Calls to a platform's API: signed with the channel's token, and every failure turned into what it asks for."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import httpx

from video_manager.errors import (
    ActionRequiredError,
    LimitReached,
    NotPublished,
    PermanentError,
    RetryableError,
    StillUploaded,
    WorkError,
)
from video_manager.plugins.publisher_api import PublisherContext

MOST_ANSWER_BYTES = 4 * 2**20
"""A longer answer is no answer of an API."""
CHUNK_BYTES = 2**20
LONGEST_WORDS = 500
RATE_LIMIT_SECONDS = 60.0
"""How long to wait where the platform says "too many" and names no time."""

Fault = Callable[[httpx.Response], WorkError | None]
"""What a platform means by an answer that is no success; None: what HTTP means by its status."""
Stream = Callable[[], AsyncIterator[bytes]]
"""Makes the body anew, as a call may be made again with another token."""

OK = frozenset({200, 201, 202, 204})


def no_fault(_answer: httpx.Response) -> WorkError | None:
    return None


def is_unauthorized(answer: httpx.Response) -> bool:
    """Whether the token was refused; some platforms say so in their own way."""
    return answer.status_code == httpx.codes.UNAUTHORIZED


def bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Api:
    """One platform's API as one channel uses it. `title` names the platform in messages.

    `hidden` are secrets that stand in addresses or headers of the calls: should an answer or an error repeat one, it is
    not passed on.
    """

    def __init__(
        self, context: PublisherContext, title: str, fault: Fault = no_fault,
        authorization: Callable[[str], Mapping[str, str]] = bearer, hidden: Collection[str] = (),
        is_refused: Callable[[httpx.Response], bool] = is_unauthorized,
    ) -> None:  # fmt: skip
        self._context = context
        self._title = title
        self._fault = fault
        self._authorization = authorization
        self._hidden = hidden
        self._is_refused = is_refused

    async def call(
        self, method: str, url: str, *, signed: bool = True, ok: Collection[int] = OK, stream: Stream | None = None,
        headers: Mapping[str, str] | None = None, publishes: bool = False, **request: Any,
    ) -> httpx.Response:  # fmt: skip
        """The answer, read, when its status is in `ok`. `request` is as for httpx (`json`, `data`, `params`, `files`).

        A signed call whose token is refused is made once more with a renewed one. Raises RetryableError,
        LimitReached, ActionRequiredError or PermanentError, with the platform's own words. Of a call that `publishes`,
        those that leave no doubt that nothing was made come as NotPublished; one that never got there has changed
        nothing of what was uploaded (StillUploaded).
        """
        try:
            return await self._call(method, url, signed, ok, stream, headers, request)
        except _Certain as certain:
            if not publishes:
                raise certain.fault from certain.__cause__
            fault = StillUploaded(certain.fault.detail) if certain.is_unsent else certain.fault
            raise NotPublished(fault) from certain.__cause__

    async def _call(
        self, method: str, url: str, signed: bool, ok: Collection[int], stream: Stream | None,
        headers: Mapping[str, str] | None, request: dict[str, Any],
    ) -> httpx.Response:  # fmt: skip
        token = await self._context.token() if signed else None
        answer = await self._send(method, url, token, headers, stream, request)
        if token is not None and self._is_refused(answer):
            token = await self._context.token(refused=token)
            answer = await self._send(method, url, token, headers, stream, request)
        if answer.status_code in ok:
            return answer
        fault = self._fault(answer) or fault_of_status(answer, self._title)
        is_certain = 400 <= answer.status_code < 500 and answer.status_code != httpx.codes.REQUEST_TIMEOUT
        raise _Certain(fault) if is_certain else fault

    async def json(self, method: str, url: str, **call: Any) -> Any:
        """Like `call`; the answer's body. One that is no JSON raises RetryableError: a proxy or a page for people."""
        answer = await self.call(method, url, **call)
        try:
            return answer.json()
        except ValueError as error:
            raise RetryableError(f"{self._title} answered no JSON: {words(answer)}") from error

    async def _send(
        self, method: str, url: str, token: str | None, headers: Mapping[str, str] | None, stream: Stream | None,
        request: dict[str, Any],
    ) -> httpx.Response:  # fmt: skip
        signed = dict(self._authorization(token)) if token is not None else {}
        if stream is not None:
            request = {**request, "content": stream()}
        try:
            built = self._context.http.build_request(method, url, headers={**signed, **(headers or {})}, **request)
            answer = await self._context.http.send(built, stream=True)
            try:
                return await _read(answer, self._title, self._veil)
            finally:
                await answer.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.InvalidURL) as error:
            fault = RetryableError(f"{self._title} cannot be reached: {self._told(error)}")
            raise _Certain(fault, is_unsent=True) from self._cause(error)
        except httpx.HTTPError as error:
            raise RetryableError(f"{self._title} did not answer: {self._told(error)}") from self._cause(error)

    def _told(self, error: Exception) -> str:
        return self._veil(str(error)) or type(error).__name__

    def _cause(self, error: Exception) -> Exception | None:
        """Stack traces show what an error was caused by, in its own words."""
        return error if self._veil(str(error)) == str(error) else None

    def _veil(self, text: str) -> str:
        for secret in self._hidden:
            text = text.replace(secret, "(hidden)")
        return text


class _Certain(Exception):
    """A refusal, or a call that was never sent: the platform has done nothing."""

    def __init__(self, fault: WorkError, *, is_unsent: bool = False) -> None:
        super().__init__(fault.detail)
        self.fault = fault
        self.is_unsent = is_unsent


async def _read(answer: httpx.Response, title: str, veil: Callable[[str], str]) -> httpx.Response:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > MOST_ANSWER_BYTES:
            raise RetryableError(f"{title} answered with more than {MOST_ANSWER_BYTES} bytes")
    headers = [
        (name, value) for name, value in answer.headers.multi_items()
        if name not in ("content-encoding", "content-length", "transfer-encoding")
    ]  # fmt: skip
    # Latin 1 maps every byte to one character and back, so that only what is hidden changes.
    content = veil(body.decode("latin-1")).encode("latin-1")
    return httpx.Response(answer.status_code, headers=headers, content=content, request=answer.request)


def fault_of_status(answer: httpx.Response, title: str) -> WorkError:
    """What an answer asks for by its status alone."""
    text = f"{title} answered {answer.status_code}: {words(answer)}"
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return LimitReached(text, retry_after(answer) or RATE_LIMIT_SECONDS)
    if answer.status_code >= 500 or answer.status_code == httpx.codes.REQUEST_TIMEOUT:
        return RetryableError(text, retry_after(answer))
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return ActionRequiredError(f"{text}; connect the channel again")
    return PermanentError(text)


def retry_after(answer: httpx.Response) -> float | None:
    """Seconds, where the answer names them."""
    header = answer.headers.get("Retry-After", "")
    return float(header) if header.isdigit() else None


def words(answer: httpx.Response) -> str:
    """What the platform said, in one line of bounded length, for people."""
    text = " ".join(answer.text.split())
    with contextlib.suppress(ValueError):
        text = json.dumps(answer.json(), ensure_ascii=False) if text[:1] in ("{", "[") else text
    return text[:LONGEST_WORDS] or answer.reason_phrase or "nothing"


def file_bytes(
    path: Path, start: int = 0, length: int | None = None, sent: Callable[[int], None] = lambda _bytes: None
) -> Stream:
    """The bytes of a file, or of a part of it, read piece by piece. `sent` hears how many have gone out so far."""

    async def pieces() -> AsyncIterator[bytes]:
        left = (await asyncio.to_thread(path.stat)).st_size - start if length is None else length
        done = 0
        with await asyncio.to_thread(path.open, "rb") as file:
            file.seek(start)
            while left > 0 and (piece := await asyncio.to_thread(file.read, min(CHUNK_BYTES, left))):
                yield piece
                left -= len(piece)
                done += len(piece)
                sent(done)

    return pieces
