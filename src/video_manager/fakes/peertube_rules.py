"""What a PeerTube server takes, and how it says what it does not take."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse, Response

PRIVACIES = {1: "Public", 2: "Unlisted", 3: "Private", 4: "Internal", 5: "Password protected"}
PLANNED_PRIVACIES = (1, 2, 4)
"""Those that a video can be given at a later time."""


def fault_in(body: Mapping[str, Any], channel: int) -> str:
    """What PeerTube would not take of a new video for that channel, by its name."""
    tags = body.get("tags", [])
    checks = {
        "channelId": body.get("channelId") == channel,
        "filename": bool(body.get("filename")),
        "name": 3 <= len(str(body.get("name", "")).strip()) <= 120,
        "privacy": body.get("privacy") in PRIVACIES,
        "description": "description" not in body or 3 <= len(body["description"]) <= 10_000,
        "tags": len(tags) <= 5 and all(2 <= len(tag) <= 30 for tag in tags),
        "commentsPolicy": body.get("commentsPolicy", 1) in (1, 2, 3),
        "language": re.fullmatch(r"[a-z]{2,3}", body.get("language", "en")) is not None,
    }
    return ", ".join(name for name, is_right in checks.items() if not is_right)


def fault_in_change(given: Mapping[str, Any]) -> str:
    """What it would not take of a change to a video. A plan is taken for any time, also one that is past."""
    if given.keys() - {"thumbnailfile", "privacy", "scheduleUpdate"}:
        return "this fake changes the thumbnail, the privacy and the planned update only"
    privacy, planned = str(given.get("privacy", 1)), given.get("scheduleUpdate")
    if not privacy.isdigit() or int(privacy) not in PRIVACIES:
        return "privacy"
    if planned is None:
        return ""
    if not isinstance(planned, dict) or not planned.get("updateAt"):
        return '"scheduleUpdate.updateAt" parameter is mandatory'
    try:
        instant(planned)
    except ValueError:
        return "Should have a schedule update date that conforms to ISO 8601"
    return "" if planned.get("privacy", 1) in PLANNED_PRIVACIES else "scheduleUpdate.privacy"


def instant(planned: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(str(planned["updateAt"])).timestamp()


def problem(status: int, detail: str, code: str = "", headers: Mapping[str, str] | None = None) -> Response:
    body = {"type": "about:blank", "detail": detail, "status": status} | ({"code": code} if code else {})
    return JSONResponse(body, status, headers=dict(headers or {}), media_type="application/problem+json")
