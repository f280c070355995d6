"""A page of the site: its own copies of the files, and what is shown with them."""

from video_manager.domain.model import Frozen, Instant, derived_id
from video_manager.ports import CollectionSpec

FILE_PATHS = ("video.id", "thumbnail.id", "captions.id")
PAGES = CollectionSpec("site_pages", indexed=("public", "published_at", *FILE_PATHS))


class PageFile(Frozen):
    """The site's own copy of one file."""

    id: str
    content_type: str
    size_bytes: int
    sha256: str
    suffix: str
    """Of its name, with the dot."""


class SitePage(Frozen):
    id: str
    publication_id: str
    public: bool = False
    title: str
    description: str
    tags: tuple[str, ...]
    language: str
    video: PageFile
    thumbnail: PageFile | None = None
    captions: PageFile | None = None
    duration_seconds: float
    width: int | None = None
    height: int | None = None
    staged_at: Instant
    published_at: Instant | None = None

    @property
    def files(self) -> tuple[PageFile, ...]:
        return tuple(file for file in (self.video, self.thumbnail, self.captions) if file is not None)


def page_id_of(publication_id: str) -> str:
    """Short enough for an address, and the same for every attempt."""
    return derived_id("page", publication_id)[:16]
