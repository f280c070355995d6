"""The site as a video podcast."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from video_manager.publishing.site.page import SitePage
from video_manager.publishing.site.pages import clock, suffix

if TYPE_CHECKING:
    from feedgen.feed import FeedGenerator

TITLE = "Videos"
_PICTURES = (".jpg", ".jpeg", ".png")
"""What podcast readers take."""


def podcast(pages: Sequence[SitePage], site_url: str) -> bytes:
    """RSS 2.0 with the podcast extension; `pages` are the newest first."""
    from feedgen.feed import FeedGenerator  # noqa: PLC0415 - loads an XML library, and few ask for a podcast

    feed = FeedGenerator()
    feed.load_extension("podcast")
    feed.title(TITLE)
    feed.link(href=site_url, rel="alternate")
    feed.link(href=f"{site_url}/feed.xml", rel="self", type="application/rss+xml")
    feed.description("The newest videos.")
    feed.language(pages[0].language if pages else "en")
    feed.generator("video-manager")
    feed.lastBuildDate(max((page.published_at for page in pages if page.published_at), default=datetime.now(UTC)))
    feed.podcast.itunes_explicit("no")
    feed.podcast.itunes_author(TITLE)
    feed.podcast.itunes_category("Education")
    pictures = [url for page in pages if (url := picture_url(page, site_url))]
    if pictures:
        feed.podcast.itunes_image(pictures[0])
    for page in pages:
        _add(feed, page, site_url)
    rss: bytes = feed.rss_str(pretty=True)
    return rss


def _add(feed: "FeedGenerator", page: SitePage, site_url: str) -> None:
    url = f"{site_url}/{page.id}"
    entry = feed.add_entry(order="append")
    entry.guid(url, permalink=True)
    entry.title(_plain(page.title) or "Untitled")
    entry.link(href=url)
    entry.description(_plain(page.description) or _plain(page.title) or "Untitled")
    entry.published(page.published_at)
    entry.enclosure(f"{url}/video{suffix(page.video)}", str(page.video.size_bytes), page.video.content_type)
    entry.podcast.itunes_duration(clock(page.duration_seconds))
    if picture := picture_url(page, site_url):
        entry.podcast.itunes_image(picture)
    for tag in page.tags:
        entry.category(term=_plain(tag))


def picture_url(page: SitePage, site_url: str) -> str | None:
    if page.thumbnail is None or suffix(page.thumbnail) not in _PICTURES:
        return None
    return f"{site_url}/{page.id}/thumbnail{suffix(page.thumbnail)}"


def _plain(text: str) -> str:
    """XML has no way to say control characters."""
    return "".join(letter for letter in text if letter in "\t\n\r" or (letter >= " " and letter not in "\ufffe\uffff"))
