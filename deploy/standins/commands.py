"""Runs a program for one of the trials in deploy/."""

import subprocess
from collections.abc import Mapping
from typing import IO


def run(
    *command: str, given: str | None = None, source: IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:  # fmt: skip
    """What it printed; it reads what is given, or from `source`. Raises SystemExit with the command's own
    words when it fails."""
    stdin = None if given is not None else source or subprocess.DEVNULL
    done = subprocess.run(  # noqa: S603 - our own commands
        command, input=given, stdin=stdin, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command[:4])} failed:\n{(done.stderr + done.stdout)[-3000:]}")
    return done.stdout
