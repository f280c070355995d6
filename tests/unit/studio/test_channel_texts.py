"""A channel's wording in the studio: written once, refused where it is wrong."""

from nicegui import ElementFilter, ui
from nicegui.testing import User
from tests.unit.studio.conftest import Studio

from video_manager.domain.model import derived_id

SITE = derived_id("channel", "site")


async def opened(studio: Studio) -> User:
    """The dialog of the watch page's wording."""
    await studio.system.publishing.service.channels.delete(studio.admin, derived_id("channel", "folder"), 0)
    user = await studio.visitor()
    await user.open("/channels")
    user.find(kind=ui.button, content="Posts").click()
    await user.should_see("Posts of Watch page")
    return user


def field(user: User, label: str) -> ui.input | ui.textarea:
    with user:
        fields = [one for one in ElementFilter() if isinstance(one, ui.input | ui.textarea)]
    return next(one for one in fields if one.props.get("aria-label") == label)


async def test_a_template_is_kept(studio: Studio) -> None:
    user = await opened(studio)
    field(user, "Title").value = "{{ title }} | Watch"
    user.find("Save").click()
    await user.should_see("Saved.")
    saved = (await studio.system.publishing.service.channels.get(studio.admin, SITE)).value
    assert saved.texts.title == "{{ title }} | Watch"


async def test_a_wrong_template_is_refused_at_its_field(studio: Studio) -> None:
    user = await opened(studio)
    field(user, "Description").value = "{{ titel }}"
    user.find("Save").click()
    await user.should_see("'titel' is undefined")
    saved = (await studio.system.publishing.service.channels.get(studio.admin, SITE)).value
    assert saved.texts.description == ""
