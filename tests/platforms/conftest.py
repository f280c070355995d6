"""The short run takes three of each table of cases (errors, limits, texts): the first, the middle and the last one."""

import pytest

KEPT_WHOLE = ("test_once.py", "test_ahead.py")
"""These say themselves what is long."""


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
