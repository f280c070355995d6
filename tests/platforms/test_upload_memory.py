"""A large video needs no more memory than a small one; benchmarks/uploads.py measures the same with 5 GB."""

import runpy
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "uploads.py"
MOST_BYTES = 60 * 10**6


@pytest.mark.parametrize("kind", ["peertube", "tus"])
def test_the_memory_of_an_upload_is_flat(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(BENCHMARK.parents[1] / "src"))
    found = runpy.run_path(str(BENCHMARK))["measured"](200, 1, (kind,))
    assert found[kind].growth_bytes < MOST_BYTES
