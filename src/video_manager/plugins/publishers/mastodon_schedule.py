"""What a Mastodon server is to post at a time: its scheduled statuses, found by the video that they show.

A scheduled status has an id of its own, which ends with it: at its time the server throws it away and makes an ordinary
one. Servers before 4.3 did not heed idempotency keys of scheduled statuses; what later ones answer to a repeated key
differs. So nothing here relies on the key: what is there already is looked for.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from video_manager.errors import NotPublished, PermanentError, RetryableError
from video_manager.plugins.publishers.mastodon_api import Mastodon, read

_ADDRESS = "/api/v1/scheduled_statuses"
_PAGE, _MOST_PAGES = 40, 8
"""An account has 300 at most."""
_NO_SCHEDULE = frozenset({404, 405, 501})
"""What servers of other software answer that keep no times."""
_UNDER_WAY = timedelta(minutes=1)
"""So near its time the server may be posting it already."""


class Schedule:
    """As far as it concerns one video."""

    def __init__(self, mastodon: Mastodon, media: str) -> None:
        self._mastodon = mastodon
        self._media = media

    async def planned(self, *, publishes: bool = False) -> list[Mapping[str, Any]] | None:
        """The scheduled statuses that show it; None: the server keeps no times."""
        found: list[Mapping[str, Any]] = []
        before: str | None = None
        for _ in range(_MOST_PAGES):
            asked = {"limit": str(_PAGE), **({"max_id": before} if before else {})}
            answer = await self._mastodon.call(
                "GET", _ADDRESS, params=asked, ok={200, *_NO_SCHEDULE}, publishes=publishes
            )
            if answer.status_code != 200:
                return None
            page = read(answer)
            found += [one for one in page if self._media in _videos(one)]
            if len(page) < _PAGE:
                break
            before = str(page[-1]["id"])
        return found

    async def give(self, status: Mapping[str, Any], key: str, at: datetime) -> None:
        """The server posts it at that time. Raises NotPublished when it certainly does not.

        That it keeps times is seen before: one that does not know of them would post at once. What an earlier call has
        left there, whose answer was lost, is moved."""
        when = at.astimezone(UTC).isoformat(timespec="milliseconds")
        planned = await self.planned(publishes=True)
        if planned is None:
            raise NotPublished(PermanentError("this server keeps no times"))
        if planned:
            if _moment(planned[0]) != datetime.fromisoformat(when):
                address = f"{_ADDRESS}/{planned[0]['id']}"
                await self._mastodon.call("PUT", address, json={"scheduled_at": when})
            return
        timed, headers = {**status, "scheduled_at": when}, {"Idempotency-Key": key}
        try:
            made = read(
                await self._mastodon.call("POST", "/api/v1/statuses", json=timed, headers=headers, publishes=True)
            )
        except NotPublished as refused:
            if isinstance(refused.cause, PermanentError) and await self.planned():
                return  # it refused the repeated key
            raise
        if not made.get("scheduled_at"):
            raise RetryableError("Mastodon did not keep the time: the post may be public already")

    async def take_back(self, now: datetime) -> bool:
        """True: the server had the time, and will not post it. False: it has to be looked what became of it."""
        planned = await self.planned() or []
        certain = bool(planned)
        for one in planned:
            answer = await self._mastodon.call("DELETE", f"{_ADDRESS}/{one['id']}", ok={200, 404})
            moment = _moment(one)
            certain = certain and answer.status_code == 200 and moment is not None and moment - now > _UNDER_WAY
        return certain


def time_of(planned: Mapping[str, Any]) -> str:
    """For people."""
    return str(planned.get("scheduled_at"))[:40]


def _videos(planned: Mapping[str, Any]) -> set[str]:
    """By their ids, which stand in two places."""
    shown = [one.get("id") for one in planned.get("media_attachments") or ()]
    return {str(one) for one in (*shown, *((planned.get("params") or {}).get("media_ids") or ()))}


def _moment(planned: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(planned.get("scheduled_at"))).astimezone(UTC)
    except ValueError:
        return None
