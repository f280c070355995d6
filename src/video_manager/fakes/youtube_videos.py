"""What the fake YouTube keeps: videos with their states, playlists, and the allowance of a Google project."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from video_manager.fakes.google_discovery import Wrong
from video_manager.fakes.youtube_numbers import statistics

INSERTS_PER_DAY = 100
UNITS_PER_DAY = 10_000
COSTS = {"youtube.captions.insert": 400, "youtube.captions.list": 50}
"""In units; other reading methods cost 1, other writing ones 50, and videos.insert has an allowance of its own."""
_RESET_ZONE = ZoneInfo("America/Los_Angeles")

STATUS_DEFAULTS: dict[str, Any] = {
    "privacyStatus": "public", "embeddable": True, "license": "youtube", "publicStatsViewable": True,
}  # fmt: skip
"""What of the status part has a value without being given."""
STATUS_SETTABLE = (*STATUS_DEFAULTS, "publishAt", "selfDeclaredMadeForKids", "containsSyntheticMedia")
_TITLE_CHARACTERS = 100
_DESCRIPTION_BYTES = 5000
_TAGS_CHARACTERS = 500


@dataclass
class Video:
    """`polls_left`: how many more questions find it being processed; then it is `outcome`, a few fields of the status
    part."""

    id: str
    owner: str
    file_name: str
    size_bytes: int
    sha256: str
    uploaded_at: float
    snippet: dict[str, Any]
    status: dict[str, Any]
    polls_left: int
    outcome: dict[str, str]
    notifies: bool
    captions: dict[tuple[str, str], str] = field(default_factory=dict)
    """The sha256 of each track, by language and name."""
    thumbnail_sha256: str | None = None
    public_since: float | None = None
    """When it became public first; it keeps its audience whatever becomes of it."""

    @property
    def is_processed(self) -> bool:
        return self.polls_left <= 0

    def set_status(self, status: dict[str, Any], now: float) -> None:
        if status["privacyStatus"] == "public" and self.public_since is None:
            timed = self.status.get("publishAt")
            self.public_since = now if timed is None else min(now, datetime.fromisoformat(timed).timestamp())
        self.status = status

    def resource(self, parts: list[str], now: float) -> dict[str, Any]:
        """A Video resource with these parts, those that this fake has something to say in."""
        state = self.outcome if self.is_processed else {"uploadStatus": "uploaded"}
        made_for_kids = self.status.get("selfDeclaredMadeForKids", False)
        published_at = datetime.fromtimestamp(self.uploaded_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        known: dict[str, Any] = {
            "snippet": {**self.snippet, "channelId": self.owner, "publishedAt": published_at},
            "status": {**self.status, "madeForKids": made_for_kids, **state},
            "fileDetails": {"fileName": self.file_name, "fileSize": str(self.size_bytes)} if self.is_processed else {},
            "processingDetails": {
                "processingStatus": "succeeded" if self.is_processed else "processing",
                "fileDetailsAvailability": "available" if self.is_processed else "inProgress",
            },
            "statistics": statistics(self.id, self.public_since, now),
        }
        return {"kind": "youtube#video", "id": self.id, **{part: known[part] for part in parts if part in known}}


@dataclass
class Playlist:
    owner: str
    title: str
    video_ids: list[str] = field(default_factory=list)


@dataclass
class Allowance:
    """What a Google project may do until midnight in California."""

    now: Callable[[], float]
    inserts: int = INSERTS_PER_DAY
    units: int = UNITS_PER_DAY
    used: dict[tuple[date, str], int] = field(default_factory=dict)

    def spend(self, method_id: str, verb: str) -> None:
        """Raises Wrong (quotaExceeded) when it is used up."""
        is_insert = method_id == "youtube.videos.insert"
        bucket, limit = ("inserts", self.inserts) if is_insert else ("units", self.units)
        cost = 1 if is_insert else COSTS.get(method_id, 1 if verb == "GET" else 50)
        key = (datetime.fromtimestamp(self.now(), _RESET_ZONE).date(), bucket)
        if self.used.get(key, 0) + cost > limit:
            text = (
                "The request cannot be completed because you have exceeded your "
                '<a href="/youtube/v3/getting-started#quota">quota</a>.'
            )
            raise Wrong(403, "quotaExceeded", text, "youtube.quota")
        self.used[key] = self.used.get(key, 0) + cost

    def used_today(self, bucket: str) -> int:
        return self.used.get((datetime.fromtimestamp(self.now(), _RESET_ZONE).date(), bucket), 0)


def check_snippet(snippet: dict[str, Any]) -> None:
    """Raises Wrong for texts that YouTube does not take."""
    title, description = str(snippet.get("title", "")), str(snippet.get("description", ""))
    if not title.strip() or len(title) > _TITLE_CHARACTERS or "<" in title or ">" in title:
        raise _content("invalidTitle", "The request metadata specifies an invalid or empty video title.")
    if len(description.encode()) > _DESCRIPTION_BYTES or "<" in description or ">" in description:
        raise _content("invalidDescription", "The request metadata specifies an invalid video description.")
    tags = snippet.get("tags", [])
    # Commas between tags count, and the quotation marks around those with a space.
    characters = sum(len(tag) + 2 * (" " in tag) for tag in tags) + max(0, len(tags) - 1)
    if characters > _TAGS_CHARACTERS or any("<" in tag or ">" in tag for tag in tags):
        raise _content("invalidTags", "The request metadata specifies invalid video keywords.")
    if not str(snippet.get("categoryId", "22")).isdigit():
        raise _content("invalidCategoryId", "The snippet.categoryId property specifies an invalid category ID.")


def status_of(given: dict[str, Any], now: float) -> dict[str, Any]:
    """The whole status part as a request sets it: what it leaves out goes back to its default. Raises Wrong."""
    status = {**STATUS_DEFAULTS, **{name: value for name, value in given.items() if name in STATUS_SETTABLE}}
    publish_at = status.get("publishAt")
    if publish_at is not None and (
        status["privacyStatus"] != "private" or datetime.fromisoformat(publish_at).timestamp() <= now
    ):
        raise _content("invalidPublishAt", "The request metadata specifies an invalid scheduled publishing time.")
    return status


def _content(reason: str, message: str) -> Wrong:
    return Wrong(400, reason, message, "youtube.video")
