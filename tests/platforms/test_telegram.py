"""Telegram: staging, what its errors ask for, and a token that nothing may show."""

import io
import logging
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from tests.platforms.alone import SHORT, Alone, alone

from video_manager import telemetry
from video_manager.errors import ActionRequiredError, LimitReached, PermanentError, RetryableError, WorkError
from video_manager.fakes import telegram
from video_manager.fakes.network import Fault
from video_manager.plugins.api import Answer
from video_manager.plugins.publishers.telegram import TelegramOptions, TelegramPublisher, caption_of
from video_manager.settings import Settings

CHANNEL = str(telegram.CHANNEL["id"])
SEND = "POST .*/sendVideo$"


async def of_channel(root: Path, **options: str) -> AsyncIterator[Alone]:
    chosen = {"bot_token": telegram.BOT_TOKEN, "chat": "@demo_channel", **options}
    account = {"chat_id": telegram.CHANNEL["id"], "username": telegram.CHANNEL["username"]}
    async with alone(telegram.TelegramFake, root, TelegramPublisher(), chosen, account=account, facts=SHORT) as it:
        yield it


@pytest.fixture
async def direct(tmp_path: Path) -> AsyncIterator[Alone]:
    async for it in of_channel(tmp_path):
        yield it


@pytest.fixture
async def staged(tmp_path: Path) -> AsyncIterator[Alone]:
    async for it in of_channel(tmp_path, staging_chat=str(telegram.STAGING["id"])):
        yield it


def fake_of(it: Alone) -> telegram.TelegramFake:
    return it.fake_of(telegram.TelegramFake)


# ---- posting ------------------------------------------------------------------------------------------------


async def test_without_a_staging_chat_the_bytes_go_with_the_publishing_call(direct: Alone) -> None:
    handle = await direct.upload()
    assert not direct.network.calls
    published = await direct.publish(handle)
    (post,) = fake_of(direct).public_posts()
    assert (post.text, post.sha256) == ("Ein Tag\n\nAm Meer.\n\n#meer", direct.post().video_sha256)
    assert published.external_id == post.id
    assert published.url == f"https://t.me/demo_channel/{post.id.partition('/')[2]}"


async def test_a_private_channel_has_addresses_for_its_members(direct: Alone) -> None:
    chat = {"id": -1005550001, "type": "channel"}
    made = {"ok": True, "result": {"message_id": 9, "chat": chat, "video": {"file_id": "f"}}}
    direct.network.faults.append(Fault("answer", SEND, status=200, body=made))
    direct.account = {"chat_id": chat["id"]}
    assert (await direct.publish(await direct.upload())).url == "https://t.me/c/5550001/9"


async def test_with_a_staging_chat_nothing_is_public_before_the_short_call(staged: Alone) -> None:
    handle = await staged.upload()
    assert not fake_of(staged).public_posts()
    assert staged.handles == [handle]
    await staged.publish(handle)
    (post,) = fake_of(staged).public_posts()
    assert post.sha256 == staged.post().video_sha256
    assert len(fake_of(staged).files) == 1  # the second call named the file, and brought none


async def test_what_is_staged_is_not_sent_again(staged: Alone) -> None:
    handle = await staged.upload()
    assert await staged.upload(earlier=handle) == handle
    assert len(staged.network.calls) == 1


async def test_what_another_bot_staged_is_of_no_use(staged: Alone) -> None:
    handle = await staged.upload(earlier={"bot": "999", "file_id": "of-another-bot"})
    assert handle["file_id"] in fake_of(staged).files


async def test_a_staged_video_that_became_an_animation_is_sent_with_the_publishing_call(staged: Alone) -> None:
    made = {"ok": True, "result": {"message_id": 1, "chat": telegram.STAGING, "animation": {"file_id": "a"}}}
    staged.network.faults.append(Fault("answer", SEND, status=200, body=made))
    handle = await staged.upload()
    assert handle["file_id"] is None
    await staged.publish(handle)
    (post,) = fake_of(staged).public_posts()
    assert post.sha256 == staged.post().video_sha256


async def test_it_cannot_be_asked(direct: Alone) -> None:
    assert not direct.publisher.remembers
    assert (await direct.ask(await direct.upload())).answer is Answer.UNKNOWN


async def test_a_post_can_be_deleted_and_deleting_it_again_is_no_fault(direct: Alone) -> None:
    published = await direct.publish(await direct.upload())
    for _ in range(2):
        await direct.publisher.delete(published.external_id, direct.options, direct.context())
        assert not fake_of(direct).posts


async def test_a_post_that_may_not_be_deleted_is_said(direct: Alone) -> None:
    published = await direct.publish(await direct.upload())
    body = {"ok": False, "error_code": 400, "description": "Bad Request: message can't be deleted"}
    direct.network.faults.append(Fault("answer", "deleteMessage", status=400, body=body))
    with pytest.raises(PermanentError, match="can't be deleted"):
        await direct.publisher.delete(published.external_id, direct.options, direct.context())


# ---- connecting ---------------------------------------------------------------------------------------------


async def test_the_connected_channel_is_named(direct: Alone) -> None:
    account = await direct.publisher.connect(direct.options, direct.context())
    assert (account.name, account.id, account.url) == ("Demo channel", CHANNEL, "https://t.me/demo_channel")
    assert account.facts["bot"] == "demo_bot"


@pytest.mark.parametrize(
    "rights",
    [
        {"status": "administrator", "can_post_messages": False},
        {"status": "member"},
        {"status": "left"},
        {"status": "kicked", "can_post_messages": True},
    ],
)
async def test_a_bot_without_the_right_to_post_is_not_connected(direct: Alone, rights: dict[str, Any]) -> None:
    fake_of(direct).rights = rights
    with pytest.raises(ActionRequiredError, match="demo_bot may not post to @demo_channel"):
        await direct.publisher.connect(direct.options, direct.context())


async def test_an_unknown_channel_and_a_wrong_token(direct: Alone) -> None:
    direct.options = TelegramOptions(bot_token=telegram.BOT_TOKEN, chat="@nowhere", staging_chat="")
    with pytest.raises(ActionRequiredError, match="chat not found"):
        await direct.publisher.connect(direct.options, direct.context())
    direct.options = TelegramOptions(bot_token="654321:another", chat="@demo_channel", staging_chat="")
    with pytest.raises(ActionRequiredError, match="token is wrong"):
        await direct.publisher.connect(direct.options, direct.context())


@pytest.mark.parametrize("token", ["123456:with space", "123456:new\nline", "no-number:abcdef", "123456:a/../b"])
def test_what_is_no_token_is_refused_before_it_gets_into_an_address(token: str) -> None:
    with pytest.raises(ValidationError):
        TelegramOptions(bot_token=token, chat="@demo_channel", staging_chat="")


# ---- limits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        ({"video_bytes": 50 * 10**6}, []),
        ({"video_bytes": 50 * 10**6 + 1}, ["too_large"]),
        ({"title": "t", "tags": (), "description": "d" * 1021}, []),
        ({"title": "t", "tags": (), "description": "d" * 1022}, ["caption_too_long"]),
    ],
)
async def test_limits(direct: Alone, facts: dict[str, Any], codes: list[str]) -> None:
    direct.facts |= facts
    assert await direct.faults() == codes
    assert not direct.network.calls


async def test_a_server_of_ones_own_takes_larger_files(direct: Alone) -> None:
    direct.options = TelegramOptions(
        bot_token=telegram.BOT_TOKEN, chat="@demo_channel", staging_chat="", server="http://127.0.0.1:8081"
    )
    direct.facts["video_bytes"] = 2000 * 10**6
    assert await direct.faults() == []
    direct.facts["video_bytes"] += 1
    assert await direct.faults() == ["too_large"]


async def test_tags_become_hashtags_of_letters_digits_and_underscores(direct: Alone) -> None:
    direct.facts |= {"tags": ("Süd-See", "am_meer 2"), "description": ""}
    assert caption_of(direct.post()) == "Ein Tag\n\n#SüdSee #am_meer2"


# ---- errors -------------------------------------------------------------------------------------------------

ERRORS = [
    (400, "Bad Request: message caption is too long", PermanentError, "caption is too long"),
    (400, "Bad Request: wrong file identifier/HTTP URL specified", PermanentError, "wrong file identifier"),
    (400, "Bad Request: not enough rights to send videos to the chat", ActionRequiredError, "administrator"),
    (400, "Bad Request: need administrator rights in the channel chat", ActionRequiredError, "administrator"),
    (400, "Bad Request: CHAT_WRITE_FORBIDDEN", ActionRequiredError, "administrator"),
    (400, "Bad Request: chat not found", ActionRequiredError, "administrator"),
    (401, "Unauthorized", ActionRequiredError, "token is wrong or was revoked"),
    (403, "Forbidden: bot was kicked from the channel chat", ActionRequiredError, "administrator"),
    (404, "Not Found", ActionRequiredError, "token is wrong or was revoked"),
    (413, "Request Entity Too Large", PermanentError, "Too Large"),
    (418, "never seen before", PermanentError, "never seen before"),
]


@pytest.mark.parametrize(("status", "description", "kind", "text"), ERRORS)
async def test_an_error_leads_to_what_it_asks_for(
    direct: Alone, status: int, description: str, kind: type[WorkError], text: str
) -> None:
    body = {"ok": False, "error_code": status, "description": description}
    error, certain = await direct.refused_with(await direct.upload(), Fault("answer", SEND, status=status, body=body))
    assert (type(error), certain) == (kind, True), error.detail
    assert text in error.detail


async def test_a_group_that_got_a_new_id_names_it(direct: Alone) -> None:
    body = {"ok": False, "description": "group was upgraded", "parameters": {"migrate_to_chat_id": -100777}}
    error, _ = await direct.refused_with(await direct.upload(), Fault("answer", SEND, status=400, body=body))
    assert (type(error), "enter -100777" in error.detail) == (ActionRequiredError, True)


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"ok": False, "description": "Too Many Requests", "parameters": {"retry_after": 37}}, {}, 37.0),
        ({"ok": False, "description": "Too Many Requests"}, {"Retry-After": "12"}, 12.0),
        ({"ok": False, "description": "Too Many Requests", "parameters": None}, {}, 60.0),
    ],
)
async def test_a_rate_limit_is_waited_for(direct: Alone, body: Any, headers: dict[str, str], seconds: float) -> None:
    answer = Fault("answer", SEND, status=429, body=body, headers=headers)
    error, certain = await direct.refused_with(await direct.upload(), answer)
    assert isinstance(error, LimitReached)
    assert (error.retry_after_seconds, certain) == (seconds, True)


async def test_a_channel_takes_twenty_messages_a_minute(staged: Alone) -> None:
    handle = await staged.upload()
    for _ in range(telegram.PER_MINUTE):
        await staged.publish(handle)
    error, certain = await staged.refused_with(handle)
    assert isinstance(error, LimitReached)
    assert certain
    staged.network.skew_seconds += error.retry_after_seconds or 0
    await staged.publish(handle)


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_fault_of_the_platform_leaves_it_open(direct: Alone, status: int) -> None:
    error, certain = await direct.refused_with(await direct.upload(), Fault("answer", SEND, status=status))
    assert (type(error), certain) == (RetryableError, False)


@pytest.mark.parametrize("body", [{"ok": True}, ["not", "an", "object"]])
async def test_an_answer_without_a_result_leaves_it_open(direct: Alone, body: Any) -> None:
    error, certain = await direct.refused_with(await direct.upload(), Fault("answer", SEND, status=200, body=body))
    assert (type(error), certain) == (RetryableError, False)


# ---- the token ----------------------------------------------------------------------------------------------

SECRET = telegram.BOT_TOKEN.partition(":")[2]


@pytest.fixture(params=["DEBUG", "INFO", "WARNING", "ERROR"])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What we log at each of our levels, by the product's own settings."""
    names = ("httpx", "httpcore", "httpcore.http11", "httpcore.connection")
    levels = {name: logging.getLogger(name).level for name in names}
    stream = io.StringIO()
    telemetry.configure_logging(Settings(log_level=request.param), stream)
    logging.getLogger("video_manager.test").error("it is logged")
    yield stream
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.logs_errors("it is logged")
async def test_no_log_line_of_any_level_holds_the_token(staged: Alone, log: io.StringIO) -> None:
    await staged.publisher.connect(staged.options, staged.context())
    await staged.publish(await staged.upload())
    await staged.refused_with(staged.handles[-1], Fault("answer", SEND, status=500))
    await staged.refused_with(staged.handles[-1], Fault("before", SEND))
    assert "it is logged" in log.getvalue()
    assert SECRET not in log.getvalue()


async def test_the_libraries_would_log_the_token(direct: Alone, caplog: pytest.LogCaptureFixture) -> None:
    """Should they stop doing so, the quiet that we impose on them is not needed any more."""
    caplog.set_level(logging.INFO, "httpx")
    await direct.publisher.connect(direct.options, direct.context())
    assert SECRET in caplog.text


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 413, 429, 500])
async def test_no_error_holds_the_token_also_when_an_answer_repeats_the_address(direct: Alone, status: int) -> None:
    """As pages of proxies do: "no such page: /bot123456:..."."""
    page = f"no such page: /bot{telegram.BOT_TOKEN}/sendVideo"
    for body in (page, {"ok": False, "description": page}):
        error, _ = await direct.refused_with(
            await direct.upload(), Fault("answer", SEND, status=status, body=body)
        )  # fmt: skip
        assert SECRET not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("kind", [httpx.ConnectError, httpx.ReadError, httpx.LocalProtocolError, httpx.InvalidURL])
async def test_no_error_of_the_way_there_holds_the_token(direct: Alone, kind: type[Exception]) -> None:
    class Broken(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise kind(f"cannot send to {request.url}")

    context = direct.context()
    context.http._transport = Broken()
    with pytest.raises(RetryableError) as raised:
        await direct.publisher.connect(direct.options, context)
    assert "(hidden)" in raised.value.detail
    assert SECRET not in "".join(traceback.format_exception(raised.value))
