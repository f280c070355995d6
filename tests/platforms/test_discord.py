"""Discord: what its errors ask for, how a lost message is found, and what people may choose."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.platforms.alone import SHORT, Alone, alone
from tests.platforms.posts import PUBLICATION

from video_manager.errors import ActionRequiredError, LimitReached, PermanentError, RetryableError, WorkError
from video_manager.fakes import discord
from video_manager.fakes.network import Fault
from video_manager.plugins.api import Answer
from video_manager.plugins.publishers.discord import (
    DiscordOptions,
    DiscordPublisher,
    DiscordWebhookOptions,
    DiscordWebhookPublisher,
    nonce_of,
)

CREATE = "POST .*/messages$"


def the_bot(root: Path) -> Any:
    options = {"bot_token": discord.BOT_TOKEN, "channel_id": discord.CHANNEL}
    account = {"id": discord.CHANNEL, "bot_id": discord.BOT["id"], "guild_id": discord.GUILD}
    return alone(discord.DiscordFake, root, DiscordPublisher(), options, account=account, facts=SHORT)


def the_webhook(root: Path) -> Any:
    account = {"id": discord.WEBHOOK, "guild_id": discord.GUILD, "channel_id": discord.CHANNEL}
    options = {"webhook_url": discord.WEBHOOK_URL}
    return alone(discord.DiscordFake, root, DiscordWebhookPublisher(), options, account=account, facts=SHORT)


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[Alone]:
    async with the_bot(tmp_path) as it:
        yield it


@pytest.fixture
async def webhook(tmp_path: Path) -> AsyncIterator[Alone]:
    async with the_webhook(tmp_path) as it:
        yield it


@pytest.fixture(params=[the_bot, the_webhook])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Alone]:
    async with request.param(tmp_path) as it:
        yield it


def fake_of(it: Alone) -> discord.DiscordFake:
    return it.fake_of(discord.DiscordFake)


# ---- posting ------------------------------------------------------------------------------------------------


async def test_the_message_carries_the_text_and_the_approved_bytes(either: Alone) -> None:
    either.facts["title"] = "Hallo @everyone"
    published = await either.publish(await either.upload())
    (post,) = fake_of(either).public_posts()
    assert (post.text, post.sha256) == ("Hallo @everyone\n\nAm Meer.", either.post().video_sha256)
    assert not post.extra["pings"]
    assert published.external_id == f"{discord.CHANNEL}/{post.id}"
    assert published.url == f"https://discord.com/channels/{discord.GUILD}/{discord.CHANNEL}/{post.id}"


async def test_what_the_person_chose(bot: Alone) -> None:
    bot.facts |= {"extra": {"silent": True, "spoiler": True, "mentions": "everyone"}, "title": "Hallo @everyone"}
    await bot.publish(await bot.upload())
    (post,) = fake_of(bot).public_posts()
    assert post.extra["pings"]
    assert post.extra["flags"] == 1 << 12
    assert post.extra["files"][0]["filename"] == f"SPOILER_video-{PUBLICATION}.mp4"


async def test_a_message_that_is_sent_twice_is_made_once(bot: Alone) -> None:
    handle = await bot.upload()
    assert len(nonce_of(bot.post())) <= discord.NONCE_CHARACTERS
    assert await bot.publish(handle) == await bot.publish(handle)
    assert len(fake_of(bot).posts) == 1
    bot.network.skew_seconds = discord.NONCE_SECONDS + 1  # Discord forgets the number after some minutes
    await bot.publish(handle)
    assert len(fake_of(bot).posts) == 2


async def test_a_message_can_be_deleted_and_deleting_it_again_is_no_fault(either: Alone) -> None:
    published = await either.publish(await either.upload())
    for _ in range(2):
        await either.publisher.delete(published.external_id, either.options, either.context())
        assert not fake_of(either).posts


async def test_deleting_in_a_channel_that_is_gone_says_so(bot: Alone) -> None:
    with pytest.raises(ActionRequiredError, match="does not exist any more"):
        await bot.publisher.delete("200000000000000000/1", bot.options, bot.context())


# ---- asking -------------------------------------------------------------------------------------------------


async def test_a_lost_message_is_found_by_its_file_name_among_others(bot: Alone) -> None:
    handle = await bot.upload()
    published = await bot.publish(handle)
    fake = fake_of(bot)
    theirs = {**fake.messages[0], "author": {"id": "100000000000000077"}}
    fake.messages += [{**theirs, "id": str(int(theirs["id"]) + place)} for place in range(1, 150)]
    asked = await bot.ask(handle)
    assert (asked.answer, asked.published) == (Answer.PUBLISHED, published)


async def test_a_message_on_a_later_page_is_found(bot: Alone) -> None:
    handle = await bot.upload()
    published = await bot.publish(handle)
    fake = fake_of(bot)
    mine = fake.messages[0]
    fake.messages = [
        {**mine, "id": str(int(mine["id"]) - place), "author": {"id": "1"}} for place in range(250, 0, -1)
    ] + [mine]  # fmt: skip
    assert (await bot.ask(handle)).published == published
    lists = [call for call in bot.network.calls if call.text.startswith("GET") and call.path.endswith("/messages")]
    assert len(lists) == 3


async def test_where_nothing_was_made_it_is_absent(bot: Alone) -> None:
    assert (await bot.ask(await bot.upload())).answer is Answer.ABSENT


async def test_a_channel_that_shows_nothing_says_nothing(bot: Alone) -> None:
    handle = await bot.upload()
    await bot.publish(handle)
    fake_of(bot).rights &= ~discord.READ_HISTORY
    asked = await bot.ask(handle)
    assert (asked.answer, "Read Message History" in asked.detail) == (Answer.UNKNOWN, True)


async def test_too_many_messages_leave_it_open(bot: Alone) -> None:
    handle = await bot.upload()
    fake_of(bot).messages = [{"id": str(place), "author": {"id": "1"}} for place in range(1, 2101)]
    assert (await bot.ask(handle)).answer is Answer.UNKNOWN


async def test_a_webhook_cannot_be_asked(webhook: Alone) -> None:
    assert not webhook.publisher.remembers
    assert (await webhook.ask(await webhook.upload())).answer is Answer.UNKNOWN


# ---- connecting ---------------------------------------------------------------------------------------------


async def test_the_connected_channel_is_named(bot: Alone) -> None:
    account = await bot.publisher.connect(bot.options, bot.context())
    assert (account.name, account.id) == ("#videos (Demo server)", discord.CHANNEL)
    assert account.facts == {"bot_id": discord.BOT["id"], "bot": "demo-bot", "guild_id": discord.GUILD}


@pytest.mark.parametrize(
    ("right", "name"),
    [
        (discord.SEND, "Send Messages"),
        (discord.ATTACH, "Attach Files"),
        (discord.READ_HISTORY, "Read Message History"),
    ],
)
async def test_a_missing_right_is_named_also_when_the_channel_takes_it(bot: Alone, right: int, name: str) -> None:
    fake_of(bot).overwrites = [{"id": discord.GUILD, "type": 0, "allow": "0", "deny": str(right)}]
    with pytest.raises(ActionRequiredError, match=name):
        await bot.publisher.connect(bot.options, bot.context())
    fake_of(bot).overwrites.append({"id": discord.BOT["id"], "type": 1, "allow": str(right), "deny": "0"})
    await bot.publisher.connect(bot.options, bot.context())


async def test_only_text_channels_can_be_connected(bot: Alone) -> None:
    fake_of(bot).channel_type = 15
    with pytest.raises(ActionRequiredError, match="no text channel"):
        await bot.publisher.connect(bot.options, bot.context())


async def test_a_wrong_token_and_a_channel_that_cannot_be_seen(bot: Alone) -> None:
    fake_of(bot).rights = 0
    with pytest.raises(ActionRequiredError, match="cannot see the channel"):
        await bot.publisher.connect(bot.options, bot.context())
    bot.options = DiscordOptions(bot_token="another.token", channel_id=discord.CHANNEL)
    with pytest.raises(ActionRequiredError, match="enter the bot's token"):
        await bot.publisher.connect(bot.options, bot.context())


async def test_a_webhook_is_connected_and_one_that_was_deleted_is_not(webhook: Alone) -> None:
    account = await webhook.publisher.connect(webhook.options, webhook.context())
    assert (account.name, account.facts["channel_id"]) == ("Demo webhook", discord.CHANNEL)
    fake_of(webhook).webhook_exists = False
    with pytest.raises(ActionRequiredError, match="make a new one"):
        await webhook.publisher.connect(webhook.options, webhook.context())


@pytest.mark.parametrize(
    "url",
    [
        "http://discord.com/api/webhooks/1/abc",
        "https://discord.com.example.org/api/webhooks/1/abc",
        "https://discord.com/api/webhooks/1/abc/slack",
        "https://discord.com/api/webhooks/1/abc\n",
    ],
)
def test_what_is_no_address_of_a_webhook_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        DiscordWebhookOptions(webhook_url=url, thread_id="", file_limit_mib=10)


async def test_a_webhook_posts_into_a_thread(webhook: Alone) -> None:
    webhook.options = DiscordWebhookOptions(
        webhook_url=discord.WEBHOOK_URL, thread_id="300000000000000000", file_limit_mib=10
    )
    await webhook.publish(await webhook.upload())
    assert webhook.network.calls[-1].query == "wait=true&thread_id=300000000000000000"


# ---- limits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        ({}, []),
        ({"video_bytes": 10 * 2**20}, []),
        ({"video_bytes": 10 * 2**20 + 1}, ["too_large"]),
        ({"title": "t" * 90, "description": "d" * 1908}, []),
        ({"title": "t" * 90, "description": "d" * 1909}, ["content_too_long"]),
    ],
)
async def test_limits(either: Alone, facts: dict[str, Any], codes: list[str]) -> None:
    either.facts |= facts
    assert await either.faults() == codes
    assert not either.network.calls


async def test_a_boosted_server_takes_more(bot: Alone) -> None:
    bot.options = DiscordOptions(bot_token=discord.BOT_TOKEN, channel_id=discord.CHANNEL, file_limit_mib=50)
    bot.facts["video_bytes"] = 50 * 2**20
    assert await bot.faults() == []


async def test_the_platform_itself_refuses_a_text_or_a_file_that_is_too_large(bot: Alone) -> None:
    handle = await bot.upload()
    bot.facts["description"] = "d" * 2001
    error, certain = await bot.refused_with(handle)
    assert (type(error), certain, "2000 or fewer" in error.detail) == (PermanentError, True, True)
    bot.facts["description"] = ""
    bot.video_bytes = 10 * 2**20 + 1
    error, certain = await bot.refused_with(handle)
    assert (type(error), certain, "lower the channel's file limit" in error.detail) == (PermanentError, True, True)
    assert not fake_of(bot).posts


# ---- errors -------------------------------------------------------------------------------------------------

ERRORS = [
    (400, 50035, PermanentError, "Invalid Form Body"), (400, 50006, PermanentError, "answered 400"),
    (400, 200000, PermanentError, "answered 400"), (413, 40005, PermanentError, "lower the channel's file limit"),
    (403, 50013, ActionRequiredError, "a right is missing"), (403, 50001, ActionRequiredError, "View Channel"),
    (404, 10003, ActionRequiredError, "does not exist any more"), (404, 10015, ActionRequiredError, "was deleted"),
    (404, 10004, ActionRequiredError, "server does not exist"), (401, 50027, ActionRequiredError, "copy it again"),
    (401, 40001, ActionRequiredError, "token is wrong"), (401, 0, ActionRequiredError, "enter the bot's token"),
    (400, 50024, ActionRequiredError, "choose a text channel"), (400, 50083, ActionRequiredError, "archived"),
    (403, 160005, ActionRequiredError, "locked"), (403, 0, ActionRequiredError, "look whether the channel"),
    (429, 20028, LimitReached, "answered 429"), (400, 20016, LimitReached, "answered 400"),
    (418, 99999, PermanentError, "99999"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "code", "kind", "text"), ERRORS)
async def test_an_error_leads_to_what_it_asks_for(
    either: Alone, status: int, code: int, kind: type[WorkError], text: str
) -> None:  # fmt: skip
    message = "Invalid Form Body" if code == 50035 else "something"
    answer = Fault("answer", "POST ", status=status, body={"message": message, "code": code})
    error, certain = await either.refused_with(await either.upload(), answer)
    assert (type(error), certain) == (kind, True), error.detail
    assert text in error.detail


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"message": "slow down", "retry_after": 64.57, "global": False}, {"X-RateLimit-Reset-After": "1"}, 64.57),
        ({"message": "slow down"}, {"X-RateLimit-Reset-After": "12.5"}, 12.5),
        ({}, {"Retry-After": "120"}, 120.0),
        ({}, {}, 60.0),
    ],
)
async def test_a_rate_limit_is_waited_for_as_long_as_discord_says(
    bot: Alone, body: Any, headers: dict[str, str], seconds: float
) -> None:
    answer = Fault("answer", "POST ", status=429, body=body, headers=headers)
    error, certain = await bot.refused_with(await bot.upload(), answer)
    assert isinstance(error, LimitReached)
    assert (error.retry_after_seconds, certain) == (seconds, True)


async def test_the_rate_limit_of_a_channel(webhook: Alone) -> None:
    handle = await webhook.upload()
    for _ in range(discord.PER_WINDOW):
        await webhook.publish(handle)
    error, certain = await webhook.refused_with(handle)
    assert isinstance(error, LimitReached)
    assert certain
    assert 0 < (error.retry_after_seconds or 0) <= discord.WINDOW_SECONDS


@pytest.mark.parametrize(("status", "body"), [(500, {}), (502, {"message": "bad gateway", "code": 0})])
async def test_a_fault_of_the_platform_leaves_it_open(bot: Alone, status: int, body: Any) -> None:
    error, certain = await bot.refused_with(
        await bot.upload(), Fault("answer", CREATE, status=status, body=body)
    )  # fmt: skip
    assert (type(error), certain) == (RetryableError, False)


@pytest.mark.parametrize("body", [{}, [], {"id": "1"}])
async def test_an_answer_without_the_message_leaves_it_open(bot: Alone, body: Any) -> None:
    error, certain = await bot.refused_with(await bot.upload(), Fault("answer", CREATE, status=200, body=body))
    assert (type(error), certain) == (RetryableError, False)


# ---- secrets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
async def test_no_error_and_no_log_line_holds_a_secret(
    either: Alone, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when an answer repeats the address or the token."""
    caplog.set_level(logging.DEBUG, "video_manager")
    body = {"message": f"no {discord.WEBHOOK_TOKEN} {discord.BOT_TOKEN}", "code": 0}
    error, _ = await either.refused_with(await either.upload(), Fault("answer", "POST ", status=status, body=body))
    secret = discord.BOT_TOKEN if either.publisher.name == "discord" else discord.WEBHOOK_TOKEN
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("video_manager")]
    assert "(hidden)" in error.detail
    for text in (error.detail, *ours):
        assert secret not in text
