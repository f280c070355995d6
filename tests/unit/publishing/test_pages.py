from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from video_manager.publishing.site import pages
from video_manager.publishing.site.counts import Totals
from video_manager.publishing.site.feed import podcast
from video_manager.publishing.site.page import PageFile, SitePage
from video_manager.publishing.site.service import is_bot

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SITE = "https://videos.example.org/watch"


def page(title: str = "Ein Tag", description: str = "", tags: tuple[str, ...] = ()) -> SitePage:
    def file(id: str, content_type: str, suffix: str) -> PageFile:
        return PageFile(id=id, content_type=content_type, size_bytes=1234, sha256="a" * 64, suffix=suffix)

    return SitePage(
        id="0" * 16, publication_id="p", public=True, title=title, description=description, tags=tags, language="de",
        video=file("v", "video/mp4", ".mp4"), thumbnail=file("t", "image/jpeg", ".jpg"),
        captions=file("c", "text/vtt", ".vtt"), duration_seconds=3725.4, width=1080, height=1920, staged_at=NOW,
        published_at=NOW,
    )  # fmt: skip


def drawn(shown: SitePage) -> str:
    return pages.watch_page(shown, Totals(1, 2, 3), [shown], url=f"{SITE}/x", site_url=SITE, liked=True)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        (
            "see https://example.org/a?b=1&c=2.",
            ('see <a href="https://example.org/a?b=1&amp;c=2" rel="nofollow noopener ugc">'
            "https://example.org/a?b=1&amp;c=2</a>."),
        ),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ('https://x.org/"onmouseover="x', ('<a href="https://x.org/" rel="nofollow noopener ugc">https://x.org/</a>&#34;'
         "onmouseover=&#34;x")),
        ("<script>x</script>", "&lt;script&gt;x&lt;/script&gt;"),
        ("a & b", "a &amp; b"),
    ],
)  # fmt: skip
def test_texts_are_escaped_and_only_web_addresses_become_links(text: str, html: str) -> None:
    assert pages.linkify(text) == html


def test_no_text_of_a_person_reaches_the_page_as_markup() -> None:
    evil = "</title><script>alert(1)</script><img src=x onerror=alert(1)>\"'"
    html = drawn(page(title=evil, description=evil, tags=(evil,)))
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert html.count("<script") == 1
    index = pages.index_page([page(title=evil)], [1], site_url=SITE, next_cursor='"><b>', first=False)
    assert "<script" not in index
    assert '"><b>' not in index


def test_the_page_says_to_other_sites_what_it_is() -> None:
    html = drawn(page(title="Ein Tag", description="Wellen\nund Sand"))
    assert '<html lang="de">' in html
    assert '<meta property="og:description" content="Wellen und Sand">' in html
    assert f'<meta property="og:image" content="{SITE}/x/thumbnail.jpg">' in html
    assert f'<meta property="og:video" content="{SITE}/x/video.mp4">' in html
    assert '<track kind="captions"' in html
    assert "1:02:05" in html


def test_the_feed_is_a_podcast() -> None:
    root = ET.fromstring(podcast([page(), page(title="a\x00b\x1b", description="<b>&")], SITE))  # noqa: S314 - our own
    itunes = "{http://www.itunes.com/dtds/podcast-1.0.dtd}"
    items = root.findall("./channel/item")
    assert [item.findtext("title") for item in items] == ["Ein Tag", "ab"]
    first = items[0]
    enclosure = first.find("enclosure")
    assert enclosure is not None
    assert enclosure.attrib == {"url": f"{SITE}/{'0' * 16}/video.mp4", "length": "1234", "type": "video/mp4"}
    assert first.findtext("guid") == f"{SITE}/{'0' * 16}"
    assert first.findtext("pubDate") == "Sun, 22 Nov 2026 12:00:00 +0000"
    assert first.findtext(f"{itunes}duration") == "1:02:05"
    picture = first.find(f"{itunes}image")
    assert picture is not None
    assert picture.get("href") == f"{SITE}/{'0' * 16}/thumbnail.jpg"
    assert items[1].findtext("description") == "<b>&"


def test_an_empty_feed_is_one_too() -> None:
    assert ET.fromstring(podcast([], SITE)).find("./channel/title") is not None  # noqa: S314 - our own


@given(title=st.text(max_size=60), description=st.text(max_size=200))
def test_any_text_gives_a_feed_that_can_be_read(title: str, description: str) -> None:
    ET.fromstring(podcast([page(title=title, description=description)], SITE))  # noqa: S314 - our own


@pytest.mark.parametrize(
    ("agent", "bot"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0 Safari/537.36",
            False,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1",
            False,
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", False),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", True),
        ("curl/8.1", True),
        ("python-httpx/0.28", True),
        ("facebookexternalhit/1.1", True),
        ("", True),
        (None, True),
    ],
)
def test_bots_name_themselves(agent: str | None, bot: bool) -> None:
    assert is_bot(agent) is bot
