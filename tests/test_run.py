"""./run and ./test on machines that lack things. The real installation is the one test marked `long`."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETUP_FILES = ("run", "test", "scripts", "pyproject.toml", "requirements.txt", "requirements-dev.txt",
               "requirements-setup.txt", "requirements-bootstrap.txt")  # fmt: skip
TOOLS = ("sh", "bash", "env", "readlink", "sha256sum", "tr", "cat", "id", "dirname", "sleep", "mktemp", "nproc", "grep")

Run = Callable[..., subprocess.CompletedProcess[str]]

# Stands in for the product in a made environment: says how it was called.
ECHO = """import os, sys
print("args", sys.argv[1:])
print("data", os.environ.get("VIDEO_MANAGER_DATA_DIR"))
print("python", sys.prefix)
"""

HOLD_LOCK = """import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What ./run needs of the checkout, in a folder with a space in its name."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    for name in SETUP_FILES:
        source = ROOT / name
        shutil.copytree(source, folder / name) if source.is_dir() else shutil.copy2(source, folder / name)
    package = folder / "src" / "video_manager"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(ECHO)
    return folder


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH with the few tools that every Linux has, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (folder / tool).symlink_to(found)
    return folder


@pytest.fixture
def start(checkout: Path, bare_path: Path) -> Run:
    def run(*arguments: str, program: Path | None = None, cwd: Path | None = None, **environment: str) -> (
        subprocess.CompletedProcess[str]
    ):  # fmt: skip
        return subprocess.run(
            [str(program or checkout / "run"), *arguments], cwd=cwd or checkout, capture_output=True, text=True,
            env={"PATH": str(bare_path), "HOME": str(checkout)} | environment, check=False, timeout=120,
        )  # fmt: skip

    return run


def _install_fake(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _finished_environment(checkout: Path, kind: str = "run") -> None:
    """An environment as the setup leaves it, without the minutes of installing."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(checkout / ".venv")], check=True)
    site = next((checkout / ".venv" / "lib").glob("python*/site-packages"))
    (site / "checkout.pth").write_text(f"{checkout / 'src'}\n")
    stamp = subprocess.run(
        ["sh", "-c", f'root=$1; . "$root/scripts/environment.sh"; environment_stamp {kind}', "sh", str(checkout)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    stamps = checkout / ".venv" / ".video-manager"
    stamps.mkdir()
    (stamps / kind).write_text(stamp)


# ---- the usual start ------------------------------------------------------------------------------------


def test_a_finished_environment_is_used_at_once(checkout: Path, start: Run, tmp_path: Path) -> None:
    _finished_environment(checkout)
    done = start("make", "story", "--title", "two words", cwd=tmp_path)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "args ['make', 'story', '--title', 'two words']",
        f"data {checkout / 'data'}",
        f"python {checkout / '.venv'}",
    ]


def test_run_alone_starts_the_system(checkout: Path, start: Run) -> None:
    _finished_environment(checkout)
    assert "args ['up']" in start().stdout


def test_a_link_to_run_works(checkout: Path, start: Run, tmp_path: Path) -> None:
    _finished_environment(checkout)
    link = tmp_path / "video-manager"
    link.symlink_to(checkout / "run")
    assert f"data {checkout / 'data'}" in start(program=link, cwd=tmp_path).stdout


def test_a_data_folder_that_was_named_stays(checkout: Path, start: Run) -> None:
    _finished_environment(checkout)
    assert "data elsewhere" in start(VIDEO_MANAGER_DATA_DIR="elsewhere").stdout


def test_files_in_the_current_folder_do_not_stand_in_for_packages(checkout: Path, start: Run, tmp_path: Path) -> None:
    _finished_environment(checkout)
    (tmp_path / "video_manager.py").write_text("raise SystemExit('wrong one')")
    assert "args ['up']" in start(cwd=tmp_path).stdout


def test_the_shell_part_starts_four_small_programs(checkout: Path, start: Run, bare_path: Path, tmp_path: Path) -> None:
    """That is what makes the usual start cheap: no Python of its own, no package manager, one pass over the files."""
    _finished_environment(checkout)
    told = tmp_path / "told"
    for tool in TOOLS:
        real = (bare_path / tool).readlink()
        (bare_path / tool).unlink()
        _install_fake(bare_path / tool, f'echo {tool} >>"{told}"\nexec {real} "$@"')
    assert start().returncode == 0
    assert sorted(told.read_text().split()) == ["cat", "readlink", "sha256sum", "tr"]


def test_the_exit_code_is_that_of_the_command(checkout: Path, start: Run) -> None:
    _finished_environment(checkout)
    (checkout / "src/video_manager/__main__.py").write_text("raise SystemExit(3)")
    assert start().returncode == 3


# ---- what makes a stamp old -----------------------------------------------------------------------------


@pytest.mark.parametrize("changed", ["requirements.txt", "pyproject.toml", "requirements-setup.txt"])
def test_other_packages_make_the_setup_run(checkout: Path, start: Run, changed: str) -> None:
    _finished_environment(checkout)
    with (checkout / changed).open("a") as file:
        file.write("# changed\n")
    done = start()
    assert done.returncode == 1
    assert "needs Python 3.11" in done.stderr  # it looked for a Python to set up with


def test_a_checkout_that_was_moved_is_set_up_again(checkout: Path, start: Run, tmp_path: Path) -> None:
    _finished_environment(checkout)
    moved = tmp_path / "moved"
    checkout.rename(moved)
    done = start(program=moved / "run", cwd=moved)
    assert done.returncode == 1
    assert "needs Python 3.11" in done.stderr


def test_an_unfinished_environment_is_replaced(checkout: Path, start: Run, bare_path: Path) -> None:
    """A killed installation leaves an environment without stamps."""
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "half").touch()
    (bare_path / "python3").symlink_to(sys.executable)
    done = start(PIP_INDEX_URL="http://127.0.0.1:9/", PIP_FIND_LINKS="", PIP_RETRIES="0", PIP_CONFIG_FILE=os.devnull)
    assert "Replacing a .venv" in done.stderr
    assert not (checkout / ".venv" / "half").exists()
    assert done.returncode == 1
    assert not (checkout / ".venv" / ".video-manager").exists(), "a failed setup must not look finished"
    assert "failed while installing what builds packages" in done.stderr
    assert "again" in done.stderr.splitlines()[-1], "the last line says what to do"


# ---- machines that lack something -----------------------------------------------------------------------


def test_without_python_it_says_what_to_install(start: Run) -> None:
    done = start()
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert "sudo apt-get install python3 python3-venv" in done.stderr
    assert done.stdout == ""


def test_pythons_that_do_not_run_or_are_old_are_passed_over(start: Run, bare_path: Path) -> None:
    _install_fake(bare_path / "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    _install_fake(bare_path / "python3.12", "exit 1  # as if it were too old")
    _install_fake(
        bare_path / "python3", 'case "$2" in *ensurepip*|*sqlite3*) exit 0;; esac; echo "used $0" >&2; exit 7'
    )
    done = start()
    assert f"used {bare_path / 'python3'}" in done.stderr
    assert done.returncode == 1


def test_a_python_can_be_named(start: Run, bare_path: Path, tmp_path: Path) -> None:
    mine = tmp_path / "my python"
    _install_fake(mine, 'case "$2" in *sqlite3*) exit 0;; esac; echo "used mine" >&2; exit 7')
    _install_fake(bare_path / "python3", "exit 0")
    assert "used mine" in start(PYTHON=str(mine)).stderr


def test_without_venv_module_it_says_what_to_install(checkout: Path, start: Run, bare_path: Path) -> None:
    """As on Debian without python3-venv: the module is there, but ensurepip is not, nor pip, nor uv."""
    _install_fake(
        bare_path / "python3",
        f'case "$*" in *ensurepip*) exit 1;; *"-m venv"*) echo "Error: ensurepip is not available"; exit 1;;\n'
        f'*"-m virtualenv"*|*"-m pip"*) echo "No module named $2"; exit 1;; esac\nexec {sys.executable} "$@"',
    )
    code = (checkout / "scripts" / "environment.py").read_text()
    code = code.replace("sys.executable", repr(str(bare_path / "python3")))
    (checkout / "scripts" / "environment.py").write_text(code)
    done = start()
    assert done.returncode == 1
    assert "ensurepip is not available" in done.stderr
    short = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"sudo apt-get install python{short}-venv" in done.stderr
    assert not (checkout / ".venv").exists()


def test_two_starts_do_not_set_up_at_once(checkout: Path, start: Run, bare_path: Path) -> None:
    (bare_path / "python3").symlink_to(sys.executable)
    (checkout / ".bootstrap").mkdir()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(checkout / ".bootstrap" / "lock")],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        waiting = subprocess.Popen(
            [str(checkout / "run")], env={"PATH": str(bare_path)}, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert waiting.stderr is not None
        assert "Another start is setting up" in waiting.stderr.readline()
        _finished_environment(checkout)  # the other one finishes
        holder.kill()
        output, _ = waiting.communicate(timeout=60)
        assert "args ['up']" in output
    finally:
        holder.kill()
        holder.communicate()


# ---- ./test ---------------------------------------------------------------------------------------------

# Stand in for what ./test calls: they say how they were called, and the servers have nothing to start.
SERVICES = """import shutil, sys
print(sys.argv[1], file=open({told!r}, "a"))
if sys.argv[1] == "stop":
    shutil.rmtree(sys.argv[3])
"""
PYTEST = """import os, sys
print("pytest", sys.argv[1:])
print("failed", os.environ["VIDEO_MANAGER_TEST_FAILED_CHECKS"])
"""


@pytest.fixture
def told(checkout: Path, bare_path: Path) -> Path:
    """The checkout is ready for ./test; the servers' stand-in notes here what it was asked to do."""
    _finished_environment(checkout, "dev")
    told = checkout / "told"
    (checkout / "scripts" / "services").write_text(SERVICES.format(told=str(told)))
    (checkout / "src" / "pytest.py").write_text(PYTEST)
    for name in ("ruff", "mypy", "lint-imports"):
        _install_fake(checkout / ".venv" / "bin" / name, f"echo {name} $*")
    for name in ("chromium", "node", "npm"):
        _install_fake(bare_path / name, "")
    _install_fake(bare_path / "kubectl", "echo kustomizeVersion: v5.0.1")
    return told


def test_the_checks_run_at_once_and_each_says_its_words_in_one_piece(checkout: Path, start: Run, told: Path) -> None:
    """Each of two waits for the other's first words; what failed is told to pytest, and makes the whole fail."""
    for name, other in (("mypy", "lint-imports"), ("lint-imports", "mypy")):
        _install_fake(
            checkout / ".venv" / "bin" / name,
            f'echo "{name} begins"; : >"{checkout}/{name}"; n=0\n'
            f'while [ ! -e "{checkout}/{other}" ]; do n=$((n+1)); [ $n -lt 600 ] || exit 9; sleep 0.05; done\n'
            f'echo "{name} ends" >&2; [ {name} = lint-imports ]',
        )
    done = start(program=checkout / "test")
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[:-2] == [
        "== ruff check", "ruff check", "== ruff format", "ruff format --check", "== mypy", "mypy begins", "mypy ends",
        "== import rules", "lint-imports begins", "lint-imports ends",
    ]  # fmt: skip
    assert "'-m', 'not long'" in done.stdout.splitlines()[-2]
    assert done.stdout.splitlines()[-1] == "failed  mypy"
    assert told.read_text().split() == ["start", "stop"]


def test_without_a_failure_all_is_well(checkout: Path, start: Run, told: Path) -> None:
    done = start(program=checkout / "test")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "failed "


def test_the_checks_end_with_an_interrupted_run(checkout: Path, bare_path: Path, told: Path) -> None:
    _install_fake(checkout / ".venv" / "bin" / "mypy", f'echo $$ >"{checkout}/pid"; exec sleep 100')
    with subprocess.Popen([checkout / "test"], env={"PATH": str(bare_path)}, stdout=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + 60
        while not ((checkout / "pid").exists() and (checkout / "pid").read_text().strip()):
            assert time.monotonic() < deadline, "mypy was never started"
            time.sleep(0.05)
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 143
    check = Path("/proc") / (checkout / "pid").read_text().strip()
    while check.exists():  # somebody has to fetch its exit code first
        assert time.monotonic() < deadline, "mypy still runs"
        time.sleep(0.05)
    assert "stop" in told.read_text().split()


# ---- the rest -------------------------------------------------------------------------------------------


def test_ci_calls_test() -> None:
    assert 'exec "$root/test"' in (ROOT / ".ci" / "run").read_text()


def test_scripts_are_executable() -> None:
    assert all(os.access(ROOT / name, os.X_OK) for name in ("run", "test", ".ci/run", "scripts/lock"))


# ---- the real thing -------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_fresh_checkout_installs_and_answers(tmp_path: Path) -> None:
    """The tracked files and what is not committed yet, in a new folder, with an environment made from nothing."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True
    )
    folder = tmp_path / "a fresh checkout"
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    first = subprocess.run([folder / "run", "--version"], capture_output=True, text=True, check=False, timeout=800)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("video-manager ")
    assert "Set up in" in first.stderr
    second = subprocess.run([folder / "run", "doctor"], capture_output=True, text=True, check=False, timeout=60)
    assert second.stderr == ""
    assert "ok   ffmpeg" in second.stdout
    script = subprocess.run(
        [folder / ".venv/bin/video-manager", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert script.stdout == first.stdout
