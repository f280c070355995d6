"""Processor time of processes, from /proc."""

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(processes: Iterable[int]) -> float:
    """Of all of them together, since each began; one that has ended counts no more."""
    return sum(_of(process) for process in processes)


def _of(process: int) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS
