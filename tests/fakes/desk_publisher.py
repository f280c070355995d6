"""A publisher of a platform that people sign in to, as a plugin of one file: what the tests of connecting need."""

from typing import Any, ClassVar

from pydantic import Field

from video_manager.plugins.api import (
    Account,
    Answer,
    Asked,
    Handle,
    OAuth,
    Options,
    Post,
    Published,
    Publisher,
    PublisherContext,
)
from video_manager.plugins.platform_http import Api

HOST = "https://desk.invalid"


class DeskOptions(Options):
    """The platform's options."""

    section: str = Field("news", max_length=20, description="Where on the platform.")


class DeskPublisher(Publisher[DeskOptions]):
    name: ClassVar[str] = "deskgram"
    title: ClassVar[str] = "Deskgram"
    description: ClassVar[str] = "A platform for tests."
    Options: ClassVar[type[DeskOptions]] = DeskOptions
    guide: ClassVar[str] = "Register an app at desk.invalid."
    oauth: ClassVar[OAuth | None] = OAuth(
        authorize_url=f"{HOST}/authorize", token_url=f"{HOST}/token", scopes=("post", "read"), needed=("post",),
        authorize_parameters={"prompt": "consent"},
    )  # fmt: skip

    async def connect(self, options: DeskOptions, context: PublisherContext) -> Account:
        """The account that was chosen, else the first."""
        found = await self.accounts(options, context)
        return next((one for one in found if one.id == context.account.get("id")), found[0])

    async def accounts(self, options: DeskOptions, context: PublisherContext) -> tuple[Account, ...]:
        answer = await Api(context, self.title).json("GET", f"{HOST}/accounts")
        return tuple(
            Account(name=one["name"], url=f"{HOST}/@{one['id']}", id=one["id"], facts={"section": options.section})
            for one in answer["accounts"]
        )

    async def upload(self, post: Post, options: DeskOptions, context: PublisherContext) -> Handle:
        handle = {"key": post.publication_id}
        await context.save_handle(handle)
        await Api(context, self.title).call("POST", f"{HOST}/drafts/{post.publication_id}")
        return handle

    async def publish(self, post: Post, handle: Handle, options: DeskOptions, context: PublisherContext) -> Published:
        answer = await Api(context, self.title).json(
            "POST", f"{HOST}/posts/{handle['key']}", json={"text": post.title}, publishes=True
        )
        return Published(answer["id"], f"{HOST}/posts/{answer['id']}")

    async def ask(self, post: Post, handle: Handle, options: DeskOptions, context: PublisherContext) -> Asked:
        answer: Any = await Api(context, self.title).call("GET", f"{HOST}/posts/{handle['key']}", ok={200, 404})
        if answer.status_code == 404:
            return Asked(Answer.ABSENT)
        return Asked(Answer.PUBLISHED, Published(answer.json()["id"], None))

    async def delete(self, external_id: str, options: DeskOptions, context: PublisherContext) -> None:
        await Api(context, self.title).call("DELETE", f"{HOST}/posts/{external_id}")
