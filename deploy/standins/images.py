"""The images that deploy/compose.yaml names: the engine's own, or fetched, or made out of packages."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from standins.commands import run
from standins.debian import make_root
from standins.engine import Engine

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGES = ("rabbitmq-server", "postgresql-17", "caddy", "nodejs", "wget")
STORES = "localhost/video-manager-standins:stores"
HOWTO = {
    "rabbitmq": 'ENTRYPOINT ["standin-rabbitmq"]\nVOLUME /var/lib/rabbitmq\n',
    "postgres": 'ENTRYPOINT ["standin-postgresql"]\nVOLUME /var/lib/postgresql/data\n',
    "mongo": "RUN mkdir -p /data/db && chown 999:999 /data/db\nVOLUME /data/db\n",
    "caddy": 'ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data\n'
             'CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]\n',
}  # fmt: skip
"""For each name in compose.yaml what its stand-in has besides the stores' packages."""


def usable(engine: Engine, names: Sequence[str], folder: Path) -> dict[str, str]:
    """For each name the image to take. Raises SystemExit for one that neither is there nor can be stood in for."""
    found = {}
    for name in names:
        if _has(engine, name) or _fetched(engine, name):
            found[name] = name
            continue
        kind = name.rpartition("/")[2].partition(":")[0]
        if kind not in HOWTO:
            raise SystemExit(f"there is no image {name}: build it first (docs/deployment.md), or set IMAGE")
        found[name] = _stand_in(engine, kind, folder)
    return found


def _has(engine: Engine, name: str) -> bool:
    return bool(run(*engine.docker, "images", "--quiet", name).strip())


def _fetched(engine: Engine, name: str) -> bool:
    if name.startswith("localhost/"):
        return False
    try:
        run(*engine.docker, "pull", "--quiet", name)
    except SystemExit:
        return False
    return True


def _stand_in(engine: Engine, kind: str, folder: Path) -> str:
    name = f"localhost/video-manager-standins:{kind}"
    if not _has(engine, STORES):
        archive = folder / "stores.tar"
        run("tar", "--directory", str(_stores(folder)), "--create", "--file", str(archive), ".")
        run(*engine.docker, "import", str(archive), STORES)
        archive.unlink()
    run(*engine.docker, "build", "--quiet", "--tag", name, "-", given=f"FROM {STORES}\n{HOWTO[kind]}")
    return name


def _stores(folder: Path) -> Path:
    root = make_root(folder / "stores", PACKAGES)
    for program in ("rabbitmq", "postgresql"):
        shutil.copy(HERE / program, root / f"usr/local/bin/standin-{program}")
    shutil.copy(HERE / "mongod", root / "usr/local/bin/mongod")
    _add_mongosh(root)
    _add_wire_server(root)
    return root


def _add_mongosh(root: Path) -> None:
    place = root / "opt/mongosh"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, place)
    run("npm", "ci", "--prefix", str(place), "--no-audit", "--no-fund", "--ignore-scripts")
    shell = root / "usr/local/bin/mongosh"
    shell.unlink(missing_ok=True)
    shell.symlink_to("/opt/mongosh/node_modules/.bin/mongosh")


def _add_wire_server(root: Path) -> None:
    sys.path.insert(0, str(ROOT))
    from tests.servers.mongodb import find_program, install  # noqa: PLC0415 - only where it is needed

    install()
    program = find_program()
    for folder in (program.parent, program.parent.parent / "secantusdb.libs"):
        shutil.copytree(folder, root / "opt" / folder.name, dirs_exist_ok=True)
