"""What other libraries load when it is there, and we never use."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

CLIENTS = ("aiohttp", "requests", "aio_pika")
"""Only the client halves of NiceGUI's socket libraries use them, and what connects several of its servers. (RabbitMQ's
adapter has loaded `aio_pika` before, where it is used.)"""
OLD_MODELS = ("pydantic.v1",)
"""FastAPI looks whether a route has models of pydantic 1."""


@contextmanager
def without(*modules: str) -> Iterator[None]:
    """Let imports inside find these modules missing, unless they are loaded already."""
    hidden = [name for name in modules if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # how Python marks a module that cannot be imported
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with without("pygments"):  # httpx's command line, which loads the larger half of rich
    import httpx  # noqa: F401
