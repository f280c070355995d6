"""Wall-clock times: what a person reads on the clock of a place, as one instant."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from video_manager.errors import InvalidInput


def instant_of(local: datetime | str, zone: str) -> datetime:
    """The instant (UTC) of a wall-clock time such as `2026-03-29T02:30` in a zone such as `Europe/Berlin`.

    A time that the clock skips means the next valid instant; one that it shows twice means the first. Raises
    InvalidInput for an unknown zone, an unreadable time, or one that already carries an offset.
    """
    place = zone_of(zone)
    wanted = _wall(local)
    try:
        early, late = (wanted.replace(tzinfo=place, fold=fold).astimezone(UTC) for fold in (0, 1))
    except OverflowError as error:
        raise InvalidInput.field("local", f"{local} is out of range") from error
    if early.astimezone(place).replace(tzinfo=None) == wanted:
        return early
    # Skipped: with fold 1 the offset after the change is taken, which lies before the change, and the other way round.
    return _first_at_or_after(wanted, place, low=late, high=early)


def _first_at_or_after(wanted: datetime, place: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The first whole second in (low, high] at which the clock of the place shows `wanted` or later."""
    low = low.replace(microsecond=0)
    seconds_below, seconds_found = 0, int((high - low).total_seconds()) + 1
    while seconds_found - seconds_below > 1:
        middle = (seconds_below + seconds_found) // 2
        shown = (low + timedelta(seconds=middle)).astimezone(place).replace(tzinfo=None)
        if shown >= wanted:
            seconds_found = middle
        else:
            seconds_below = middle
    return low + timedelta(seconds=seconds_found)


def zone_of(zone: str) -> ZoneInfo:
    """Raises InvalidInput for an unknown one."""
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput.field("zone", f"{zone!r} is no known time zone; expected one like Europe/Berlin") from error


def _wall(local: datetime | str) -> datetime:
    if isinstance(local, str):
        try:
            local = datetime.fromisoformat(local.strip())
        except ValueError as error:
            raise InvalidInput.field("local", f"{local!r} is no time; expected one like 2026-03-29T02:30") from error
    if local.tzinfo is not None:
        raise InvalidInput.field("local", f"{local} already has an offset: give the time on the wall and the zone")
    return local.replace(fold=0)
