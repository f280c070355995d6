"""Who may use which route: the expected table, and the check of an application against it.

A route that is missing in the table fails the test, and so does a line without a route. The other services' routes
are in `system_access_table`.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

from video_manager.domain.access import ROLE_RIGHTS, Right, Role

EVERYBODY = frozenset(Role)
NOBODY: frozenset[Role] = frozenset()


def who_may(right: Right) -> frozenset[Role]:
    return frozenset(role for role in Role if right in ROLE_RIGHTS[role])


@dataclass(frozen=True)
class Rule:
    """`roles` get past the check (to success, or to an error about the unknown object or the empty request); all
    others get 403, strangers 401. `json`, `headers`, `path` and `query` make the request valid enough to reach the
    use case."""

    roles: frozenset[Role]
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    public: bool = False
    endless: bool = False


ADMIN = Rule(who_may(Right.ADMINISTER))
SENDERS = who_may(Right.REQUEST) | who_may(Right.WORK)
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = TUS | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}

TABLE: dict[str, Rule] = {
    "GET /health/live": Rule(EVERYBODY, public=True),
    "GET /health/ready": Rule(EVERYBODY, public=True),
    "GET /health/work": Rule(EVERYBODY, public=True),
    "GET /metrics": ADMIN,
    "GET /api/v1/me": Rule(EVERYBODY),
    # With a key nobody: it is no account and has no password. Signed-in people are tested in test_signing_in.
    "POST /api/v1/me/password": Rule(NOBODY, json={"current_password": "x", "new_password": "long enough now"}),
    "GET /api/v1/me/calendar": Rule(EVERYBODY),
    "POST /api/v1/me/calendar": Rule(NOBODY),
    "DELETE /api/v1/me/calendar": Rule(NOBODY),
    "GET /api/v1/users": ADMIN,
    "POST /api/v1/users": Rule(ADMIN.roles, json={"name": "new", "password": "long enough now", "role": "viewer"}),
    "GET /api/v1/users/{user_id}": ADMIN,
    "PATCH /api/v1/users/{user_id}": Rule(ADMIN.roles, json={"disabled": True}),
    "DELETE /api/v1/users/{user_id}": ADMIN,
    "GET /api/v1/keys": ADMIN,
    "POST /api/v1/keys": Rule(ADMIN.roles, json={"name": "ci", "role": "viewer"}),
    "DELETE /api/v1/keys/{key_id}": ADMIN,
    "GET /api/v1/audit": ADMIN,
    "GET /api/v1/dead-letters": ADMIN,
    "POST /api/v1/dead-letters/{dead_letter_id}/resend": ADMIN,
    "DELETE /api/v1/dead-letters/{dead_letter_id}": ADMIN,
    "GET /api/v1/storage": Rule(who_may(Right.VIEW)),
    "GET /api/v1/events": Rule(who_may(Right.VIEW), endless=True),
    "GET /api/v1/uploads": Rule(SENDERS),
    "POST /api/v1/uploads": Rule(SENDERS, headers=TUS | {"Upload-Length": "10"}),
    "GET /api/v1/uploads/{upload_id}": Rule(SENDERS),
    "HEAD /api/v1/uploads/{upload_id}": Rule(SENDERS, headers=TUS),
    "PATCH /api/v1/uploads/{upload_id}": Rule(SENDERS, headers=PIECE),
    "DELETE /api/v1/uploads/{upload_id}": Rule(SENDERS, headers=TUS),
}


def routes_of(app: FastAPI) -> Iterator[str]:
    for path, operations in app.openapi()["paths"].items():
        for method in operations:
            yield f"{method.upper()} {path}"


def differences(app: FastAPI, table: Mapping[str, Rule]) -> dict[str, list[str]]:
    """Empty when the table and the application name the same routes."""
    routes = set(routes_of(app))
    found = {"not in the table": sorted(routes - set(table)), "not in the application": sorted(set(table) - routes)}
    return {name: lines for name, lines in found.items() if lines}


async def wrong_answers(table: Mapping[str, Rule], client_of: Callable[[Role | None], httpx.AsyncClient]) -> list[str]:
    """Every route as every role and as a stranger; what was answered differently than the table says."""
    wrong: list[str] = []
    for role in (*Role, None):
        async with client_of(role) as client:
            for route, rule in table.items():
                status = await _status(client, route, rule)
                if not _fits(status, rule, role):
                    wrong.append(f"{route} as {role or 'a stranger'}: {status}")
    return wrong


def _fits(status: int | None, rule: Rule, role: Role | None) -> bool:
    if rule.public or role in rule.roles:
        return status is None or (status not in (401, 403, 405) and status < 500)
    return status == (401 if role is None else 403)


async def _status(client: httpx.AsyncClient, route: str, rule: Rule) -> int | None:
    """None: the answer has begun and does not end."""
    method, path = route.split(" ")
    url = re.sub(r"\{(\w+?)(:path)?\}", lambda match: rule.path.get(match[1], "unknown"), path)
    request = client.request(method, url, json=rule.json, params=dict(rule.query), headers=dict(rule.headers))
    if not rule.endless:
        return (await request).status_code
    try:
        return (await asyncio.wait_for(request, 0.3)).status_code
    except TimeoutError:
        return None
