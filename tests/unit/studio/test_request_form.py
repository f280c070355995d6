"""The request form: reasons at their fields, drafts that survive, and what is sent in the end."""

import asyncio
from datetime import timedelta

from nicegui import ui
from tests.unit.studio.conftest import Studio

from video_manager.manager.external_generator import NewGenerator
from video_manager.studio.drafts import Drafts
from video_manager.studio.forms.draft_keeper import DELAY_SECONDS


async def test_a_missing_text_is_told_at_its_field(studio: Studio) -> None:
    user = await studio.visitor()
    await user.open("/new")
    user.find(kind=ui.button, content="Request").click()
    await user.should_see("Please fill this in.")
    assert await studio.system.videos.count_by_state(studio.admin) == {}


async def test_a_request_goes_through_and_leaves_no_draft(studio: Studio) -> None:
    user = await studio.visitor()
    await user.open("/new")
    user.find(kind=ui.textarea).type("The lamp was lit, and the ships came home.")
    user.find(kind=ui.button, content="Request").click()
    await user.should_see("Version 1", retries=20)
    page = await studio.system.videos.list_videos(studio.admin)
    assert [video.versions[0].given for video in page.items] == [{"text": "The lamp was lit, and the ships came home."}]
    documents = studio.system.adapters.documents
    assert await Drafts(documents, studio.system.adapters.clock).read(studio.admin, "new") == {}


async def test_what_was_typed_is_there_after_a_reload(studio: Studio) -> None:
    user = await studio.visitor()
    await user.open("/new")
    user.find(kind=ui.textarea).type("Half a story")
    await user.should_see("Half a story", retries=int((DELAY_SECONDS + 1) * 10))
    await asyncio.sleep(DELAY_SECONDS + 0.3)
    again = await studio.visitor()
    await again.open("/new")
    await again.should_see("Half a story")
    await again.should_see("Start over")


async def test_options_from_a_suggestion_fill_the_form(studio: Studio) -> None:
    user = await studio.visitor()
    await user.open('/new?generator=story&options={"text": "Suggested text"}')
    await user.should_see("Suggested text")


async def test_a_broken_address_opens_an_empty_form(studio: Studio) -> None:
    user = await studio.visitor()
    await user.open("/new?generator=story&options={broken")
    await user.should_see("What makes the video?")
    await user.open("/new?generator=nobody")
    await user.should_see("What makes the video?")


async def test_one_request_goes_to_several_generators_or_to_none(studio: Studio) -> None:
    """A wrong option of one of them: its reason stands in its form, and nothing at all is requested."""
    user = await studio.visitor()
    await user.open('/new?generator=test-card&options={"duration_seconds": 3}')
    user.find(marker="generator-story").click()
    await user.should_see("Story: options")
    user.find(kind=ui.button, content="Request").click()
    await user.should_see("Please fill this in.")
    assert await studio.system.videos.count_by_state(studio.admin) == {}


async def test_a_generator_whose_worker_is_away_says_so_and_takes_requests(studio: Studio) -> None:
    known, clock = studio.system.generators.known, studio.system.adapters.clock
    schema = {"type": "object", "properties": {"mood": {"enum": ["calm", "wild"], "default": "calm"}}}
    new = NewGenerator(name="dream", title="Dreams", options_schema=schema, key="painter")
    registered = await studio.system.generators.register(studio.admin, new)
    user = await studio.visitor()
    await user.open("/new")
    await user.should_see("Dreams")
    await user.should_see("Its own worker has not come yet.")
    known.learn(registered.with_(last_seen_at=clock.now() - timedelta(minutes=5)))
    await user.open("/new?generator=dream")
    await user.should_see("Its own worker was last seen 5 min ago.")
    user.find(kind=ui.button, content="Request").click()
    await user.should_see("Version 1", retries=20)
    known.learn(registered.with_(last_seen_at=clock.now()))
    await user.open("/new")
    await user.should_not_see("Its own worker")
