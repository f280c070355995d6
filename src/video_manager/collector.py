"""Python's garbage collector, kept away from what lives as long as the process."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collections() -> Iterator[None]:
    """While thousands of things are imported or built that all stay: the collector would look through them again and
    again. No later collection looks at them, either."""
    outermost = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        keep_what_is_built()
        if outermost:
            gc.enable()


def keep_what_is_built() -> None:
    """Everything that exists now stays for good: no later collection looks at it. The little of it that is garbage
    already stays, too."""
    gc.freeze()
