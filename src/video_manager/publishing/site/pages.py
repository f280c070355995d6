"""The site's pages as HTML, drawn on the server; they need no script to be read."""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from video_manager.publishing.site.counts import Totals
from video_manager.publishing.site.page import PageFile, SitePage

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere and nothing inline."""

_ADDRESS = re.compile(r"https?://[^\s<>\"'\u0000-\u001f]+[^\s<>\"'.,;:!?)\]\u0000-\u001f]")
_SUMMARY_CHARACTERS = 200
_ASSETS = {"watch.css": "text/css; charset=utf-8", "watch.js": "text/javascript; charset=utf-8",
           "icon.svg": "image/svg+xml"}  # fmt: skip


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("video_manager.publishing.site"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(
        linkify=linkify, clock=clock, day=day, count=count, summary=summary, suffix=suffix, rounded=round
    )
    return environment


def watch_page(
    page: SitePage, totals: Totals, others: Sequence[SitePage], *, url: str, site_url: str, liked: bool
) -> str:
    return _render("watch.html", page=page, totals=totals, others=others, url=url, site_url=site_url, liked=liked)


def index_page(
    pages: Sequence[SitePage], views: Sequence[int], *, site_url: str, next_cursor: str | None, first: bool
) -> str:
    shown = list(zip(pages, views, strict=True))
    return _render("index.html", shown=shown, site_url=site_url, next_cursor=next_cursor, first=first)


def missing_page(site_url: str) -> str:
    return _render("missing.html", site_url=site_url)


def asset(name: str) -> tuple[bytes, str] | None:
    """The bytes and content type of a static file of the site; None for others."""
    if name not in _ASSETS:
        return None
    return resources.files("video_manager.publishing.site").joinpath("assets", name).read_bytes(), _ASSETS[name]


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


# ---- how values are shown ---------------------------------------------------------------------------------


def linkify(text: str) -> Markup:
    """Text with its line breaks, and web addresses as links. All of it escaped; only http and https become links."""
    parts, position = [], 0
    for match in _ADDRESS.finditer(text):
        address = escape(match.group())
        parts += [escape(text[position : match.start()])]
        parts += [Markup('<a href="{0}" rel="nofollow noopener ugc">{0}</a>').format(address)]
        position = match.end()
    parts.append(escape(text[position:]))
    return Markup("").join(parts)


def clock(seconds: float) -> str:
    """1:05, or 1:02:05."""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def day(at: datetime | None) -> str:
    return f"{at.day} {at:%B %Y}" if at is not None else ""


def count(number: int) -> str:
    """1234 as 1 234, with a space that does not break."""
    return f"{number:,}".replace(",", "\u202f")


def summary(text: str) -> str:
    """One line for previews."""
    line = " ".join(text.split())
    return line if len(line) <= _SUMMARY_CHARACTERS else line[: _SUMMARY_CHARACTERS - 1].rstrip() + "…"


def suffix(file: PageFile) -> str:
    """The file's extension for an address: some readers go by it. Empty when it is not a plain one."""
    found = PurePosixPath("x" + file.suffix).suffix
    return found if re.fullmatch(r"\.[a-z0-9]{2,5}", found) else ""
