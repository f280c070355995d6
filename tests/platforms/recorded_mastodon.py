"""What a real Mastodon 4.7.3 answered: traffic that came with the source package of Mastodon.py."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.servers.mongodb import CACHE, ROOT

VERSION = "2.3.3"
_SHA256 = "a3cda3db86d65809957c978aef8ac7fb3dfc93abfeda3f1c6bdef4c79090ab7b"
_PACKAGE = f"mastodon_py-{VERSION}"


@dataclass(frozen=True)
class Recorded:
    method: str
    path: str
    status: int
    body: Any


@cache
def recorded(name: str) -> tuple[Recorded, ...]:
    """The calls of one recording, in order. Skips the test, loudly, where the package cannot be had."""
    with tarfile.open(_package()) as archive:
        file = archive.extractfile(f"{_PACKAGE}/tests/cassettes/{name}.yaml")
        assert file is not None
        content = yaml.load(file, Loader=yaml.CBaseLoader)  # noqa: S506 - this loader makes texts only
    return tuple(_read(one) for one in content["interactions"])


def _read(one: dict[str, Any]) -> Recorded:
    path = re.sub(r"^https?://[^/]+", "", one["request"]["uri"]).partition("?")[0].rstrip("/")
    answer = one["response"]
    return Recorded(one["request"]["method"], path, int(answer["status"]["code"]), json.loads(answer["body"]["string"]))


def _package() -> Path:
    kept = CACHE / f"{_PACKAGE}.tar.gz"
    if not kept.is_file():
        new = CACHE / f"new-{_PACKAGE}-{os.getpid()}"
        try:
            said = _download(new)
            found = next(iter(new.glob("*.tar.gz")), None)
            if found is None:
                pytest.skip(f"no recorded traffic of Mastodon: pip could not fetch Mastodon.py {VERSION}: {said}")
            found.replace(kept)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == _SHA256, f"{kept} is not the package that was expected"
    return kept


def _download(folder: Path) -> str:
    """What pip said when it failed."""
    folder.mkdir(parents=True)
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
    said = "there is no pip"
    for python in (ROOT / ".venv" / "bin" / "python", sys.executable, "python3"):
        done = subprocess.run(
            [python, "-m", "pip", "download", *options, f"Mastodon.py=={VERSION}"], capture_output=True, text=True,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode == 0:
            return ""
        if "No module named pip" not in done.stderr:
            return " ".join(done.stderr.strip().splitlines()[-3:])
    return said
