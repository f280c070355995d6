"""Videos, their versions and reviews, and what generators, steps, checks and platforms there are."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from video_manager.domain.posting import Composed
from video_manager.domain.video import MediaRole, VideoState
from video_manager.manager.requests import (
    CompositionRequest,
    NewComment,
    PublicationRequest,
    RequestBody,
    ReviewRequest,
    VersionRequest,
    VideoEdit,
    VideosRequest,
)
from video_manager.manager.reviewing import ReviewService
from video_manager.manager.service import VideoService
from video_manager.manager.views import VideoView
from video_manager.ports import FileStore
from video_manager.web import CurrentActor, Cursor, ExpectedRevision, Items, Limit, RequestIds, set_etag
from video_manager.web_files import file_response


class ThumbnailRequest(RequestBody):
    upload_id: str


class CommentEdit(RequestBody):
    resolved: bool


class PublicationCreated(BaseModel):
    id: str
    state: str = "scheduled"


def router(videos: VideoService, reviews: ReviewService, files: FileStore) -> APIRouter:
    """Everything about videos."""
    routes = APIRouter(tags=["videos"])
    _add_video_routes(routes, videos, reviews)
    _add_control_routes(routes, videos)
    _add_version_routes(routes, videos, reviews, files)
    _add_review_routes(routes, reviews)
    return routes


def _add_video_routes(routes: APIRouter, videos: VideoService, reviews: ReviewService) -> None:
    @routes.post("/videos", status_code=202)
    async def request_videos(body: VideosRequest, actor: CurrentActor, new_id: RequestIds) -> Items[VideoView]:
        """Ask for videos from one generator, or with `requests` from several at once."""
        return Items(items=await videos.request(actor, body, new_id))

    @routes.get("/videos")
    async def list_videos(
        actor: CurrentActor, state: VideoState | None = None,
        q: Annotated[str | None, Query(max_length=200, description="Part of the title.")] = None,
        cursor: Cursor = None, limit: Limit = 50,
    ) -> Items[VideoView]:  # fmt: skip
        """Newest first; deleted ones only with `state=deleted`."""
        page = await videos.list_videos(actor, state=state, text=q, cursor=cursor, limit=limit)
        return Items(items=page.items, next=page.next)

    @routes.get("/videos/{id}")
    async def get_video(id: str, actor: CurrentActor, response: Response) -> VideoView:
        return _tagged(response, await videos.get(actor, id))

    @routes.patch("/videos/{id}")
    async def change_video(
        id: str, body: VideoEdit, actor: CurrentActor, revision: ExpectedRevision, response: Response
    ) -> VideoView:
        """Title, metadata of a version, priority and pause. Changed metadata voids that version's approvals."""
        if body.title is not None or body.metadata is not None:
            view = await reviews.edit(actor, id, body, revision)
            revision = None if revision is None else view.revision
        if body.priority is not None or body.paused is not None:
            view = await videos.adjust(
                actor, id, priority=body.priority, paused=body.paused, expected_revision=revision
            )
        elif body.title is None and body.metadata is None:
            view = await videos.get(actor, id)
        return _tagged(response, view)

    @routes.delete("/videos/{id}", status_code=204)
    async def delete_video(id: str, actor: CurrentActor, revision: ExpectedRevision) -> None:
        """Its files go; what is scheduled is withdrawn. 409 while one of its publications is uploading."""
        await videos.delete(actor, id, revision)


def _add_control_routes(routes: APIRouter, videos: VideoService) -> None:
    @routes.post("/videos/{id}/cancel")
    async def cancel_video(id: str, actor: CurrentActor, revision: ExpectedRevision, response: Response) -> VideoView:
        return _tagged(response, await videos.cancel(actor, id, revision))

    @routes.post("/videos/{id}/retry")
    async def retry_video(id: str, actor: CurrentActor, revision: ExpectedRevision, response: Response) -> VideoView:
        return _tagged(response, await videos.retry(actor, id, revision))


def _add_version_routes(routes: APIRouter, videos: VideoService, reviews: ReviewService, files: FileStore) -> None:
    @routes.post("/videos/{id}/versions", status_code=202)
    async def regenerate(
        id: str, body: VersionRequest, actor: CurrentActor, revision: ExpectedRevision, new_id: RequestIds,
        response: Response,
    ) -> VideoView:  # fmt: skip
        """A new version with changed options, beside the old ones."""
        return _tagged(response, await videos.regenerate(actor, id, body, new_id, revision))

    @routes.get("/videos/{id}/versions/{number}/files/{role}")
    @routes.head("/videos/{id}/versions/{number}/files/{role}")
    async def get_file(
        id: str, number: int, role: MediaRole, actor: CurrentActor, request: Request,
        file: Annotated[str | None, Query(description="Which of several, by id.")] = None,
        download: Annotated[bool, Query(description="Offer it for saving, with a name.")] = False,
    ) -> Response:  # fmt: skip
        """The bytes; ranges are honoured."""
        found = await videos.file(actor, id, number, role, file)
        name = found.name if download else None
        return await file_response(files, found.id, request, found.content_type, download_name=name)

    @routes.post("/videos/{id}/versions/{number}/thumbnails", status_code=201)
    async def add_thumbnail(
        id: str, number: int, body: ThumbnailRequest, actor: CurrentActor, new_id: RequestIds, response: Response
    ) -> VideoView:
        """Add a picture that was sent in by /uploads as a candidate, and choose it."""
        return _tagged(response, await reviews.add_thumbnail(actor, id, number, body.upload_id, new_id))


def _add_review_routes(routes: APIRouter, reviews: ReviewService) -> None:
    @routes.post("/videos/{id}/review")
    async def review_video(
        id: str, body: ReviewRequest, actor: CurrentActor, revision: ExpectedRevision, new_id: RequestIds,
        response: Response,
    ) -> VideoView:  # fmt: skip
        """Approve (now or at a time), reject with a reason, or ask for another version."""
        return _tagged(response, await reviews.review(actor, id, body, new_id, revision))

    @routes.post("/videos/{id}/compose")
    async def compose_posts(id: str, body: CompositionRequest, actor: CurrentActor) -> Items[Composed]:
        """What each channel would post of a version, with its templates and defaults, and what its platform would
        refuse. Nothing is changed."""
        return Items(items=await reviews.compose(actor, id, body))

    @routes.post("/videos/{id}/comments", status_code=201)
    async def add_comment(
        id: str, body: NewComment, actor: CurrentActor, new_id: RequestIds, response: Response
    ) -> VideoView:
        return _tagged(response, await reviews.comment(actor, id, body, new_id))

    @routes.patch("/videos/{id}/comments/{comment_id}")
    async def resolve_comment(
        id: str, comment_id: str, body: CommentEdit, actor: CurrentActor, response: Response
    ) -> VideoView:
        return _tagged(response, await reviews.resolve_comment(actor, id, comment_id, resolved=body.resolved))

    @routes.post("/publications", status_code=202, tags=["publications"])
    async def publish(body: PublicationRequest, actor: CurrentActor, new_id: RequestIds) -> PublicationCreated:
        """Publish an approved version to one more channel."""
        return PublicationCreated(id=await reviews.publish(actor, body, new_id))


def _tagged(response: Response, view: VideoView) -> VideoView:
    set_etag(response, view.revision)
    return view
