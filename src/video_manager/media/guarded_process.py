"""Child processes that never outlive us and never crowd out the server: killed by the kernel when their parent
dies (Linux), and niced."""

import os
import subprocess
import sys
from collections.abc import Sequence

NICE_LEVEL = 10

# The guard runs in the child and then becomes the program (same process id). It is a program of its own rather than
# a `preexec_fn`, which is unsafe once the parent has threads (onnxruntime, OpenCV) and warns from Python 3.12 on.
_GUARD = """
import os, sys
parent, level = int(sys.argv[1]), int(sys.argv[2])
try:
    import ctypes
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
except (ImportError, OSError, AttributeError):
    pass
if os.getppid() != parent:
    sys.exit(9)
os.nice(level)
os.execvp(sys.argv[3], sys.argv[3:])
"""


def guarded_command(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` under the guard; start it from the process that must outlive it.

    The kernel watches the *thread* that started the child: start it from a thread that lives as long as the child.
    """
    if not sys.platform.startswith("linux"):
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid()), str(NICE_LEVEL), *command]


def spawn_guarded(command: Sequence[str], *, stdin: int, stdout: int, stderr: int) -> "subprocess.Popen[bytes]":
    """Start `command` guarded, with plain pipes or file descriptors as `subprocess.Popen` takes them."""
    return subprocess.Popen(  # noqa: S603 - the command is built by us, never by a shell
        guarded_command(command), stdin=stdin, stdout=stdout, stderr=stderr
    )
