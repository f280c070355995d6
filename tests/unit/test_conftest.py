"""The safety nets themselves: a net with a hole is worse than none."""

import logging
import socket
import urllib.request
from pathlib import Path

import pytest

pytest_plugins = ("pytester",)


def test_names_of_other_machines_are_not_looked_up() -> None:
    with pytest.raises(RuntimeError, match="loopback"):
        urllib.request.urlopen("http://example.org", timeout=1)


def test_other_addresses_are_not_reached() -> None:
    with socket.socket() as sock, pytest.raises(RuntimeError, match=r"192\.0\.2\.1"):
        sock.connect(("192.0.2.1", 80))


def test_loopback_is_reached(free_port: int) -> None:
    with socket.create_server(("127.0.0.1", free_port)), socket.create_connection(("localhost", free_port)):
        pass


@pytest.mark.logs_errors("the disk burns")
def test_an_expected_error_is_no_failure() -> None:
    logging.getLogger("probe").error("the disk burns")


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("logging.getLogger('x').error('boom')", {"passed": 1, "errors": 1}),
        ("logging.getLogger('x').warning('hm')", {"passed": 1}),
    ],
)
def test_an_unexpected_error_fails_a_test(pytester: pytest.Pytester, body: str, outcome: dict[str, int]) -> None:
    conftest = Path(__file__).parents[1] / "conftest.py"
    pytester.makeconftest(conftest.read_text())
    pytester.makepyfile(f"import logging\ndef test_it():\n    {body}\n")
    checkout = conftest.parents[1]
    pytester.makeini(f"[pytest]\npythonpath = '{checkout}'\nmarkers = logs_errors(pattern): expected\n")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(**outcome)
