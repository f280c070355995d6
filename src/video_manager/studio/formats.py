"""How numbers, times and states are written for people."""

from datetime import datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

UNKNOWN = "\N{EN DASH}"
"""Stands where a number is not known."""

LANGUAGES = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese",
    "nl": "Dutch", "pl": "Polish", "tr": "Turkish", "ja": "Japanese", "ko": "Korean", "zh": "Chinese", "hi": "Hindi",
    "ar": "Arabic",
}  # fmt: skip

_UNITS = ("bytes", "KB", "MB", "GB", "TB")


def size_text(size_bytes: float) -> str:
    """`1.4 MB`; decimal thousands, as file managers and platforms count."""
    value, unit = float(size_bytes), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 or value >= 100 else f"{value:.1f} {_UNITS[unit]}"


def length_text(seconds: float | None) -> str:
    """`1:05` or `1:00:05`; a dash when unknown."""
    if seconds is None:
        return UNKNOWN
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def timecode_text(seconds: float) -> str:
    """`01:05.40`: where in a video, to the hundredth."""
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000:02}:{hundredths // 100 % 60:02}.{hundredths % 100:02}"


def picture_text(width: int | None, height: int | None) -> str:
    """`1080 by 1920` with the proper sign."""
    return f"{width} \N{MULTIPLICATION SIGN} {height}" if width and height else UNKNOWN


def count_text(value: float | None) -> str:
    """`950`, `12.4 k`, `3.1 M`; a dash when unknown."""
    if value is None:
        return UNKNOWN
    for limit, unit in ((1e9, " B"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if unit == ' k' else limit):.1f}{unit}"
    return f"{value:,.0f}"


def watch_text(seconds: float | None) -> str:
    """`45 s`, `12 min`, `3.4 h`."""
    if seconds is None:
        return UNKNOWN
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{count_text(round(seconds / 3600, 1))} h"


def time_text(at: datetime, zone: ZoneInfo) -> str:
    """`22 Nov 2026, 15:04` on the viewer's clock."""
    local = at.astimezone(zone)
    return f"{local.day} {local:%b %Y, %H:%M}"


def age_text(at: datetime, now: datetime) -> str:
    """`just now`, `5 min ago`, `in 2 h`, `3 days ago`."""
    delta = now - at
    future = delta < timedelta(0)
    seconds = abs(delta.total_seconds())
    if seconds < 45:
        return "in a moment" if future else "just now"
    for size, unit in ((86400, "day"), (3600, "h"), (60, "min")):
        if seconds >= size or unit == "min":
            number = max(1, round(seconds / size))
            break
    unit = f"{unit}s" if unit == "day" and number != 1 else unit
    return f"in {number} {unit}" if future else f"{number} {unit} ago"


def sentence(text: str) -> str:
    """A capital first and a full stop last."""
    text = text.strip()
    if not text:
        return text
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?:" else ".")


def words(name: str) -> str:
    """`in_review` -> `In review`."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def safe_url(url: str | None) -> str | None:
    """The address when it may be a link: one of our own paths, or http(s). Anything else could run script."""
    if not url:
        return None
    if url.startswith("/") and not url.startswith(("//", "/\\")):
        return url
    return url if urlsplit(url).scheme in ("http", "https") else None
