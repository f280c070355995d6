"""PyMongo leaves a socket to the garbage collector when a client is closed in the middle of connecting to a server that
is gone. Python warns of it whenever that is collected, perhaps in another test; here it is collected at once."""

import gc
from collections.abc import Iterator

import pytest

LEFT_SOCKETS = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning",
    "ignore:unclosed <socket.socket:ResourceWarning",
)


@pytest.fixture(autouse=True)
def collect_left_sockets() -> Iterator[None]:
    yield
    gc.collect()
