"""What the errors of Meta's Graph API ask for. A subcode says more than its code, so that it is looked up first."""

import re
from collections.abc import Container, Mapping
from typing import Any

import httpx

from video_manager.errors import (
    ActionRequiredError,
    LimitReached,
    PermanentError,
    RetryableError,
    StillUploaded,
    WorkError,
)
from video_manager.plugins.platform_http import Fault, fault_of_status, retry_after

LONGEST_WORDS = 400
DAY_SECONDS = 24 * 3600.0
RATE_SECONDS = 300.0
"""How long to be silent where Meta says "too many" and names no time."""
NOT_READY_SECONDS = 60.0
TRY_LATER_SECONDS = 120.0

SERVER = frozenset({-1, -2, 1, 2, 2207001, 2207003, 2207032, 2207082, 1363047, 1609010})
TOO_MANY = frozenset({4, 17, 32, 613, 1390008})
GONE = frozenset({2207006, 2207020, 2207053})
CONTENT = frozenset({
    2207009, 2207010, 2207026, 2207028, 2207052, 2207057, 352, 9004, 36003, 36004,
    1404006, 1404102, 1346003, 2069019,
})  # fmt: skip
ACCOUNT = frozenset({190, 490, 102, 2207050, 2207051, 1404078})
FORMAT = range(1363000, 1364000)
PERMISSIONS = frozenset({10, *range(200, 300)})
PUBLISHING_LIMIT, NOT_READY, TRY_LATER, UNSEEN = (frozenset({one}) for one in (2207042, 2207027, 2207008, 33))

_TOKEN = re.compile(r"\bEAA[A-Za-z0-9]{8,}")
"""Access tokens begin so, and some messages repeat them."""


class ServerTrouble(RetryableError):
    """Meta's own trouble, which also comes with a status that blames the caller: the call may have had its effect."""


class UploadGone(RetryableError):
    """The upload expired, failed, or is not known: a new one has to be begun."""


class Unseen(ActionRequiredError):
    """The object is not there, or not for this account."""


def fault_for(title: str) -> Fault:
    """Reads the answers that are no success, of the Graph API and of the host that takes the bytes."""

    def fault(answer: httpx.Response) -> WorkError | None:
        body = _body(answer)
        if isinstance(body.get("debug_info"), Mapping):
            return _of_upload(title, answer, body["debug_info"])
        error = body.get("error")
        if not isinstance(error, Mapping):
            return None
        code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
        text = f"{title} answered {answer.status_code}: {said(error)}"
        found = meaning(text, subcode, retry_after(answer)) or meaning(text, code, retry_after(answer))
        if found is None and (error.get("is_transient") is True or "unknown error" in text.lower()):
            found = ServerTrouble(text)
        if found is None and "REVOKED_ACCESS_TOKEN" in answer.text:
            found = ActionRequiredError(f"{text}; connect the channel again")
        return found or _of_status(text, answer, title)

    return fault


def meaning(text: str, number: int | None, after_seconds: float | None = None) -> WorkError | None:
    """What one code or subcode asks for; None: it is not documented."""
    if number is None:
        return None
    kinds: tuple[tuple[Container[int], WorkError], ...] = (
        (PUBLISHING_LIMIT, LimitReached(text, DAY_SECONDS)),
        (TOO_MANY, LimitReached(text, after_seconds or RATE_SECONDS)),
        (NOT_READY, StillUploaded(text, NOT_READY_SECONDS)),
        (TRY_LATER, RetryableError(text, TRY_LATER_SECONDS)),
        (SERVER, ServerTrouble(text, after_seconds)),
        (GONE, UploadGone(text)),
        (UNSEEN, Unseen(f"{text}; see whether the account may still be used, and connect the channel again")),
        (ACCOUNT, ActionRequiredError(f"{text}; see to the account at Meta, or connect the channel again")),
        (PERMISSIONS, ActionRequiredError(f"{text}; connect the channel again with every permission")),
        (CONTENT, PermanentError(text)),
        (FORMAT, PermanentError(text)),
    )
    return next((fault for numbers, fault in kinds if number in numbers), None)


def said(error: Mapping[str, Any]) -> str:
    """Meta's own words, of bounded length and without tokens."""
    message = str(error.get("error_user_msg") or error.get("message") or "no message")
    text = _TOKEN.sub("(a token)", " ".join(message.split()))[:LONGEST_WORDS]
    numbers = [str(error[name]) for name in ("code", "error_subcode") if error.get(name) is not None]
    return f"{text} (error {'/'.join(numbers)})" if numbers else text


def _of_upload(title: str, answer: httpx.Response, info: Mapping[str, Any]) -> WorkError:
    text = f"{title} did not take the bytes ({answer.status_code}): {said(info)}"
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN) or "unauthorized" in text.lower():
        return ActionRequiredError(f"{text}; connect the channel again")
    if info.get("retriable") is True or answer.status_code >= 500:
        return RetryableError(text, retry_after(answer))
    return PermanentError(text)


def _of_status(text: str, answer: httpx.Response, title: str) -> WorkError:
    """An undocumented error keeps Meta's own words; its status says what to do."""
    by_status = fault_of_status(answer, title)
    return PermanentError(text) if isinstance(by_status, PermanentError) else by_status


def _body(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, Mapping) else {}


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
