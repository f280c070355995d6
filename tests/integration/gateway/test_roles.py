"""Every route of the gateway, as every role and as a stranger."""

from tests.integration.gateway.access_table import TABLE, Rule, differences, who_may, wrong_answers
from tests.integration.gateway.world import World

from video_manager.domain.access import Right


async def test_every_route_has_its_line_in_the_table(world: World) -> None:
    assert differences(world.app, TABLE) == {}


async def test_every_role_may_do_what_the_table_says_and_no_more(world: World) -> None:
    assert await wrong_answers(TABLE, world.client) == []


async def test_the_check_can_fail(world: World) -> None:
    wrong = {"GET /api/v1/users": Rule(who_may(Right.VIEW)), "GET /api/v1/me": Rule(who_may(Right.ADMINISTER))}
    told = await wrong_answers(wrong, world.client)
    assert "GET /api/v1/users as viewer: 403" in told
    assert "GET /api/v1/me as viewer: 200" in told
    assert "GET /api/v1/audit" in differences(world.app, wrong)["not in the table"]
