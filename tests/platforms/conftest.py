"""Which profile a test runs on, and the short run: of each table of cases (errors, limits, texts) it takes the first,
the middle and the last one."""

import pytest

from video_manager.settings import PREFIX

KEPT_WHOLE = ("test_once.py", "test_ahead.py")
"""These say themselves what is long."""


@pytest.fixture
def profile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """`laptop`, or `cluster`: then the stores and the bus of this test, and of the processes that it starts, are an
    empty MongoDB database with its GridFS and an empty virtual host of RabbitMQ."""
    if request.param == "cluster":
        servers = {one: request.getfixturevalue(one) for one in ("mongodb_url", "rabbitmq_url")}
        for name, value in {"profile": "cluster", **servers}.items():
            monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    return str(request.param)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tables: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.path.parent.name == "platforms" and item.path.name not in KEPT_WHOLE and "[" in item.name:
            tables.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for rows in tables.values():
        kept = {0, len(rows) // 2, len(rows) - 1}
        for index, item in enumerate(rows):
            if index not in kept:
                item.add_marker(pytest.mark.long)
