"""Every platform: published once, whatever dies and whichever answer is lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.case import Case
from tests.platforms.cases import CASES
from tests.platforms.killing import answer_lost, check, killed, undisturbed

from video_manager.domain.publication import PublicationState
from video_manager.plugins.publishers import PUBLISHERS

SHORT = ("bluesky", "telegram, staged", "youtube")
"""In every run of the tests, killed around their last call and with lost answers; all the rest with `--all`."""

REMEMBERS = {publisher.name: publisher.remembers for publisher in PUBLISHERS}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


async def test_it_is_published_once_with_the_approved_bytes(case: Case, tmp_path: Path) -> None:
    ended = await undisturbed(tmp_path, case)
    assert ended.publication.state is PublicationState.PUBLISHED, ended.text()
    check(ended, remembers=REMEMBERS[case.platform])
    assert len(ended.calls) <= case.calls, ended.text()


def _points() -> Iterator[Any]:
    """Before and after every call."""
    for name, case in CASES.items():
        for number in range(1, case.calls + 1):
            for when in ("before", "after"):
                short = name in SHORT and number >= case.calls - 1 and when == "after"
                marks = [] if short else [pytest.mark.long]
                yield pytest.param(case, number, when, id=f"{name}-{when}-{number}", marks=marks)


@pytest.mark.parametrize(("case", "number", "when"), list(_points()))
async def test_a_killed_uploader_never_publishes_twice(case: Case, number: int, when: str, tmp_path: Path) -> None:
    check(await killed(tmp_path, case, number, when), remembers=REMEMBERS[case.platform])


def _losses() -> Iterator[Any]:
    for name, case in CASES.items():
        for pattern in case.patterns:
            for acted in (True, False):
                marks = [] if name in SHORT else [pytest.mark.long]
                id = f"{name}-{pattern}-{'acted' if acted else 'not acted'}"
                yield pytest.param(case, pattern, acted, id=id, marks=marks)


@pytest.mark.parametrize(("case", "pattern", "acted"), list(_losses()))
async def test_a_lost_answer_never_publishes_twice(case: Case, pattern: str, acted: bool, tmp_path: Path) -> None:
    check(await answer_lost(tmp_path, case, pattern, acted=acted), remembers=REMEMBERS[case.platform])
