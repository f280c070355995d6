"""Make or mend the virtual environment of this checkout. Called by ./run and ./test when their stamp does not match.

Only the standard library: this runs before anything is installed. The stamp is written last, and removed before
anything changes, so that an installation that died half-way is made anew by the next start.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / ".video-manager"
"""Holds one stamp for each set of packages; only an environment that this program finished has it."""
SCRATCH = ROOT / ".bootstrap"
REQUIREMENTS = {"run": "requirements.txt", "dev": "requirements-dev.txt"}
BUILT_HERE = ["feedgen"]
"""Packages that are published without a wheel; all others are never built, so nothing of theirs runs on install."""
SHOWN_LINES = 15


class SetupError(Exception):
    """The text tells a person what to do."""


def main(kind: str, stamp: str) -> int:
    try:
        with exclusive():
            if read_stamp(kind) == stamp:  # another start did it while this one waited
                return 0
            set_up(kind, stamp)
    except SetupError as error:
        say(f"\n{error}")
        return 1
    except OSError as error:
        say(f"\nThe setup could not write to {ROOT}: {error}. Nothing is broken: mend this and start again.")
        return 1
    except KeyboardInterrupt:
        say("\nThe setup was interrupted; the next start makes it anew.")
        return 130
    return 0


def set_up(kind: str, stamp: str) -> None:
    started = time.monotonic()
    if STAMPS.is_dir() and runs(PYTHON):
        say("The list of packages has changed: bringing them up to date.")
        shutil.rmtree(STAMPS)
    else:
        say("First start: setting up in .venv (once, one to three minutes).")
        make_venv()
    pip = installer()
    install(pip, "what builds packages", "requirements-setup.txt", ["--only-binary", ":all:"])
    wheels = ["--only-binary", ":all:", *(part for name in BUILT_HERE for part in ("--no-binary", name))]
    install(pip, "packages", REQUIREMENTS[kind], [*wheels, "--no-build-isolation"])
    attempt([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], "installing video-manager itself")
    attempt([str(PYTHON), "-P", "-c", "import video_manager"], "trying the installation")
    write_stamp(kind, stamp)
    say(f"Set up in {time.monotonic() - started:.0f} s.")


# ---- the environment ----------------------------------------------------------------------------------


def make_venv() -> None:
    """Make .venv with this Python by the first way that works here."""
    if VENV.is_symlink():
        VENV.unlink()
    elif VENV.exists():
        say("Replacing a .venv that is unfinished, broken or was made by something else.")
        discard(VENV)
    tried: list[str] = []
    for way in (make_by_venv, make_by_uv, make_by_virtualenv):
        fault = way()
        if fault is None and runs(PYTHON):
            return
        tried.append(f"  {way.__name__.removeprefix('make_by_')}: {fault or 'made an environment that does not run'}")
        discard(VENV)
    raise SetupError(
        f"Python {version()} ({sys.executable}) cannot make a virtual environment here:\n"
        + "\n".join(tried)
        + "\nInstall one of these, then start again:\n"
        + advice()
    )


def make_by_venv() -> str | None:
    """Python's own module. Debian and Ubuntu split a part of it off, and then it fails only after some work."""
    return fault_of([sys.executable, "-m", "venv", str(VENV)])


def make_by_uv() -> str | None:
    if shutil.which("uv") is None:
        return "not installed"
    return fault_of(["uv", "venv", "--quiet", "--python", sys.executable, str(VENV)])


def make_by_virtualenv() -> str | None:
    """Through pip, into a folder of our own, because a system's Python may refuse to be installed into."""
    if fault_of([sys.executable, "-m", "virtualenv", "--version"]) is None:
        return fault_of([sys.executable, "-m", "virtualenv", "--quiet", str(VENV)])
    if fault_of([sys.executable, "-m", "pip", "--version"]) is not None:
        return "not installed, and there is no pip to install it with"
    folder = SCRATCH / "virtualenv"
    discard(folder)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), "--require-hashes"]
    fault = fault_of([*command, "--only-binary", ":all:", "-r", str(ROOT / "requirements-bootstrap.txt")])
    if fault is not None:
        return fault
    return fault_of([sys.executable, "-m", "virtualenv", "--quiet", str(VENV)], PYTHONPATH=str(folder))


def discard(folder: Path) -> None:
    """Remove a folder so that a half removed one is never mistaken for a whole one."""
    if not folder.exists():
        return
    SCRATCH.mkdir(exist_ok=True)
    grave = SCRATCH / f"old-{os.getpid()}-{time.monotonic_ns()}"
    folder.rename(grave)
    for old in SCRATCH.glob("old-*"):
        shutil.rmtree(old, ignore_errors=True)  # what cannot be removed now is tried again next time


def runs(python: Path) -> bool:
    return fault_of([str(python), "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]) is None


def version() -> str:
    return ".".join(str(part) for part in sys.version_info[:3])


def advice() -> str:
    short = f"{sys.version_info.major}.{sys.version_info.minor}"
    return "\n".join(
        (
            f"  Debian, Ubuntu:  sudo apt-get install python{short}-venv",
            f"  Fedora, RHEL:    sudo dnf install python{short} python3-pip",
            "  openSUSE:        sudo zypper install python3-virtualenv",
            "  Alpine is not supported: several packages offer nothing for musl.",
            "  anywhere else:   uv (a single program), or Python's virtualenv package",
        )
    )


# ---- packages -----------------------------------------------------------------------------------------


def installer() -> list[str]:
    if fault_of([str(PYTHON), "-m", "pip", "--version"]) is None:
        return [str(PYTHON), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--use-pep517"]
    if shutil.which("uv") is not None:
        return ["uv", "pip", "install", "--python", str(PYTHON)]
    raise SetupError(f"{VENV} has no pip, and there is no uv. Remove the folder and start again.")


def install(pip: list[str], what: str, requirements: str, options: list[str]) -> None:
    path = ROOT / requirements
    total = sum("==" in line for line in path.read_text(encoding="utf-8").splitlines() if line[:1].isalnum())
    command = [*pip, *options, "--require-hashes", "--requirement", str(path)]
    attempt(command, f"installing {what}", progress=lambda count: f"{min(count, total)} of {total}")


def attempt(command: list[str], doing: str, progress: Callable[[int], str] | None = None) -> None:
    """Run a step with one line of progress. Raises SetupError with the step's own last lines."""
    live = sys.stderr.isatty()
    if not live:
        say(f"  {doing} ...")
    lines: list[str] = []
    count = 0
    with subprocess.Popen(  # noqa: S603 - our own commands
        command, env=environment(), cwd=ROOT, text=True, errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        for line in process.stdout or ():
            lines.append(line.rstrip())
            count += line.startswith(("Collecting ", "Requirement already satisfied"))
            if live:
                counted = f" {progress(count)}" if progress and count else ""
                unpacking = ", unpacking" if line.startswith("Installing collected") else ""
                sys.stderr.write(f"\r\x1b[K  {doing}{counted}{unpacking} ...")
                sys.stderr.flush()
    if live:
        sys.stderr.write("\r\x1b[K")
    if process.returncode != 0:
        told = "\n".join(f"  | {line}" for line in lines[-SHOWN_LINES:] if line)
        raise SetupError(f"The setup failed while {doing}. It said:\n{told}\n{reason(lines)}")


def reason(lines: list[str]) -> str:
    text = "\n".join(lines).lower()
    if "no space left" in text:
        return "The disk is full: about 1.5 GB is needed. Free some, then start again."
    if "do not match the hashes" in text:
        return "A downloaded file is not the one that was tested, so it was refused. Try again, or tell us."
    unreachable = ("name resolution", "connection", "timed out", "network", "proxy", "ssl", "from versions: none")
    if any(word in text for word in unreachable):
        return "It looks like the network: a package index could not be reached. Start again when it can."
    if "no matching distribution" in text:
        return (
            f"A package has no file for Python {version()} on this machine. Python 3.11 to 3.14 on Linux (x86-64 or "
            "ARM64, with glibc) are known to work; name another Python and start again: PYTHON=python3.12 ./run"
        )
    return "Start again after mending this; what is installed so far does no harm."


def environment(**changes: str) -> dict[str, str]:
    """The person's environment (their proxy, their package index) without what would send packages elsewhere."""
    dropped = {"PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name not in dropped} | changes


def fault_of(command: list[str], **changes: str) -> str | None:
    """None when the command succeeds, else the last line it said."""
    try:
        done = subprocess.run(  # noqa: S603 - our own commands
            command, env=environment(**changes), cwd=ROOT, text=True, errors="replace", check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return None
    said = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    return next((line for line in said if "not" in line), said[-1] if said else f"exit code {done.returncode}")


# ---- stamps and the lock ------------------------------------------------------------------------------


def read_stamp(kind: str) -> str | None:
    try:
        return (STAMPS / kind).read_text(encoding="utf-8").rstrip("\n")
    except FileNotFoundError:
        return None


def write_stamp(kind: str, stamp: str) -> None:
    STAMPS.mkdir(exist_ok=True)
    new = STAMPS / f"{kind}.new"
    new.write_text(stamp + "\n", encoding="utf-8")
    new.replace(STAMPS / kind)


@contextmanager
def exclusive() -> Iterator[None]:
    """One setup at a time; the system frees the lock when its owner dies."""
    SCRATCH.mkdir(exist_ok=True)
    with (SCRATCH / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another start is setting up; waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - stdout belongs to the command that follows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
