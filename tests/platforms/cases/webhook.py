"""A receiver of one's own that can be asked."""

from tests.platforms.case import Case

from video_manager.fakes import webhook

CASES: dict[str, Case] = {
    "webhook": Case(
        "webhook", webhook.WebhookFake, calls=5, options={"url": webhook.URL},
        secrets={"signing_secret": webhook.SECRET}, patterns=("POST receiver", "POST .*"),
    ),
}  # fmt: skip
