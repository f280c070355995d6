"""A new key: everything stays readable, and after the rotation the former key may go."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.integration.publishing.access.access_world import open_access
from tests.integration.publishing.conftest import FOLDER, RITA, VIC

from video_manager.domain import publication as rules
from video_manager.errors import Forbidden
from video_manager.publishing.access.handles import Handles
from video_manager.publishing.access.keyring import Keyring, new_key
from video_manager.publishing.access.rotation import Rotation, RotationStep
from video_manager.publishing.access.vault import CREDENTIALS, Credential, Secrets, Vault
from video_manager.repository import Repository

OLD, NEW = new_key(), new_key()


async def rotated(rotation: Rotation) -> list[RotationStep]:
    steps = [await rotation.step(RITA)]
    while steps[-1].next is not None:
        steps.append(await rotation.step(RITA, steps[-1].next))
    return steps


async def test_rotation_keeps_everything_readable_and_is_done_once(tmp_path: Path, gateway: str) -> None:
    now = datetime.now(UTC)
    async with open_access(tmp_path, gateway, credential_keys=(OLD,), keys_folder=None) as world:
        vault = Vault(Repository(world.documents, CREDENTIALS, Credential), Keyring([OLD]))
        for number in range(450):
            await vault.put(f"channel-{number:03}", Secrets({"token": f"t{number}"}), now)
        id = await world.create(await world.command(channel=FOLDER))
        claimed = await world.publishing.repositories[0].change(id, lambda it: rules.claim(it, "w", datetime.now(UTC)))
        handle = Handles(Keyring([OLD])).stored(id, {"url": "https://upload"})
        await world.publishing.repositories[0].change(
            id, lambda it: rules.save_handle(it, claimed.value.attempts[-1].number, handle)
        )
    async with open_access(tmp_path, gateway, credential_keys=(NEW, OLD), keys_folder=None) as world:
        with pytest.raises(Forbidden):
            await world.publishing.rotation.step(VIC)
        # Killed after the vault: what is done stays done, and the rest is done by the next one.
        first = await world.publishing.rotation.step(RITA)
        assert (first.credentials, first.handles) == (450, 0)
        steps = await rotated(world.publishing.rotation)
        assert (sum(one.credentials for one in steps), sum(one.handles for one in steps)) == (0, 1)
        again = await rotated(world.publishing.rotation)
        assert (sum(one.credentials for one in again), sum(one.handles for one in again)) == (0, 0)
    async with open_access(tmp_path, gateway, credential_keys=(NEW,), keys_folder=None) as world:
        vault = Vault(Repository(world.documents, CREDENTIALS, Credential), Keyring([NEW]))
        assert (await vault.get("channel-007")).options == {"token": "t7"}
        publication = await world.publication(id)
        assert Handles(Keyring([NEW])).of(publication, publication.attempts[-1]) == {"url": "https://upload"}


async def test_what_no_key_opens_is_named_and_left(tmp_path: Path, gateway: str) -> None:
    async with open_access(tmp_path, gateway, credential_keys=(NEW,), keys_folder=None) as world:
        vault = Vault(Repository(world.documents, CREDENTIALS, Credential), Keyring([OLD]))
        await vault.put("lost", Secrets({"token": "t"}), datetime.now(UTC))
        steps = await rotated(world.publishing.rotation)
        assert [one.unreadable for one in steps if one.unreadable] == [["lost"]]
        assert (await vault.get("lost")).options == {"token": "t"}
