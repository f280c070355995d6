"""A generator whose worker is outside our package: what it says of itself, and what is stored."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from video_manager.domain.model import Frozen, Instant
from video_manager.manager.requests import RequestBody
from video_manager.manager.sent_results import Printable
from video_manager.ports import CollectionSpec

EXTERNAL_GENERATORS = CollectionSpec("external_generators", indexed=("owner", "last_seen_at"))

Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*$")
]


class NewGenerator(RequestBody):
    """What a worker says of itself. The same again is its sign of life."""

    name: str = Field(description="Lower case letters, digits and -; stored videos name it for ever.", max_length=41)
    title: Line
    description: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), Printable] = ""
    options_schema: dict[str, Any] = Field(
        description="JSON Schema (2020-12) of an object: it draws the form and checks requests. "
        "See docs/plugins.md for its limits."
    )
    polls: bool = Field(False, description="The worker asks `GET /jobs` instead of listening to its queue.")
    key: Line | None = Field(None, description="For administrators: the name of the key that will work on it.")


class ExternalGenerator(Frozen):
    """`id` is its name. `owner` is the key that works on it, by name: a new key of that name takes an old one's place.
    `last_seen_at` is None until its worker has come."""

    id: str
    title: str
    description: str
    options_schema: dict[str, Any]
    owner: str
    polls: bool
    registered_at: Instant
    last_seen_at: Instant | None = None
