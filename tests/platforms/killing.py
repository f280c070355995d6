"""Killing an uploader around any of its calls to a platform, losing any answer, and seeing what becomes of the post."""

import signal
from dataclasses import dataclass
from pathlib import Path

from tests.platforms.case import Case
from tests.platforms.uploaders import UploaderProcess
from tests.platforms.world import approve, connect, open_platform, settle

from video_manager.domain.publication import Publication, PublicationState
from video_manager.fakes.network import Call, FakeNetwork, FakePost, Fault
from video_manager.fakes.serving import served

_SECONDS = 60.0


@dataclass(frozen=True)
class Ended:
    """What became of one publication."""

    publication: Publication
    posts: list[FakePost]
    calls: list[Call]

    def text(self) -> str:
        calls = "\n".join(f"  {call.number:3} {call.status or '---'} {call.text}?{call.query}" for call in self.calls)
        return f"{self.publication.state}: {self.publication.error}; posts: {self.posts}\n{calls}"


async def undisturbed(root: Path, case: Case) -> Ended:
    """Published in this process, with nothing in the way."""
    network = FakeNetwork([case.fake])
    with served(network) as gateway:
        async with open_platform(root, gateway) as world:
            await connect(world, case, network)
            publication = await settle(world, await approve(world, case))
    return ended(case, network, publication)


async def killed(root: Path, case: Case, number: int, when: str) -> Ended:
    """The uploader is a process that gets SIGKILL `before` or `after` the platform acts on its call of that number;
    then another one goes on."""
    network = FakeNetwork([case.fake])
    with served(network) as gateway:
        async with open_platform(root, gateway) as world:
            await connect(world, case, network)
            id = await approve(world, case)
        network.faults.append(
            Fault("before" if when == "before" else "after", number=number, happens=lambda _call: first.kill())
        )
        first = UploaderProcess(root, gateway, id)
        code = first.wait(_SECONDS)
        if code == -signal.SIGKILL:
            code = UploaderProcess(root, gateway, id).wait(_SECONDS)
        assert code == 0
        async with open_platform(root, gateway) as world:
            publication = await world.publication(id)
    return ended(case, network, publication)


async def answer_lost(root: Path, case: Case, pattern: str, *, acted: bool = True) -> Ended:
    """The platform acts on the call (or not), and the connection breaks before its answer."""
    network = FakeNetwork([case.fake])
    network.faults.append(Fault("after" if acted else "before", pattern))
    with served(network) as gateway:
        async with open_platform(root, gateway) as world:
            await connect(world, case, network)
            publication = await settle(world, await approve(world, case))
    return ended(case, network, publication)


def check(found: Ended, *, remembers: bool) -> None:
    """Exactly one post; where the platform cannot be asked, at most one, and then people are told that it is unknown.
    The bytes are those that were approved."""
    state, posts = found.publication.state, found.posts
    assert len(posts) <= 1, found.text()
    if state is PublicationState.UNKNOWN:
        assert not remembers, found.text()
        return
    assert state is PublicationState.PUBLISHED, found.text()
    assert len(posts) == 1, found.text()
    assert posts[0].sha256 == found.publication.content.master.sha256, found.text()


def ended(case: Case, network: FakeNetwork, publication: Publication) -> Ended:
    fake = network.fakes[case.fake.name]
    return Ended(publication, fake.public_posts(publication.content.metadata.title), network.calls)
