"""deploy/compose.yaml: the compose specification accepts it, it fits the code, and no secret in it has a default."""

import copy
import json
import re
import shutil
import subprocess
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.deploy.code import all_commands, command_faults, credential_faults, settings_faults
from tests.deploy.manifest import ROOT

from video_manager import __version__
from video_manager.publishing.access.keyring import Keyring
from video_manager.settings import PREFIX

DEPLOY = ROOT / "deploy"
IMAGES = {"proxy": "caddy:2", "rabbitmq": "rabbitmq:4-management", "mongodb": "mongo:8", "postgresql": "postgres:17"}
_VARIABLE = re.compile(r"\$\{(\w+)(?:(:[?-])([^}]*))?\}")


@cache
def _compose(name: str = "compose.yaml") -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


@cache
def _secrets(folder: Path) -> dict[str, str]:
    """What `deploy/secrets compose` writes, made in a copy so that a person's own file stays."""
    shutil.copy(DEPLOY / "secrets", folder / "secrets")
    subprocess.run([folder / "secrets", "compose"], check=True, capture_output=True)
    lines = [line for line in (folder / ".env").read_text().splitlines() if line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def _filled(value: str, given: dict[str, str]) -> str:
    """A value as compose interpolates it. Raises KeyError for a missing one without a default."""

    def fill(found: re.Match[str]) -> str:
        return given[found[1]] if found[2] != ":-" else given.get(found[1], found[3])

    return _VARIABLE.sub(fill, value).replace("$$", "$")


def _ours() -> dict[str, Any]:
    return {name: one for name, one in _compose()["services"].items() if name not in IMAGES}


def _schema_faults(compose: Any) -> list[str]:
    pytest.importorskip("check_jsonschema", reason="needs check-jsonschema for the schema of the compose specification")
    schema = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text()))
    return [error.message for error in validator.iter_errors(compose)]


@pytest.mark.parametrize("name", ["compose.yaml", "compose.tls.yaml"])
def test_the_compose_specification_accepts_it(name: str) -> None:
    assert _schema_faults(_compose(name)) == []


def test_the_compose_specification_refuses_mistakes() -> None:
    wrong = copy.deepcopy(_compose())
    wrong["services"]["gateway"]["memory_limit"] = "1g"
    assert _schema_faults(wrong)


def test_every_service_and_generator_has_one_container() -> None:
    commands = sorted(tuple(one["command"]) for one in _ours().values())
    assert commands == sorted(all_commands())
    assert [fault for name, one in _ours().items() for fault in command_faults(name, tuple(one["command"]))] == []


def test_the_real_images_stand_beside_ours() -> None:
    assert {name: _compose()["services"][name]["image"] for name in IMAGES} == IMAGES
    assert {one["image"] for one in _ours().values()} == {f"${{IMAGE:-localhost/video-manager:{__version__}}}"}


def test_every_environment_is_one_that_the_settings_take(tmp_path: Path) -> None:
    given, faults = _secrets(tmp_path), []
    for name, one in _ours().items():
        values = {key: _filled(value, given) for key, value in one["environment"].items()}
        assert all(key.startswith(PREFIX) for key in values), name
        faults += settings_faults(name, frozenset(values.items()))
        faults += credential_faults(name, one["command"][1], values.get("VIDEO_MANAGER_CREDENTIAL_KEYS"))
    assert faults == []


def test_a_wrong_setting_is_told(tmp_path: Path) -> None:
    one, given = _ours()["manager"], _secrets(tmp_path)
    values = {key: _filled(value, given) for key, value in one["environment"].items()}
    assert settings_faults("manager", frozenset({**values, "VIDEO_MANAGER_RENDER_SLOT": "1"}.items()))
    values.pop("VIDEO_MANAGER_MONGODB_URL")
    assert settings_faults("manager", frozenset(values.items()))


def test_no_secret_has_a_default_and_each_is_made(tmp_path: Path) -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    made = _secrets(tmp_path)
    required = {found[1] for found in _VARIABLE.finditer(text) if found[2] == ":?"}
    defaults = {found[1] for found in _VARIABLE.finditer(text) if found[2] == ":-"}
    assert required == made.keys()
    assert defaults == {"IMAGE", "LISTEN", "SITE_ADDRESS"}
    assert not [found[0] for found in _VARIABLE.finditer(text) if found[2] is None]
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    random = [value for key, value in made.items() if key != "PUBLIC_URL"]
    assert len(set(random)) == len(random)
    assert Keyring([made["CREDENTIAL_KEYS"]])
    assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in random if value != made["CREDENTIAL_KEYS"])


def test_secrets_in_use_are_not_replaced(tmp_path: Path) -> None:
    before = _secrets(tmp_path)
    again = subprocess.run([tmp_path / "secrets", "compose"], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "left as it is" in again.stderr
    assert before["SESSION_SECRET"] in (tmp_path / ".env").read_text()


def test_services_wait_for_healthy_stores_and_only_the_proxy_is_reached_from_outside() -> None:
    services = _compose()["services"]
    for name, one in services.items():
        assert "healthcheck" in one, name
        assert one["restart"] == "unless-stopped", name
        assert "mem_limit" in one, name
        assert ("ports" in one) == (name == "proxy"), name
        for needed, how in one.get("depends_on", {}).items():
            assert needed in services
            assert how == {"condition": "service_healthy"}, name
    for name, one in _ours().items():
        assert set(one["depends_on"]) == {"rabbitmq", "mongodb", "postgresql"}, name
        assert one["read_only"], name
        assert one["cap_drop"] == ["ALL"], name
    assert _compose()["networks"]["inside"]["internal"]


def test_containers_have_time_to_stop() -> None:
    for name, one in _ours().items():
        grace = float(one["environment"]["VIDEO_MANAGER_GRACE_SECONDS"])
        assert float(one["stop_grace_period"].removesuffix("s")) >= grace + 15, name


def test_mounted_volumes_and_files_exist() -> None:
    for name, one in _compose()["services"].items():
        for volume in one.get("volumes", []):
            source, _, target = volume.partition(":")
            if target and source.startswith("."):
                assert (DEPLOY / source).is_file(), name
            elif target:
                assert source in _compose()["volumes"], name


@pytest.mark.skipif(shutil.which("caddy") is None, reason="no caddy: the proxy's routing is not tried")
@pytest.mark.parametrize("address", ["http://:8800", "videos.example.org"])
def test_the_proxy_understands_its_routing(address: str) -> None:
    command = ["caddy", "adapt", "--adapter", "caddyfile", "--config", str(DEPLOY / "compose" / "Caddyfile")]
    done = subprocess.run(
        command, env={"PATH": "/usr/bin:/bin", "SITE_ADDRESS": address}, capture_output=True, check=True
    )
    routes = json.dumps(json.loads(done.stdout))
    assert '"dial": "gateway:8800"' in routes
    assert '"dial": "studio:8800"' in routes
    for path in ("/api/*", "/watch/*"):
        assert f'"{path}"' in routes
