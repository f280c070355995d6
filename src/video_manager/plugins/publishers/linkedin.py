"""LinkedIn, as a person or as an organisation's page.

Two platforms, as LinkedIn gives the rights to two different apps: every app may post for the person who signed in,
while pages need the Community Management API, which is granted to registered organisations and tolerates no other
product beside it. Neither can ask whether a post was made, so that a lost answer stays unknown.
"""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

from dataclasses import replace
from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field

from video_manager.domain.video import Finding, Severity
from video_manager.errors import ActionRequiredError, NotPublished, RetryableError
from video_manager.plugins.api import (
    Account,
    Answer,
    Asked,
    Handle,
    OAuth,
    Options,
    PlatformLimits,
    Post,
    Published,
    Publisher,
    PublisherContext,
    Quota,
    Token,
)
from video_manager.plugins.platform_limits import beyond, fault
from video_manager.plugins.publishers.linkedin_api import (
    USER_INFO,
    Duplicate,
    LinkedIn,
    address_of,
    commentary_of,
    encoded,
)
from video_manager.plugins.publishers.linkedin_captions import MOST_BYTES as MOST_CAPTIONS_BYTES
from video_manager.plugins.publishers.linkedin_upload import VideoUpload

COMMENTARY_CHARACTERS = 3000
LEAST_BYTES, MOST_BYTES = 75_000, 500 * 10**6
LEAST_SECONDS, MOST_SECONDS = 3.0, 30 * 60.0
_AUTHORIZE, _TOKEN = "https://www.linkedin.com/oauth/v2/authorization", "https://www.linkedin.com/oauth/v2/accessToken"
_ROLES = ("ADMINISTRATOR", "CONTENT_ADMINISTRATOR")
"""Who may post for a page; LinkedIn is asked for one role at a time."""
_PAGE, _MOST_PAGES = 100, 10


class LinkedInOptions(Options):
    api_version: str = Field(
        "202608", pattern=r"^20[0-9]{2}(?:0[1-9]|1[0-2])$",
        description="Version of LinkedIn's API (YYYYMM). One lives for about a year; enter a newer one when LinkedIn "
        "says that it has ended.",
    )  # fmt: skip


class LinkedInPostOptions(Options):
    visibility: Literal["PUBLIC", "CONNECTIONS"] = Field(
        "PUBLIC", description="Who sees it: everybody, or the person's connections."
    )
    reshares: bool = Field(True, description="Others may share it.")


class LinkedInPagePostOptions(Options):
    reshares: bool = Field(True, description="Others may share it.")


class _LinkedIn(Publisher[LinkedInOptions]):
    Options = LinkedInOptions
    limits = PlatformLimits(
        min_duration_seconds=LEAST_SECONDS, max_duration_seconds=MOST_SECONDS, max_size_bytes=MOST_BYTES
    )
    remembers = False
    keeps_hours = 2.0
    """LinkedIn names no end for a video that waits to be posted; this lets the upload begin half an hour ahead."""

    async def renew(self, token: Token | None, options: LinkedInOptions, context: PublisherContext) -> Token:
        """Most apps get no refresh token: then the connection ends after 60 days, and is used until then."""
        if token is not None and token.refresh is not None:
            return await context.renewed(token)
        if token is not None and token.expires_at is not None and context.now() < token.expires_at:
            return replace(token)  # it was asked for early; a token that was revoked is refused once more
        raise ActionRequiredError(
            f"the connection to {self.title} has ended, as it does 60 days after signing in: connect the channel again"
        )

    async def check(
        self, post: Post, options: LinkedInOptions, context: PublisherContext
    ) -> tuple[Finding, ...]:  # fmt: skip
        faults = beyond(self.name, post, self.limits)
        if 0 < post.video_bytes < LEAST_BYTES:
            text = f"the video has {post.video_bytes:,} bytes; at least {LEAST_BYTES:,} are needed"
            faults += (fault(self.name, "too_small", text, measured=post.video_bytes, limit=LEAST_BYTES),)
        characters = len(commentary_of(post))
        if characters > COMMENTARY_CHARACTERS:
            text = (
                f"title, description and tags have {characters} characters as LinkedIn counts them; "
                f"{COMMENTARY_CHARACTERS} are allowed"
            )
            faults += (
                fault(self.name, "commentary_too_long", text, measured=characters, limit=COMMENTARY_CHARACTERS),
            )  # fmt: skip
        if post.captions_bytes > MOST_CAPTIONS_BYTES:
            text = f"the captions have {post.captions_bytes:,} bytes; more than {MOST_CAPTIONS_BYTES:,} are left out"
            faults += (
                fault(
                    self.name, "captions_left_out", text, measured=post.captions_bytes, limit=MOST_CAPTIONS_BYTES,
                    unit="bytes", severity=Severity.WARNING,
                ),
            )  # fmt: skip
        return faults

    async def upload(self, post: Post, options: LinkedInOptions, context: PublisherContext) -> Handle:
        linkedin = self._linkedin(options, context)
        handle = await VideoUpload(linkedin, context, _author(context), post).run()
        await linkedin.spend()  # for the publishing call
        return handle

    async def publish(
        self, post: Post, handle: Handle, options: LinkedInOptions, context: PublisherContext
    ) -> Published:
        chosen = self.PostOptions.model_validate(post.extra).model_dump()
        wanted = {
            "author": _author(context), "commentary": commentary_of(post),
            "visibility": chosen.get("visibility", "PUBLIC"),
            "distribution": {
                "feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": [],
            },
            "content": {"media": {"id": handle["video"], "title": post.title}},
            "lifecycleState": "PUBLISHED", "isReshareDisabledByAuthor": not chosen["reshares"],
        }  # fmt: skip
        try:
            answer = await self._linkedin(options, context).call("POST", "/posts", publishes=True, json=wanted)
        except NotPublished as refused:
            if isinstance(refused.cause, Duplicate):
                # This call made nothing, but one before it perhaps did: a person has to look.
                raise refused.cause from refused
            raise
        urn = answer.headers.get("x-restli-id")
        if not urn:
            raise RetryableError("LinkedIn took the post and did not say which one it is")
        return Published(urn, address_of(urn), handle.get("warning"))

    async def ask(self, post: Post, handle: Handle, options: LinkedInOptions, context: PublisherContext) -> Asked:
        return Asked(Answer.UNKNOWN, detail="LinkedIn shows no app the posts of an account: look there")

    async def delete(self, external_id: str, options: LinkedInOptions, context: PublisherContext) -> None:
        await self._linkedin(options, context).call(
            "DELETE", f"/posts/{encoded(external_id)}", headers={"X-RestLi-Method": "DELETE"},
            ok={200, 204, httpx.codes.NOT_FOUND},
        )  # fmt: skip

    def _linkedin(self, options: LinkedInOptions, context: PublisherContext) -> LinkedIn:
        return LinkedIn(context, options.api_version, self.quotas[0].name if self.quotas else None)


class LinkedInPublisher(_LinkedIn):
    name = "linkedin"
    title = "LinkedIn"
    description = "Posts as the person who signed in."
    PostOptions = LinkedInPostOptions
    oauth = OAuth(
        _AUTHORIZE, _TOKEN, scopes=("openid", "profile", "w_member_social"),
        needed=("openid", "profile", "w_member_social"), pkce=False,
    )  # fmt: skip
    quotas: ClassVar[tuple[Quota, ...]] = (Quota("calls", 150, resets_in="UTC"),)
    guide = (
        "Make an app at linkedin.com/developers (it must belong to a company page) and add the products Share on "
        "LinkedIn and Sign In with LinkedIn using OpenID Connect; no review is needed. The connection ends after 60 "
        "days: connect the channel again before."
    )

    async def connect(self, options: LinkedInOptions, context: PublisherContext) -> Account:
        person = await self._linkedin(options, context).json("GET", USER_INFO)
        return Account(name=person.get("name") or "LinkedIn member", id=f"urn:li:person:{person['sub']}")


class LinkedInPagePublisher(_LinkedIn):
    name = "linkedin-page"
    title = "LinkedIn (page)"
    description = "Posts as the page of an organisation."
    PostOptions = LinkedInPagePostOptions
    oauth = OAuth(
        _AUTHORIZE, _TOKEN, scopes=("w_organization_social", "rw_organization_admin"),
        needed=("w_organization_social", "rw_organization_admin"), pkce=False,
    )  # fmt: skip
    guide = (
        "Pages need an app of their own with the Community Management API, which LinkedIn grants to registered "
        "organisations after a review. Without it, post as a person (platform LinkedIn)."
    )

    async def accounts(self, options: LinkedInOptions, context: PublisherContext) -> tuple[Account, ...]:
        """The pages that the person may post for."""
        linkedin = self._linkedin(options, context)
        urns: dict[str, None] = {}
        for role in _ROLES:
            urns |= dict.fromkeys(await self._pages(linkedin, role))
        if not urns:
            raise ActionRequiredError("this person is no administrator of a LinkedIn page: sign in as one who is")
        return tuple([await self._account(linkedin, urn) for urn in urns])

    async def connect(self, options: LinkedInOptions, context: PublisherContext) -> Account:
        wanted = context.account.get("id")
        found = await self.accounts(options, context)
        chosen = [one for one in found if one.id == wanted] if wanted else list(found)
        if not chosen:
            raise ActionRequiredError("this person may not post for that page any more: connect the channel again")
        if len(chosen) > 1:
            raise ActionRequiredError(f"choose one of {', '.join(one.name for one in chosen)}")
        return chosen[0]

    async def _pages(self, linkedin: LinkedIn, role: str) -> list[str]:
        urns: list[str] = []
        for page in range(_MOST_PAGES):
            query = {
                "q": "roleAssignee", "role": role, "state": "APPROVED", "start": page * _PAGE, "count": _PAGE,
            }  # fmt: skip
            elements = (await linkedin.json("GET", "/organizationAcls", params=query)).get("elements", [])
            urns += [str(one.get("organization") or one.get("organizationTarget")) for one in elements]
            if len(elements) < _PAGE:
                break
        return urns

    async def _account(self, linkedin: LinkedIn, urn: str) -> Account:
        id = urn.rpartition(":")[2]
        page: dict[str, Any] = await linkedin.json("GET", f"/organizations/{id}")
        name = page.get("localizedName") or id
        return Account(name=name, url=f"https://www.linkedin.com/company/{page.get('vanityName') or id}/", id=urn)


def _author(context: PublisherContext) -> str:
    author = context.account.get("id")
    if not author:
        raise ActionRequiredError("the channel does not say whom it posts for: connect it again")
    return str(author)
