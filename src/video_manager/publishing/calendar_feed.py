"""The schedule as a calendar (iCalendar, RFC 5545) that other programs subscribe to.

A publication is one event for ever: its id makes the UID, the number of its newest event the SEQUENCE, so that a moved
one moves and a cancelled one is struck out in the subscriber's calendar.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from video_manager.domain.access import Actor, Right
from video_manager.domain.publication import Publication, PublicationState
from video_manager.ports import Clock, Op, Query, Where
from video_manager.publishing.channels import ChannelService
from video_manager.repository import Repository

if TYPE_CHECKING:
    from icalendar import Event

S = PublicationState
KEPT = timedelta(days=60)
"""How long what is over stays in the feed."""
_LASTS = timedelta(minutes=15)
_MOST = 2000
_MOST_ENDED = 500
_STATUS = {
    S.SCHEDULED: "CONFIRMED", S.UPLOADING: "CONFIRMED", S.PENDING: "CONFIRMED", S.PUBLISHED: "CONFIRMED",
    S.UNKNOWN: "TENTATIVE", S.ACTION_REQUIRED: "TENTATIVE", S.FAILED: "TENTATIVE", S.CANCELLED: "CANCELLED",
    S.WITHDRAWN: "CANCELLED",
}  # fmt: skip


class CalendarFeed:
    def __init__(
        self, publications: Repository[Publication], channels: ChannelService, clock: Clock, base_url: str
    ) -> None:
        self._publications = publications
        self._channels = channels
        self._clock = clock
        self._base_url = base_url

    async def written(self, actor: Actor) -> bytes:
        """All that is scheduled, and what happened in the last 60 days."""
        actor.require(Right.VIEW)
        since = self._clock.now() - KEPT
        found: list[Publication] = []
        for state in PublicationState:
            most = _MOST if state is S.SCHEDULED else _MOST_ENDED
            where = (Where("state", Op.EQ, state.value), Where("approved.video_id", Op.IS_NULL, value=False))
            query = Query(where, order_by="created_at", descending=True, limit=most)
            found += [one.value for one in await self._publications.find(query)]
        names = {channel.id: channel.name for channel in await self._channels.all()}
        shown = sorted((one for one in found if _starts(one) >= since), key=lambda one: (_starts(one), one.id))
        return calendar_of(shown, names, self._base_url)


def calendar_of(publications: Sequence[Publication], channel_names: Mapping[str, str], base_url: str) -> bytes:
    """The bytes of the file; equal publications give equal bytes."""
    from icalendar import Calendar  # noqa: PLC0415 - only who subscribes pays for loading it

    calendar = Calendar()
    calendar.add("PRODID", "-//video-manager//schedule//EN")
    calendar.add("VERSION", "2.0")
    calendar.add("CALSCALE", "GREGORIAN")
    calendar.add("METHOD", "PUBLISH")
    calendar.add("X-WR-CALNAME", "Publications")
    calendar.add("X-PUBLISHED-TTL", "PT15M")
    for publication in publications:
        content = publication.content
        calendar.add_component(_event(publication, channel_names.get(content.channel_id, content.platform), base_url))
    return bytes(calendar.to_ical())


def _event(publication: Publication, channel: str, base_url: str) -> "Event":
    from icalendar import Event  # noqa: PLC0415 - see above

    content, event = publication.content, Event()
    start = _starts(publication)
    event.add("UID", f"{publication.id}@video-manager")
    event.add("SEQUENCE", publication.told)
    event.add("DTSTAMP", publication.updated_at.replace(microsecond=0))
    event.add("LAST-MODIFIED", publication.updated_at.replace(microsecond=0))
    event.add("CREATED", publication.created_at.replace(microsecond=0))
    event.add("DTSTART", start)
    event.add("DTEND", start + _LASTS)
    event.add("SUMMARY", f"{content.metadata.title} ({channel})")
    event.add("DESCRIPTION", "\n".join(_lines(publication)))
    event.add("STATUS", _STATUS[publication.state])
    event.add("TRANSP", "TRANSPARENT")
    event.add("URL", publication.url or f"{base_url}/videos/{content.video_id}")
    return event


def _lines(publication: Publication) -> list[str]:
    lines = [f"{publication.state.replace('_', ' ').capitalize()}."]
    if publication.requested_local and publication.state is S.SCHEDULED:
        lines.append(f"Asked for: {publication.requested_local}.")
    if publication.waits_for:
        lines.append(f"Waits: {publication.waits_for}.")
    if publication.error and publication.state is not S.PUBLISHED:
        lines.append(publication.error)
    return lines


def _starts(publication: Publication) -> datetime:
    """When it went or goes out; of what was called off, when it was to."""
    at = publication.published_at or publication.due_at or publication.publish_at or publication.updated_at
    return at.replace(microsecond=0)
