"""Every page opens, says what to do when it is empty, and its buttons lose their power with the person's rights."""

import asyncio
import gc
import time
from datetime import UTC, datetime

import pytest
from nicegui import ElementFilter, ui
from tests.unit.studio.conftest import Studio

from video_manager.contracts.envelope import Envelope
from video_manager.domain import publication
from video_manager.domain.access import SYSTEM, Role
from video_manager.domain.model import derived_id
from video_manager.domain.publication import Approved, PublicationState
from video_manager.domain.video import MediaFile, MediaRole, Metadata, VideoState
from video_manager.studio.keyed import KeyedParts, Part
from video_manager.studio.live import Hints, gather

PAGES = {
    "/": "No videos yet",
    "/new": "What makes the video?",
    "/review": "Nothing waits for review",
    "/library": "No videos yet",
    "/calendar": "Nothing goes out in this time.",
    "/channels": "Watch page",
    "/analytics": "Nothing was published in this time",
    "/admin": "Everybody signs in with an account of their own.",
    "/admin?tab=keys": "No keys yet",
    "/admin?tab=notifications": "Nobody is told by mail or chat",
    "/admin?tab=webhooks": "No webhooks yet",
    "/admin?tab=dead-letters": "Every message found somebody",
    "/admin?tab=audit": "Who changed access",
    "/admin?tab=system": "VIDEO_MANAGER_DATA_DIR",
    "/profile": "Change the password",
    "/videos/nothing": "This cannot be shown",
    "/review/nothing": "This cannot be shown",
}


async def test_every_page_says_something_useful_when_it_is_empty(studio: Studio) -> None:
    user = await studio.visitor()
    for path, words in PAGES.items():
        await user.open(path)
        await user.should_see(words)


async def test_nobody_sees_a_page_without_signing_in(studio: Studio) -> None:
    user = await studio.visitor()
    user.http_client.cookies.clear()
    for path in PAGES:
        answer = await user.http_client.get(path, headers={"Accept": "text/html"})
        assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login"), path


async def test_secrets_are_not_shown_among_the_settings(studio: Studio) -> None:
    user = await studio.visitor()
    await user.open("/admin?tab=system")
    await user.should_see("VIDEO_MANAGER_SESSION_SECRET")
    await user.should_not_see("**********")


async def test_a_viewer_is_offered_nothing_that_changes(studio: Studio) -> None:
    await studio.add_person("vera", Role.VIEWER)
    video = await studio.request("Lighthouse")
    user = await studio.visitor("vera")
    await user.open("/")
    await user.should_see("Lighthouse")
    await user.should_not_see("New video")
    await user.open("/new")
    await user.should_see("has no right to request videos")
    await user.open("/admin")
    await user.should_see("has no right to administer")
    await user.open(f"/review/{video.id}")
    await user.should_see("Your role may look, but not decide.")


def _button(label: str) -> ui.element:
    """The icon button, or the calendar's entry, with this label."""
    return next(one for one in ElementFilter() if one.props.get("aria-label") == label)


async def _press(user: object, label: str) -> None:
    with user:  # type: ignore[attr-defined]  # a User is the context of its client
        button = _button(label)
    for listener in list(button._event_listeners.values()):
        if listener.type == "click":
            button._handle_event({"listener_id": listener.id, "args": {}})


@pytest.mark.parametrize("loss", ["signed out", "lowered role"])
async def test_an_open_page_loses_its_power_with_the_persons_rights(
    studio: Studio, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await studio.add_person("petra", Role.PRODUCER)
    video = await studio.request("Lighthouse")
    user = await studio.visitor("petra")
    await user.open("/")
    await user.should_see("Lighthouse")
    if loss == "signed out":
        answer = await user.http_client.post("/logout", headers={"Origin": studio.system.settings.base_url})
        assert answer.status_code == 303
    else:
        await studio.system.access.users.change(SYSTEM, person, role=Role.VIEWER)
    left: list[str] = []
    monkeypatch.setattr(user.navigate, "to", left.append)
    await _press(user, "Cancel")
    for _ in range(50):
        if left:
            break
        await asyncio.sleep(0.05)
    assert left == ["/login?next=/"]
    assert (await studio.system.videos.get(studio.admin, video.id)).state is VideoState.REQUESTED


async def test_cancelling_and_retrying_from_the_board(studio: Studio) -> None:
    video = await studio.request("Lighthouse")
    user = await studio.visitor()
    await user.open("/")
    await _press(user, "Cancel")
    await user.should_see("Cancelled")
    assert (await studio.system.videos.get(studio.admin, video.id)).state is VideoState.CANCELLED
    await _press(user, "Retry")
    await user.should_see("Queued")
    assert (await studio.system.videos.get(studio.admin, video.id)).state is VideoState.REQUESTED


async def test_deleting_can_be_undone_for_some_seconds(studio: Studio) -> None:
    video = await studio.request("Lighthouse")
    user = await studio.visitor()
    await user.open("/")
    await _press(user, "Delete")
    await user.should_see("Delete this video?")
    user.find(kind=ui.button, content="Delete").click()
    await user.should_see("is being deleted")
    user.find("Undo").click()
    await user.should_not_see("is being deleted")
    assert (await studio.system.videos.get(studio.admin, video.id)).state is VideoState.REQUESTED


async def test_a_title_is_only_text(studio: Studio) -> None:
    """What a person called a video is never HTML on anybody's page."""
    title = "<img src=x onerror=alert(1)>"
    video = await studio.request(title)
    user = await studio.visitor()
    for path in ("/", "/library", f"/videos/{video.id}", f"/review/{video.id}"):
        await user.open(path)
        await user.should_see(title)
        page = await user.http_client.get(path)
        assert "<img src=x" not in page.text


def _approved(title: str) -> Approved:
    master = MediaFile(
        id="m", role=MediaRole.MASTER, name="m.mp4", content_type="video/mp4", size_bytes=3, sha256="a" * 64
    )
    return Approved(
        video_id="v", version=1, channel_id=derived_id("channel", "folder"), platform="folder",
        metadata=Metadata(title=title), master=master, approved_by="Rita",
    )  # fmt: skip


async def test_what_is_open_stays_open_when_the_calendar_changes(studio: Studio) -> None:
    publishing, now = studio.system.publishing, datetime.now(UTC)
    for id in ("near", "far"):
        planned = publication.create(id, "a", _approved(id), now, publish_at=now)
        await publishing.repositories[0].add(planned)
    user = await studio.visitor()
    await user.open("/calendar")
    await _press(user, f"{now:%H:%M} near, scheduled")
    await user.should_see("Open the video")
    await publishing.service.cancel(studio.admin, "far")
    told = {"id": "1", "source": "test", "time": now, "correlation_id": "v", "data": {"publication_id": "far"}}
    await studio.system.adapters.bus.hint(Envelope(type="publication.cancelled", subject="far", **told))
    await user.should_not_see("far", retries=50)
    gc.collect()  # NiceGUI removes what belonged to elements that are gone
    await user.should_see("Open the video")
    await _press(user, "Move")
    await user.should_see("When should it go out?")


async def test_go_on_takes_up_what_waited_for_the_channel_to_be_repaired(studio: Studio) -> None:
    publishing = studio.system.publishing
    folder = derived_id("channel", "folder")
    now = datetime.now(UTC)
    claimed = publication.claim(publication.create("p", "a", _approved("Lighthouse"), now), "w", now)
    await publishing.repositories[0].add(publication.require_action(claimed, 1, "the disk is full", now))
    await publishing.service.channels.pause_for(folder, "the disk is full")
    user = await studio.visitor()
    await user.open("/channels")
    user.find("Go on").click()
    await user.should_see("It goes on.")
    assert (await publishing.service.get(studio.admin, "p")).value.state is PublicationState.SCHEDULED


async def test_a_live_change_draws_anew_only_the_card_that_it_changed(studio: Studio) -> None:
    """What somebody has just pressed, or holds open, in another card must stay."""
    first, second = [(await studio.request(title)).id for title in ("Lighthouse", "Harbour")]
    user = await studio.visitor()
    await user.open("/")

    def card(video_id: str) -> int:
        with user:
            return next(one.id for one in ElementFilter() if one.props.get("href") == f"/videos/{video_id}")

    before = card(first), card(second)
    await studio.system.videos.cancel(studio.admin, second)
    now = datetime.now(UTC)
    told = {"id": "1", "source": "test", "time": now, "correlation_id": second, "data": {"video_id": second}}
    await studio.system.adapters.bus.hint(Envelope(type="version.cancelled", subject=second, **told))
    await user.should_see("Cancelled", retries=50)
    assert card(first) == before[0]
    assert card(second) != before[1]


async def test_keyed_parts_keep_what_is_equal_and_take_the_given_order(studio: Studio) -> None:
    user = await studio.visitor()
    await user.open("/")
    with user:
        place = ui.element()
        with place:
            ui.label("head")
        parts = KeyedParts(place)

        def show(*shown: str) -> dict[str, int]:
            parts.show([Part(one[0], one, lambda one=one: ui.label(one)) for one in shown])
            labels = [child for child in place if isinstance(child, ui.label)]
            assert [label.text for label in labels] == ["head", *shown]
            return {label.text: label.id for label in labels}

        first = show("a1", "b1", "c1")
        second = show("c1", "d1", "a1")
        assert [second[one] for one in ("head", "a1", "c1")] == [first[one] for one in ("head", "a1", "c1")]
        third = show("c2", "d1")
        assert (third["d1"], third["c2"] != second["c1"]) == (second["d1"], True)
        assert show() == {"head": first["head"]}
        assert show("a1")["a1"] != first["a1"], "it was taken away meanwhile"


async def test_a_page_that_is_closed_while_a_change_is_drawn_says_nothing(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    user = await studio.visitor()
    await user.open("/")
    hints, drawn = Hints(), asyncio.Event()

    async def draw(_ids: set[str]) -> None:
        client.delete()
        drawn.set()
        raise IndexError("what it draws on is gone")

    client = user.client
    assert client is not None
    with client:
        gather(hints, 0.01, draw, time.monotonic())
    hints.emit("a video")
    await asyncio.wait_for(drawn.wait(), 5)
    await asyncio.sleep(0.05)
    assert "what it draws on" not in caplog.text
