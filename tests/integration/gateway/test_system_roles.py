"""Every route of the whole system, as every role and as a stranger."""

import httpx
import pytest
from tests.integration.gateway.access_table import differences, wrong_answers
from tests.integration.gateway.system_access_table import SYSTEM_TABLE

from video_manager.bootstrap.adapters import opened
from video_manager.bootstrap.application import build_application
from video_manager.bootstrap.system import System
from video_manager.domain.access import SYSTEM, Role
from video_manager.settings import Settings


# Apprise loads its plugins at the first address; one of them uses a module that Python 3.13 dropped.
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_every_role_may_do_what_the_table_says_and_no_more(settings: Settings) -> None:
    async with opened(settings) as adapters:
        system = await System.build(settings, adapters)
        app = build_application(system, workers=False, studio=False)
        keys = {role: (await system.access.keys.create(SYSTEM, role, role, role)).text for role in Role}

        def client_of(role: Role | None) -> httpx.AsyncClient:
            headers = {"Authorization": f"Bearer {keys[role]}"} if role else {}
            transport = httpx.ASGITransport(app, client=("192.0.2.7", 4711))
            return httpx.AsyncClient(transport=transport, base_url=settings.base_url, headers=headers)

        async with app.router.lifespan_context(app):
            assert differences(app, SYSTEM_TABLE) == {}, "add the route and its rights to system_access_table.py"
            wrong = set(await wrong_answers(SYSTEM_TABLE, client_of))
        assert wrong == set(), "\n".join(sorted(wrong))
