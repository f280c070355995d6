"""Telegram: with and without a staging chat."""

from tests.platforms.case import Case

from video_manager.fakes import telegram

CASES: dict[str, Case] = {
    "telegram": Case(
        "telegram", telegram.TelegramFake, calls=1, options={"chat": "@demo_channel"},
        secrets={"bot_token": telegram.BOT_TOKEN},
        facts={"chat_id": telegram.CHANNEL["id"], "username": telegram.CHANNEL["username"]},
        patterns=("sendVideo",),
    ),
    "telegram, staged": Case(
        "telegram", telegram.TelegramFake, calls=2,
        options={"chat": "@demo_channel", "staging_chat": str(telegram.STAGING["id"])},
        secrets={"bot_token": telegram.BOT_TOKEN},
        facts={"chat_id": telegram.CHANNEL["id"], "username": telegram.CHANNEL["username"]},
    ),
}  # fmt: skip
