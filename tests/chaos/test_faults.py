"""Every network fault for its full time, while videos are made, reviewed and published."""

from collections.abc import Iterator

import pytest
from tests.chaos.faults import FAULTS, faults_during_batch
from tests.chaos.scene import SMALL_COUNTS, Scene, running_scene

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with running_scene(tmp_path_factory.mktemp("cluster"), SMALL_COUNTS) as scene:
        yield scene


@pytest.mark.parametrize("name", FAULTS)
def test_fault(scene: Scene, name: str) -> None:
    report = faults_during_batch(scene, [name], videos=9)
    assert report.is_clean, f"\n{report}"
    assert not report.unasked_exits, "nothing was killed"
