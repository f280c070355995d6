"""What a Mastodon 4.7.3 answers: all the fields, in the types that recorded traffic shows."""

import html
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import regex

_APP = {"name": "Demo", "website": None}
_KEY = "BJGht7R8h9FMwI4oZFyjwGx9_RmR0ylu5_XEVifgiVXM7h8XNEf8zbi4kc_52DVHv_TBinj7TY_Ahl_A6NmkEuI="
_FEED = {"local": "public", "remote": "public"}


def length(text: str) -> int:
    """Each link counts 23, of a name on another server only the part before it."""
    text = re.sub(r"https?://\S+", "x" * 23, text)
    return len(regex.findall(r"\X", re.sub(r"(?<![\w/])(@[\w.-]+)@[\w.-]+\w", r"\1", text)))


def account(id: str, host: str) -> dict[str, Any]:
    picture = f"https://{host}/avatars/original/missing.png"
    return {
        "id": id, "username": "demo", "acct": "demo", "display_name": "Demo", "locked": False, "bot": False,
        "discoverable": None, "indexable": False, "group": False, "created_at": "2026-10-14T00:00:00.000Z",
        "note": "", "url": f"https://{host}/@demo", "uri": f"https://{host}/ap/users/{id}", "avatar": picture,
        "avatar_static": picture, "avatar_description": "", "header": picture, "header_static": picture,
        "header_description": "", "followers_count": 0, "following_count": 0, "statuses_count": 0,
        "last_status_at": None, "hide_collections": None, "show_media": True, "show_media_replies": True,
        "show_featured": True, "noindex": False,
        "feature_approval": {"automatic": [], "manual": [], "current_user": "denied"}, "emojis": [], "roles": [],
        "fields": [],
    }  # fmt: skip


def own_account() -> dict[str, Any]:
    """What only the account itself sees of it."""
    source = {
        "privacy": "public", "sensitive": False, "language": None, "note": "", "fields": [],
        "follow_requests_count": 0, "hide_collections": None, "discoverable": None, "indexable": False,
        "attribution_domains": [], "quote_policy": "public",
    }  # fmt: skip
    role = {
        "id": "-99", "name": "", "permissions": "65536", "color": "", "highlighted": False, "collection_limit": 10
    }  # fmt: skip
    return {"source": source, "role": role}


def app(scopes: Sequence[str]) -> dict[str, Any]:
    redirect = "urn:ietf:wg:oauth:2.0:oob"
    return {
        "id": "1234567890123456", **_APP, "scopes": list(scopes), "redirect_uris": [redirect], "vapid_key": _KEY,
        "redirect_uri": redirect,
    }  # fmt: skip


def media(one: Mapping[str, Any], host: str, *, ready: bool) -> dict[str, Any]:
    files = f"https://{host}/system/media_attachments"
    original = {"width": 1080, "height": 1920, "frame_rate": "30/1", "duration": 20.0, "bitrate": 2_187_124}
    small = {"width": 225, "height": 400, "size": "225x400", "aspect": 0.5625}
    colors = {"background": "#d9f3f3", "foreground": "#0c0c0c", "accent": "#0c0c0c"}
    return {
        "id": one["id"], "type": "video", "url": f"{files}/files/{one['id']}/original.mp4" if ready else None,
        "preview_url": f"{files}/thumbnails/{one['id']}/original.jpg", "remote_url": None,
        "preview_remote_url": None, "text_url": None,
        "meta": {"colors": colors, "original": original, "small": small, "focus": {"x": 0.0, "y": 0.0}},
        "description": one["description"], "blurhash": "UPN1Ddxup{IT9an~.8RjK-oy%gkE%#W?i^t6",
    }  # fmt: skip


def status(
    id: str, given: Mapping[str, Any], who: Mapping[str, Any], attachments: Sequence[Mapping[str, Any]], host: str,
    now: float,
) -> dict[str, Any]:  # fmt: skip
    text, spoiler = str(given.get("status") or ""), str(given.get("spoiler_text") or "")
    paragraphs = html.escape(text).replace("\n\n", "</p><p>")
    return {
        "id": id, "created_at": _instant(datetime.fromtimestamp(now, UTC)), "in_reply_to_id": None,
        "in_reply_to_account_id": None, "sensitive": bool(spoiler) or given.get("sensitive") in (True, "1", "true"),
        "spoiler_text": spoiler, "visibility": given.get("visibility") or "public",
        "language": given.get("language") or "en", "uri": f"https://{host}/ap/users/{who['id']}/statuses/{id}",
        "url": f"https://{host}/@demo/{id}", "replies_count": 0, "reblogs_count": 0, "favourites_count": 0,
        "quotes_count": 0, "edited_at": None, "favourited": False, "reblogged": False, "muted": False,
        "bookmarked": False, "pinned": False, "content": f"<p>{paragraphs}</p>", "filtered": [], "reblog": None,
        "application": _APP, "account": dict(who), "media_attachments": [dict(one) for one in attachments],
        "mentions": [], "tags": [], "emojis": [], "tagged_collections": [], "quote": None, "card": None,
        "poll": None, "quote_approval": {"automatic": ["public"], "manual": [], "current_user": "automatic"},
    }  # fmt: skip


def scheduled(
    id: str, at: datetime, given: Mapping[str, Any], attachments: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    parameters = {
        "text": given.get("status"), "quote_approval_policy": "followers", "media_ids": given.get("media_ids") or None,
        "sensitive": given.get("sensitive"), "spoiler_text": given.get("spoiler_text"),
        "visibility": given.get("visibility"), "language": given.get("language"), "scheduled_at": None, "poll": None,
        "allowed_mentions": None, "idempotency": None, "with_rate_limit": False, "in_reply_to_id": None,
        "application_id": 1234567890123456, "quoted_status_id": None,
    }  # fmt: skip
    return {"id": id, "scheduled_at": _instant(at), "params": parameters, "media_attachments": list(attachments)}


def instance(host: str, video_types: Sequence[str], video_bytes: int, characters: int) -> dict[str, Any]:
    page = f"https://{host}"
    attachments = {
        "description_limit": 10_000, "image_matrix_limit": 33_177_600, "image_size_limit": 16_777_216,
        "supported_mime_types": ["image/jpeg", "image/png", *video_types], "video_frame_rate_limit": 120,
        "video_matrix_limit": 8_294_400, "video_size_limit": video_bytes,
    }  # fmt: skip
    accounts = {
        "max_display_name_length": 40, "max_note_length": 500, "max_avatar_description_length": 150,
        "max_header_description_length": 150, "max_featured_tags": 10, "max_pinned_statuses": 5,
        "max_profile_fields": 4, "profile_field_name_limit": 255, "profile_field_value_limit": 255,
    }  # fmt: skip
    configuration = {
        "urls": {
            "streaming": f"wss://{host}", "status": None, "about": f"{page}/about",
            "privacy_policy": f"{page}/privacy-policy", "terms_of_service": None,
        },
        "vapid": {"public_key": _KEY}, "accounts": accounts,
        "statuses": {
            "max_characters": characters, "max_media_attachments": 4, "characters_reserved_per_url": 23
        },
        "media_attachments": attachments,
        "polls": {
            "max_options": 4, "max_characters_per_option": 50, "min_expiration": 300, "max_expiration": 2_629_746
        },
        "translation": {"enabled": False},
        "timelines_access": {"live_feeds": _FEED, "hashtag_feeds": _FEED, "trending_link_feeds": _FEED},
        "limited_federation": False,
    }  # fmt: skip
    registrations = {
        "enabled": True, "approval_required": False, "reason_required": False, "message": None, "min_age": None,
        "url": None,
    }  # fmt: skip
    return {
        "domain": host, "title": "Mastodon", "version": "4.7.3", "source_url": "https://github.com/mastodon/mastodon",
        "description": "", "usage": {"users": {"active_month": 4}},
        "thumbnail": {"url": f"{page}/packs/preview.png", "description": "Two mastodons"},
        "icon": [{"src": f"{page}/packs/icons/36.png", "size": "36x36"}], "languages": ["en"],
        "configuration": configuration, "registrations": registrations, "api_versions": {"mastodon": 11},
        "wrapstodon": None, "contact": {"email": "", "account": None}, "rules": [],
    }  # fmt: skip


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
