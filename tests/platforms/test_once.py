"""Every platform: published once, whatever dies and whichever answer is lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.case import Case
from tests.platforms.cases import CASES
from tests.platforms.killing import answer_lost, check, killed, undisturbed
from tests.platforms.racing import Gate, race

from video_manager.domain.publication import PublicationState
from video_manager.plugins.publishers import PUBLISHERS
from video_manager.publishing.rules import PublishingRules

SHORT = {"laptop": ("bluesky", "telegram, staged", "youtube"), "cluster": ("bluesky, own server",)}
"""In every run of the tests, killed around their last call and with lost answers; all the rest with `--all`."""

REMEMBERS = {publisher.name: publisher.remembers for publisher in PUBLISHERS}


def _ways() -> Iterator[tuple[str, str, Case, bool]]:
    """Profile, name, case, and whether it belongs to the short run."""
    for profile, short in SHORT.items():
        for name, case in CASES.items():
            yield profile, name, case, name in short


def _row(id: str, *values: Any, short: bool) -> Any:
    return pytest.param(*values, id=id, marks=[] if short else [pytest.mark.long])


def _undisturbed() -> Iterator[Any]:
    for profile, name, case, short in _ways():
        yield _row(f"{profile}-{name}", profile, case, short=short or profile == "laptop")


@pytest.mark.parametrize(("profile", "case"), list(_undisturbed()), indirect=["profile"])
@pytest.mark.usefixtures("profile")
async def test_it_is_published_once_with_the_approved_bytes(case: Case, tmp_path: Path) -> None:
    ended = await undisturbed(tmp_path, case)
    assert ended.publication.state is PublicationState.PUBLISHED, ended.text()
    check(ended, remembers=REMEMBERS[case.platform])
    assert len(ended.calls) <= case.calls, ended.text()


def _points() -> Iterator[Any]:
    """Before and after every call."""
    for profile, name, case, short in _ways():
        for number in range(1, case.calls + 1):
            for when in ("before", "after"):
                last = number == case.calls if profile == "cluster" else number >= case.calls - 1 and when == "after"
                id = f"{profile}-{name}-{when}-{number}"
                yield _row(id, profile, case, number, when, short=short and last)


@pytest.mark.parametrize(("profile", "case", "number", "when"), list(_points()), indirect=["profile"])
@pytest.mark.usefixtures("profile")
async def test_a_killed_uploader_never_publishes_twice(case: Case, number: int, when: str, tmp_path: Path) -> None:
    check(await killed(tmp_path, case, number, when), remembers=REMEMBERS[case.platform])


def _losses() -> Iterator[Any]:
    for profile, name, case, short in _ways():
        for pattern in case.patterns:
            for acted in (True, False):
                id = f"{profile}-{name}-{pattern}-{'acted' if acted else 'not acted'}"
                yield _row(id, profile, case, pattern, acted, short=short)


@pytest.mark.parametrize(("profile", "case", "pattern", "acted"), list(_losses()), indirect=["profile"])
@pytest.mark.usefixtures("profile")
async def test_a_lost_answer_never_publishes_twice(case: Case, pattern: str, acted: bool, tmp_path: Path) -> None:
    check(await answer_lost(tmp_path, case, pattern, acted=acted), remembers=REMEMBERS[case.platform])


@pytest.mark.parametrize("profile", ["cluster"], indirect=True)
@pytest.mark.usefixtures("profile")
async def test_two_uploaders_at_once_publish_each_once(tmp_path: Path) -> None:
    """Telegram makes as many posts as it is asked for. Two uploads of a process at once are too few for the gate."""
    case = CASES["telegram, staged"]
    gate = Gate([case.fake], "sendVideo", calls=PublishingRules.slots + 1)
    for ended in await race(tmp_path, case, uploaders=2, publications=16, network=gate):
        check(ended, remembers=False)
