"""One's own calendar address over HTTP."""

from tests.integration.gateway.world import World

from video_manager.domain.access import Role


async def test_a_person_makes_replaces_and_ends_their_address(world: World) -> None:
    async with world.browser(Role.VIEWER) as browser:
        assert (await browser.get("/api/v1/me/calendar")).json() == {"active": False, "address": None}
        made = await browser.post("/api/v1/me/calendar")
        assert made.status_code == 201
        address = made.json()["address"]
        assert address.startswith(f"{world.settings.base_url}/calendar.ics?token=")
        assert (await browser.get("/api/v1/me/calendar")).json() == {"active": True, "address": None}
        assert (await browser.post("/api/v1/me/calendar")).json()["address"] != address
        assert (await browser.delete("/api/v1/me/calendar")).status_code == 204
        assert (await browser.get("/api/v1/me/calendar")).json()["active"] is False
