"""The platforms under test: one module each, with a dict `CASES` of its cases by name."""

import importlib
import pkgutil

from tests.platforms.case import Case

CASES: dict[str, Case] = {}
for _module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
    CASES |= importlib.import_module(f"{__name__}.{_module}").CASES
