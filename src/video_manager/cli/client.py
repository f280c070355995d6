"""The REST API as the commands see it."""

import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from video_manager.cli.exits import CommandError, Exit

API = "/api/v1"
PAGE = 100
_STATUS_EXITS = {401: Exit.NOT_REACHABLE, 429: Exit.FAILED, 507: Exit.FAILED}

Json = dict[str, Any]


class Api:
    """Calls of /api/v1. Expected failures raise CommandError with the problem's own words.

    A repeated call does nothing twice: what is asked for again after a lost answer carries the same
    Idempotency-Key.
    """

    def __init__(self, http: httpx.AsyncClient, *, embedded: bool) -> None:
        self.http = http
        self.embedded = embedded
        """Whether the system lives in this process alone and ends with the command."""

    async def get(self, *path: str, **query: Any) -> Json:
        given = {name: value for name, value in query.items() if value is not None}
        return _json(await self._send("GET", path, params=given))

    async def post(self, *path: str, body: Mapping[str, Any] | None = None) -> Json:
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        return _json(await self._send("POST", path, json=body, headers=headers))

    async def put(self, *path: str, body: Mapping[str, Any]) -> Json:
        return _json(await self._send("PUT", path, json=body))

    async def patch(self, *path: str, body: Mapping[str, Any]) -> Json:
        return _json(await self._send("PATCH", path, json=body))

    async def delete(self, *path: str) -> None:
        await self._send("DELETE", path)

    async def items(self, *path: str, limit: int | None = None, **query: Any) -> list[Json]:
        """All items of a list, page by page, at most `limit`."""
        return [item async for item in self._pages(path, limit, query)]

    async def _pages(self, path: tuple[str, ...], limit: int | None, query: dict[str, Any]) -> AsyncIterator[Json]:
        cursor, count = None, 0
        while True:
            size = PAGE if limit is None else min(PAGE, limit - count)
            page = await self.get(*path, cursor=cursor, limit=size, **query)
            for item in page["items"]:
                yield item
            count += len(page["items"])
            cursor = page.get("next")
            if cursor is None or (limit is not None and count >= limit):
                return

    async def _send(self, method: str, path: tuple[str, ...], **arguments: Any) -> httpx.Response:
        url = f"{API}/" + "/".join(quote(part, safe="") for part in path)
        try:
            response = await self._try(method, url, **arguments)
        except httpx.TransportError as error:
            raise CommandError(f"the server stopped answering ({_words(error)}); is it still running?",
                               Exit.NOT_REACHABLE) from error  # fmt: skip
        raise_for_problem(response)
        return response

    @retry(
        retry=retry_if_exception_type(httpx.TransportError), stop=stop_after_attempt(4),
        wait=wait_exponential(multiplier=0.3, max=3), reraise=True,
    )  # fmt: skip
    async def _try(self, method: str, url: str, **arguments: Any) -> httpx.Response:
        return await self.http.request(method, url, **arguments)


def raise_for_problem(response: httpx.Response) -> None:
    """Raise CommandError with what the server says is wrong: a sentence, then one line a field."""
    if response.status_code < 400:
        return
    status = response.status_code
    code = _STATUS_EXITS.get(status, Exit.WRONG_INPUT if status < 500 else Exit.FAILED)
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "detail" not in problem:
        raise CommandError(f"the server answered {status} {response.reason_phrase}", code)
    fields = [f"  {item['field']}: {item['reason']}" for item in problem.get("errors") or ()]
    one = len(fields) == 1 and fields[0].strip() == problem["detail"]
    text = problem["detail"] if one or not fields else "\n".join([f"{problem['title']}:", *fields])
    if problem.get("correlation_id") and status >= 500:
        text += f" (request {problem['correlation_id']})"
    raise CommandError(text, code)


def _json(response: httpx.Response) -> Json:
    if response.status_code == 204 or not response.content:
        return {}
    answer = response.json()
    return answer if isinstance(answer, dict) else {"items": answer}


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
