"""What the fake platforms show, on one page for people."""

import html
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from video_manager.fakes.network import Fake, FakePost

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "body{color:#1d1d1f;background:#fff}"
    "article{border:1px solid #d8d8de;border-radius:12px;padding:1rem 1.25rem;margin:1rem 0}"
    "h2{font-size:1.05rem;margin:0 0 .5rem}p{margin:.25rem 0;white-space:pre-wrap;overflow-wrap:anywhere}"
    ".soft{color:#6e6e76;font-size:.9rem}"
    "@media(prefers-color-scheme:dark){body{color:#f2f2f4;background:#161618}article{border-color:#3a3a40}"
    ".soft{color:#a4a4ad}}"
)


def posts_page(fakes: Iterable["Fake"]) -> str:
    """All posts, the newest first; those that are not public are marked."""
    shown = [(fake.name, post) for fake in fakes for post in fake.posts.values()]
    shown.sort(key=lambda one: one[1].at, reverse=True)
    posts = "".join(_post(name, post) for name, post in shown)
    nothing = "<p>Nothing has been posted yet. Approve a video for one of the channels.</p>"
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Fake platforms</title><style>{_STYLE}</style><h1>What the fake platforms show</h1>"
        "<p class=soft>They are in this machine's memory and forget everything when it stops.</p>"
        f"{posts or nothing}</html>"
    )


def _post(platform: str, post: "FakePost") -> str:
    at = datetime.fromtimestamp(post.at, UTC)
    seen = "" if post.public else " · not public"
    return (
        f"<article><h2>{html.escape(platform)} · {html.escape(post.account)}</h2><p>{html.escape(post.text)}</p>"
        f"<p class=soft>{at:%Y-%m-%d %H:%M:%S} UTC{seen} · {post.size_bytes / 1e6:.2f} MB · sha256 "
        f"{post.sha256[:16]}… · id {html.escape(post.id)}</p></article>"
    )
