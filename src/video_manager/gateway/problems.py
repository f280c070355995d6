"""Every error answer is a problem document (RFC 9457): our own errors, wrong input, unknown paths, and surprises."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from video_manager.errors import (
    Conflict,
    FieldError,
    Forbidden,
    InvalidInput,
    NotFound,
    StorageFull,
    TooLarge,
    Unauthenticated,
    Unavailable,
    VideoManagerError,
)
from video_manager.gateway.request_id import request_id_of

PROBLEM_JSON = "application/problem+json"

logger = logging.getLogger(__name__)


class WrongField(BaseModel):
    field: str
    reason: str


class Problem(BaseModel):
    """`type` names the kind of problem for programs, as does the shorter `code`; `detail` is for people;
    `correlation_id` finds the request in the log; `errors` lists wrong fields."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    correlation_id: str
    errors: list[WrongField] = []


class MethodNotAllowed(VideoManagerError):
    code: ClassVar[str] = "method_not_allowed"
    status: ClassVar[int] = 405

    def __init__(self, detail: str, allowed: list[str]) -> None:
        super().__init__(detail)
        self.headers = {"Allow": ", ".join(allowed)}


_CODES = {
    kind.status: kind.code for kind in (Conflict, Forbidden, InvalidInput, NotFound, TooLarge, Unauthenticated)
} | {405: MethodNotAllowed.code}


UNAVAILABLE_SECONDS = 5.0
"""When to try again, where the part that is away named no time."""


def problem_response(scope: Scope, error: VideoManagerError) -> Response:
    """The answer to one of our errors. `errors`, `headers` and `retry_after_seconds` of the error are honoured."""
    headers = dict(getattr(error, "headers", {}))
    retry_after = getattr(error, "retry_after_seconds", None)
    if retry_after is not None:
        headers["Retry-After"] = str(max(1, round(retry_after)))
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="video-manager"'
    fields: tuple[FieldError, ...] = getattr(error, "errors", ())
    return _answer(scope, error.status, error.code, error.detail, fields, headers)


def surprise_response(scope: Scope) -> Response:
    """The answer to an unexpected exception: its id, nothing of its inside."""
    detail = f"something went wrong on our side; an administrator finds it in the log under {request_id_of(scope)}"
    return _answer(scope, 500, "internal_error", detail, (), {})


def unavailable_response(scope: Scope, error: Unavailable) -> Response:
    """A store or the broker does not answer: nothing is wrong with the request. Its address is nobody's business."""
    wait = str(max(1, round(error.retry_after_seconds or UNAVAILABLE_SECONDS)))
    detail = "a part of the system does not answer at the moment: try again in a few seconds"
    return _answer(scope, error.status, error.code, detail, (), {"Retry-After": wait})


def install_problems(app: FastAPI) -> None:
    """Answer every exception that a route raises with a problem document."""
    app.add_exception_handler(VideoManagerError, _on_our_error)
    app.add_exception_handler(RequestValidationError, _on_wrong_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_our_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, VideoManagerError)  # noqa: S101 - what it is registered for
    if isinstance(error, Unavailable):
        logger.warning("%s %s could not be answered: %s", request.method, request.url.path, error.detail)
        return unavailable_response(request.scope, error)
    if error.status >= 500 and not isinstance(error, StorageFull):
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return surprise_response(request.scope)
    return problem_response(request.scope, error)


async def _on_wrong_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    fields = [FieldError(_path(item["loc"]), _reason(item)) for item in error.errors()]
    detail = "; ".join(f"{item.field}: {item.reason}" for item in fields)
    return problem_response(request.scope, InvalidInput(detail, fields))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    code = _CODES.get(error.status_code, HTTPStatus(error.status_code).phrase.lower().replace(" ", "_"))
    return _answer(request.scope, error.status_code, code, str(error.detail), (), error.headers or {})


def _answer(
    scope: Scope, status: int, code: str, detail: str, fields: tuple[FieldError, ...], headers: Mapping[str, str]
) -> Response:
    body = Problem(
        type=f"urn:video-manager:problem:{code}",
        title=_title(status),
        status=status,
        detail=detail,
        code=code,
        instance=scope.get("path", ""),
        correlation_id=request_id_of(scope),
        errors=[WrongField(field=item.field, reason=item.reason) for item in fields],
    )
    return Response(body.model_dump_json(), status, dict(headers), PROBLEM_JSON)


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Checksum Mismatch" if status == 460 else "Error"


def _path(location: tuple[int | str, ...]) -> str:
    """`("body", "options", "text")` as `options.text`; parameters keep only their name."""
    parts = [str(part) for part in location]
    if parts and parts[0] in ("body", "query", "path", "header", "cookie") and len(parts) > 1:
        parts = parts[1:]
    return ".".join(parts)


def _reason(item: Mapping[str, Any]) -> str:
    if item.get("type") == "json_invalid":
        return f"not valid JSON: {item.get('ctx', {}).get('error', 'it cannot be read')}"
    return str(item["msg"]).removeprefix("Value error, ")
