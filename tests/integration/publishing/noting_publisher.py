"""A platform that only notes what it was told to publish, and when; for tests of the schedule."""

from typing import ClassVar

from video_manager.domain.schedule import Pace
from video_manager.errors import WorkError
from video_manager.plugins.api import (
    Account,
    Answer,
    Asked,
    Handle,
    Options,
    Post,
    Published,
    Publisher,
    PublisherContext,
)  # fmt: skip
from video_manager.ports import Clock


class Noting(Publisher[Options]):
    """A test gives it the clock by which it notes; `refusals` are raised by the next uploads."""

    name = "noting"
    title = "Notes"
    description = "Notes what it is told to publish."
    Options = Options
    clock: ClassVar[Clock]
    noted: ClassVar[list[tuple[str, object]]] = []
    refusals: ClassVar[list[WorkError]] = []

    async def connect(self, options: Options, context: PublisherContext) -> Account:
        return Account("Notes")

    async def upload(self, post: Post, options: Options, context: PublisherContext) -> Handle:
        if self.refusals:
            raise self.refusals.pop()
        return {"id": post.publication_id}

    async def publish(self, post: Post, handle: Handle, options: Options, context: PublisherContext) -> Published:
        self.noted.append((post.publication_id, self.clock.now()))
        return Published(post.publication_id, None)

    async def ask(self, post: Post, handle: Handle, options: Options, context: PublisherContext) -> Asked:
        return Asked(Answer.ABSENT)

    async def delete(self, external_id: str, options: Options, context: PublisherContext) -> None:
        raise NotImplementedError


class Hurried(Noting):
    """Takes no more than three posts in 24 hours."""

    name = "hurried"
    title = "Hurried"
    description = "Takes few posts a day."
    pace = Pace(max_per_24_hours=3)
