"""How a command ends."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command; docs/operations.md lists them."""

    OK = 0
    FAILED = 1
    """The work itself failed: a video, a check of `doctor`, an upload."""
    WRONG_INPUT = 2
    """Wrong usage or input, also what the server refuses (unknown id, not allowed now)."""
    NOT_REACHABLE = 3
    """The system, a store or the broker does not answer, or we are not signed in."""
    WRONG_SETTINGS = 4
    """A setting is wrong: an address, credentials, a permission, a server that is too old."""
    INTERRUPTED = 130
    """Ctrl-C."""


class CommandError(Exception):
    """An expected failure: printed as one clear text, never with a stack trace."""

    def __init__(self, text: str, code: Exit = Exit.WRONG_INPUT) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
