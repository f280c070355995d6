"""Discord: through a bot, which can look, and through a webhook, which cannot."""

from tests.platforms.case import Case

from video_manager.fakes import discord

CASES: dict[str, Case] = {
    "discord": Case(
        "discord", discord.DiscordFake, calls=2, options={"channel_id": discord.CHANNEL},
        secrets={"bot_token": discord.BOT_TOKEN}, account_id=discord.CHANNEL,
        facts={"bot_id": discord.BOT["id"], "guild_id": discord.GUILD}, patterns=("POST .*/messages$",),
    ),
    "discord-webhook": Case(
        "discord-webhook", discord.DiscordFake, calls=1, secrets={"webhook_url": discord.WEBHOOK_URL},
        account_id=discord.WEBHOOK, facts={"guild_id": discord.GUILD, "channel_id": discord.CHANNEL},
        patterns=("POST .*/webhooks/",),
    ),
}  # fmt: skip
