"""What a campaign has to show: nothing lost, nothing published twice, nothing stuck."""

import hashlib
import html
import re
import statistics
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.chaos.crowd import Crowd, pages_of
from tests.chaos.harm import Recovery


@dataclass(frozen=True)
class Verdict:
    """Counts of what must not happen (all 0), and the figures."""

    videos: int
    lost: int
    made_twice: int
    published_twice: int
    stuck: int
    failed: int
    dead_letters: int
    wrong_bytes: int
    refused: tuple[str, ...]
    details: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        return not (
            self.lost or self.made_twice or self.published_twice or self.stuck or self.failed or self.dead_letters
            or self.wrong_bytes or self.refused
        )  # fmt: skip


def judge(http: httpx.Client, site: str, folder: Path, crowd: Crowd, channels: list[str]) -> Verdict:
    """Compares what was acknowledged with what there is: by the API, in the folder, and on the public site."""
    videos = pages_of(http, "/videos")
    publications = pages_of(http, "/publications")
    dead = http.get("/dead-letters").json()["items"]
    titles = Counter(video["title"] for video in videos)
    ids = {video["id"] for video in videos}
    unfinished = [video for video in videos if video["state"] not in ("approved", "failed")]
    failed = [video for video in videos if video["state"] == "failed"]
    pairs = Counter((one["video_id"], one["channel_id"]) for one in publications)
    unpublished = [one for one in publications if one["state"] != "published"]
    missing = len(ids) * len(channels) - len(pairs)
    files = [path for path in folder.rglob("*.mp4") if path.is_file()]
    shown = _pages_shown(site)
    twice = sum(count - 1 for count in pairs.values()) + max(0, len(files) - len(ids)) + max(0, shown - len(ids))
    return Verdict(
        videos=len(videos),
        lost=len(set(crowd.acknowledged) - ids) + max(0, len(ids) - len(files)) + max(0, len(ids) - shown),
        made_twice=sum(count - 1 for count in titles.values()),
        published_twice=twice,
        stuck=len(unfinished) + len(unpublished) + max(0, missing),
        failed=len(failed),
        dead_letters=len(dead),
        wrong_bytes=len(_hashes(files) ^ _approved_hashes(videos)),
        refused=tuple(crowd.refused),
        details=tuple(
            [f"{video['title']} is {video['state']}: {video['versions'][-1]['error']}" for video in unfinished + failed]
            + [f"publication {one['id']} is {one['state']}: {one.get('error')}" for one in unpublished]
            + [f"dead letter {one['id']} in {one['queue']}: {one['reason']}" for one in dead]
        ),
    )


def _pages_shown(site: str) -> int:
    """How many posts the public site lists, page by page, as a visitor sees them."""
    shown: set[str] = set()
    path: str | None = "/watch"
    while path is not None:
        answer = httpx.get(f"{site}{path}", timeout=30)
        answer.raise_for_status()
        shown.update(re.findall(r'href="(?:https?://[^"/]+)?/watch/([0-9a-f]{16,})"', answer.text))
        found = re.search(r'href="([^"]*\?cursor=[^"]+)"', answer.text)
        path = html.unescape(found.group(1)).removeprefix(site) if found else None
        if path is not None and path.startswith("?"):
            path = f"/watch{path}"
    return len(shown)


def _hashes(files: list[Path]) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _approved_hashes(videos: list[dict[str, Any]]) -> set[str]:
    return {file["sha256"] for video in videos for file in video["versions"][0]["files"] if file["role"] == "master"}


def recovery_lines(recoveries: list[Recovery]) -> list[str]:
    """Median and longest time to recover, by victim."""
    lines = []
    for victim in sorted({one.victim for one in recoveries}):
        seconds = [one.seconds for one in recoveries if one.victim == victim]
        lines.append(
            f"{victim:<14} {len(seconds):>4} recoveries, median {statistics.median(seconds):5.1f} s, "
            f"longest {max(seconds):5.1f} s"
        )
    return lines
