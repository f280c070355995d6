"""The fixtures by which every test of a contract runs once per backend."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import pytest


class Backend(Protocol):
    @property
    def place(self) -> Callable[[Path], AbstractContextManager[str]]:
        """Makes an empty one for a test's own folder, and gives the text that names it."""


def fixtures_of(backends: Mapping[str, Backend]) -> tuple[Any, Any, Any]:
    """`backend_name`, `backend` and `place`, for the conftest of a suite."""

    @pytest.fixture(params=sorted(backends))
    def backend_name(request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def backend(backend_name: str) -> Backend:
        return backends[backend_name]

    @pytest.fixture
    def place(backend: Backend, tmp_path: Path) -> Iterator[str]:
        with backend.place(tmp_path) as place:
            yield place

    return backend_name, backend, place
