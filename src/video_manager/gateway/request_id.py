"""The id of a request: in its answer's X-Request-Id, in problem documents, and in every line of the log about it."""

import re
import uuid

from starlette.datastructures import Headers
from starlette.types import Scope

_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEY = "request_id"


def assign_request_id(scope: Scope) -> str:
    """Take over the caller's X-Request-Id when it is harmless, or make one."""
    given = Headers(scope=scope).get("x-request-id", "")
    request_id = given if _ACCEPTABLE.fullmatch(given) else uuid.uuid4().hex
    scope.setdefault("state", {})[_KEY] = request_id
    return request_id


def request_id_of(scope: Scope) -> str:
    return str(scope.get("state", {}).get(_KEY, ""))
