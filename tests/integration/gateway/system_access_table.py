"""Who may use the routes of all services: the gateway's own table and theirs."""

from tests.integration.gateway.access_table import EVERYBODY, TABLE, Rule, who_may

from video_manager.domain.access import Right

VIEW = Rule(who_may(Right.VIEW))
REQUEST = Rule(who_may(Right.REQUEST))
REVIEW = who_may(Right.REVIEW)
PUBLISH = Rule(who_may(Right.PUBLISH))
CHANNELS = who_may(Right.CHANNELS)
ADMINISTER = who_may(Right.ADMINISTER)
WORK = who_may(Right.WORK)
API = "/api/v1"
FILE = Rule(who_may(Right.VIEW), path={"number": "1", "role": "master"})

SYSTEM_TABLE: dict[str, Rule] = TABLE | {
    # videos
    f"GET {API}/videos": VIEW,
    f"POST {API}/videos": Rule(REQUEST.roles, json={"generator": "none", "options": {}}),
    f"GET {API}/videos/{{id}}": VIEW,
    f"PATCH {API}/videos/{{id}}": Rule(REVIEW, json={"title": "New"}),
    f"DELETE {API}/videos/{{id}}": Rule(who_may(Right.DELETE)),
    f"POST {API}/videos/{{id}}/cancel": REQUEST,
    f"POST {API}/videos/{{id}}/retry": REQUEST,
    f"POST {API}/videos/{{id}}/versions": Rule(REQUEST.roles, json={}),
    f"GET {API}/videos/{{id}}/versions/{{number}}/files/{{role}}": FILE,
    f"HEAD {API}/videos/{{id}}/versions/{{number}}/files/{{role}}": FILE,
    f"POST {API}/videos/{{id}}/versions/{{number}}/thumbnails": Rule(
        REVIEW, json={"upload_id": "u"}, path={"number": "1"}
    ),
    f"POST {API}/videos/{{id}}/review": Rule(REVIEW, json={"version": 1, "decision": "reject", "reason": "no"}),
    f"POST {API}/videos/{{id}}/compose": Rule(VIEW.roles, json={"version": 1, "targets": []}),
    f"POST {API}/videos/{{id}}/comments": Rule(REVIEW, json={"text": "Hm"}),
    f"PATCH {API}/videos/{{id}}/comments/{{comment_id}}": Rule(REVIEW, json={"resolved": True}),
    # plugins
    f"GET {API}/generators": VIEW,
    f"POST {API}/generators": Rule(
        WORK | ADMINISTER, json={"name": "mine", "title": "Mine", "options_schema": {"type": "object"}}
    ),
    f"DELETE {API}/generators/{{name}}": Rule(ADMINISTER),
    f"GET {API}/steps": VIEW,
    f"GET {API}/checks": VIEW,
    f"GET {API}/platforms": VIEW,
    # jobs, for workers elsewhere
    f"GET {API}/jobs/{{id}}": Rule(who_may(Right.VIEW) | WORK),
    f"POST {API}/jobs/{{id}}/claim": Rule(WORK, json={"worker": "w"}),
    f"POST {API}/jobs/{{id}}/renew": Rule(WORK, json={"attempt": 1}),
    f"POST {API}/jobs/{{id}}/finish": Rule(
        WORK, json={"attempt": 1, "result": {"files": [{"id": "f", "role": "source"}]}}
    ),
    f"POST {API}/jobs/{{id}}/fail": Rule(WORK, json={"attempt": 1, "error": "no"}),
    f"POST {API}/jobs/{{id}}/give-back": Rule(WORK, json={"attempt": 1}),
    f"GET {API}/jobs": Rule(WORK),
    f"GET {API}/jobs/{{id}}/sources/{{file_id}}": Rule(WORK),
    # publishing
    f"GET {API}/channels": VIEW,
    f"POST {API}/channels": Rule(CHANNELS, json={"platform": "none", "name": "Mine"}),
    f"GET {API}/channels/{{id}}": VIEW,
    f"PATCH {API}/channels/{{id}}": Rule(CHANNELS, json={"name": "Other"}),
    f"DELETE {API}/channels/{{id}}": Rule(CHANNELS),
    f"POST {API}/channels/{{id}}/reconnect": Rule(CHANNELS, json={"connection": "c"}),
    f"GET {API}/platforms/{{platform}}/app": Rule(CHANNELS),
    f"PUT {API}/platforms/{{platform}}/app": Rule(ADMINISTER, json={"client_id": "i", "client_secret": "s"}),
    f"POST {API}/platforms/{{platform}}/connections": Rule(CHANNELS, json={}),
    f"GET {API}/platforms/{{platform}}/connections/{{id}}": Rule(CHANNELS),
    f"POST {API}/credentials/rotate": Rule(ADMINISTER, json={}),
    f"GET {API}/publications": VIEW,
    f"POST {API}/publications": Rule(PUBLISH.roles, json={"video_id": "v", "version": 1, "channel_id": "c"}),
    f"GET {API}/publications/plan": VIEW,
    # who has the token; without it there is no such page
    "GET /calendar.ics": Rule(EVERYBODY, public=True),
    f"GET {API}/publications/{{id}}": VIEW,
    f"PATCH {API}/publications/{{id}}": Rule(PUBLISH.roles, json={"publish_at": None}),
    f"POST {API}/publications/{{id}}/cancel": PUBLISH,
    f"POST {API}/publications/{{id}}/retry": PUBLISH,
    f"POST {API}/publications/{{id}}/take-down": PUBLISH,
    f"POST {API}/publications/{{id}}/resolve": Rule(PUBLISH.roles, json={"published": False}),
    # notifications
    f"GET {API}/notifications": VIEW,
    f"POST {API}/notifications/read-all": VIEW,
    f"POST {API}/notifications/{{id}}/read": VIEW,
    f"GET {API}/webhooks": Rule(ADMINISTER),
    f"POST {API}/webhooks": Rule(ADMINISTER, json={"url": "https://hooks.invalid/", "events": ["version.ready"]}),
    f"GET {API}/webhooks/{{id}}": Rule(ADMINISTER),
    f"PATCH {API}/webhooks/{{id}}": Rule(ADMINISTER, json={}),
    f"DELETE {API}/webhooks/{{id}}": Rule(ADMINISTER),
    f"POST {API}/webhooks/{{id}}/test": Rule(ADMINISTER),
    f"GET {API}/webhooks/{{id}}/deliveries": Rule(ADMINISTER),
    f"GET {API}/notification-targets": Rule(ADMINISTER),
    f"POST {API}/notification-targets": Rule(ADMINISTER, json={"name": "me", "url": "none://"}),
    f"GET {API}/notification-targets/{{id}}": Rule(ADMINISTER),
    f"PATCH {API}/notification-targets/{{id}}": Rule(ADMINISTER, json={}),
    f"DELETE {API}/notification-targets/{{id}}": Rule(ADMINISTER),
    f"POST {API}/notification-targets/{{id}}/test": Rule(ADMINISTER),
    # analytics
    f"GET {API}/analytics/summary": VIEW,
    f"GET {API}/analytics/timeseries": VIEW,
    f"GET {API}/analytics/publications": VIEW,
    f"GET {API}/analytics/attribution": VIEW,
    f"GET {API}/analytics/suggestions": Rule(VIEW.roles, query={"generator": "story"}),
    f"GET {API}/analytics/health": VIEW,
    f"POST {API}/analytics/reload": Rule(ADMINISTER),
}
