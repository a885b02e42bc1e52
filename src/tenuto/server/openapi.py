"""The description of the HTTP interface, as OpenAPI 3.1 at /openapi.json.

Bodies and replies are described by the very structs that read and write them. What is said here is
held by a test that sends what the description allows, and what it does not.
"""

import functools
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tenuto.server import health, importing, replies, rest, settings_wanted, sharing
from tenuto.server.requests import reception
from tenuto.session.analytics_part import Report

VERSION = "1"
"""Of the HTTP interface."""

_BODIES = (
    rest.SessionWanted,
    rest.SessionShown,
    rest.SessionPage,
    rest.SettingsShown,
    settings_wanted.SettingsWanted,
    importing.SessionsImported,
    rest.HistoryShown,
    Report,
    rest.Ending,
    rest.TicketWanted,
    rest.Ticket,
    sharing.ShareWanted,
    sharing.ShareMade,
    sharing.SharesShown,
    sharing.AccessWanted,
    sharing.AccessGiven,
    sharing.PastWanted,
    sharing.NoteWanted,
    sharing.NoteShown,
    health.Health,
    replies.Refusal,
)
_REASONS = {
    400: "Something in the request is wrong.",
    401: "No API key or share token, or one that is not known.",
    403: "Pages of that origin may not talk to this server, or the share does not allow it.",
    404: "There is no such session or share, or it is not yours.",
    408: "The request did not come in time.",
    409: "The session is not in a state for that, or another host has it.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    421: "The server does not go by that name.",
    426: "This is for WebSockets.",
    429: "A limit was passed: too many requests (`rate_limited`), or too much of something.",
    500: "Something went wrong in the server.",
    501: "A setting needs something that is not installed on this server.",
    503: "The server or its store cannot answer now.",
    507: "There is no space left.",
}
_ALWAYS = (401, 403, 421, 500, 503)
_COUNTED = (*_ALWAYS, 429)
"""What may be said where requests are counted: everywhere but where a server's health is asked for."""
_WITH_BODY = (400, 408, 413, 415, 507)


_RETRY_AFTER = {
    "description": "Seconds to wait before asking again.",
    "schema": {"type": "integer", "minimum": 1},
}


@functools.cache
def describe(*, keyed: bool) -> dict[str, Any]:
    """Return the description. `keyed` says whether an API key is needed."""
    schemas, components = msgspec.json.schema_components(
        _BODIES, ref_template="#/components/schemas/{name}"
    )
    settings_wanted.complete(components)
    paths = _paths(dict(zip(_BODIES, schemas, strict=True)))
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Tenuto",
            "version": VERSION,
            "description": (
                "Durable sessions for real-time voice agents. "
                "The WebSocket of a session speaks tenuto.v1."
            ),
        },
        "paths": paths,
        "components": {"schemas": components},
    }
    if keyed:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        for path, operations in paths.items():
            for operation in operations.values():
                keyed_path = path.startswith(("/sessions", "/shared"))
                operation["security"] = [{"key": []}] if keyed_path else []
    return document


async def serve(request: Request) -> Response:
    """Send the description."""
    return replies.Json(describe(keyed=reception(request).access.required))


def _paths(named: dict[type, Any]) -> dict[str, dict[str, Any]]:
    one = [_path_parameter()]

    def reply(status: int, kind: type, *also: int) -> dict[str, Any]:
        return _replies(named, {status: kind}, also)

    last_seen = {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The position of the last event that was seen.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 2**53},
    }
    after = last_seen | {"name": "after", "in": "query"}
    return {
        "/sessions": {
            "post": {
                "operationId": "createSession",
                "summary": "Make a session",
                "requestBody": _request(named[rest.SessionWanted]),
                "responses": reply(201, rest.SessionShown, *_WITH_BODY, 409, 501),
            },
            "get": {
                "operationId": "listSessions",
                "summary": "List sessions, the most recently updated first",
                "parameters": _query(rest.SessionsAsked),
                "responses": reply(200, rest.SessionPage, 400),
            },
        },
        "/sessions/import": {
            "post": {
                "operationId": "importSessions",
                "summary": "Import sessions from an export, or from what others keep: all or none",
                "parameters": _query(importing.ImportAsked),
                "requestBody": {
                    "required": True,
                    "content": {form: {"schema": {}} for form in importing.FORMS},
                },
                "responses": reply(201, importing.SessionsImported, *_WITH_BODY, 409),
            },
        },
        "/sessions/{session_id}": {
            "get": {
                "operationId": "showSession",
                "summary": "Show a session",
                "parameters": one,
                "responses": reply(200, rest.SessionShown, 404),
            },
            "delete": {
                "operationId": "forgetSession",
                "summary": "Erase a session, with everything in it",
                "parameters": one,
                "responses": {"204": {"description": "It is gone."}}
                | _replies(named, {}, (404, 409, 507)),
            },
        },
        "/sessions/{session_id}/config": {
            "patch": {
                "operationId": "changeSettings",
                "summary": "Change settings of a session, also while somebody talks in it",
                "parameters": one,
                "requestBody": _request(named[settings_wanted.SettingsWanted]),
                "responses": reply(200, rest.SettingsShown, *_WITH_BODY, 404, 409, 501),
            }
        },
        "/sessions/{session_id}/history": {
            "get": {
                "operationId": "readHistory",
                "summary": "Read the history, newest last, in pages",
                "parameters": one + _query(rest.HistoryAsked),
                "responses": reply(200, rest.HistoryShown, 400, 404),
            }
        },
        "/sessions/{session_id}/analytics": {
            "get": {
                "operationId": "showAnalytics",
                "summary": "Show what was counted of a session",
                "parameters": one,
                "responses": reply(200, Report, 404),
            }
        },
        "/sessions/{session_id}/end": {
            "post": {
                "operationId": "endSession",
                "summary": "End a session; its history can still be read",
                "parameters": one,
                "requestBody": _request(named[rest.Ending]),
                "responses": reply(200, rest.SessionShown, *_WITH_BODY, 404, 409),
            }
        },
        "/sessions/{session_id}/tickets": {
            "post": {
                "operationId": "giveTicket",
                "summary": "Give out a ticket, with which one client can attach once",
                "parameters": one,
                "requestBody": _request(named[rest.TicketWanted]),
                "responses": reply(201, rest.Ticket, *_WITH_BODY, 404, 409),
            }
        },
        "/sessions/{session_id}/shares": {
            "post": {
                "operationId": "shareSession",
                "summary": "Let another user see a session",
                "parameters": one,
                "requestBody": _request(named[sharing.ShareWanted], required=True),
                "responses": reply(201, sharing.ShareMade, *_WITH_BODY, 404, 409),
            },
            "get": {
                "operationId": "listShares",
                "summary": "List the shares of a session, oldest first",
                "parameters": one,
                "responses": reply(200, sharing.SharesShown, 404),
            },
        },
        "/sessions/{session_id}/shares/{share}": {
            "delete": {
                "operationId": "revokeShare",
                "summary": "Take a share back, and every one that was granted out of it",
                "parameters": [
                    *one,
                    {
                        "name": "share",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "integer", "minimum": 1, "maximum": 2**53},
                    },
                ],
                "responses": {"204": {"description": "It is of no use any more."}}
                | _replies(named, {}, (404, 409, 507)),
            },
        },
        "/shared/access": {
            "post": {
                "operationId": "accessShared",
                "summary": "Let in the user of a share: a ticket to attach with, as an observer",
                "requestBody": _request(named[sharing.AccessWanted], required=True),
                "responses": reply(201, sharing.AccessGiven, *_WITH_BODY, 409),
            }
        },
        "/shared/history": {
            "post": {
                "operationId": "readSharedHistory",
                "summary": "Read the history of a shared session, newest last, in pages",
                "parameters": _query(rest.HistoryAsked),
                "requestBody": _request(named[sharing.PastWanted], required=True),
                "responses": reply(200, rest.HistoryShown, *_WITH_BODY, 409),
            }
        },
        "/shared/notes": {
            "post": {
                "operationId": "addSharedNote",
                "summary": "Add a note to a shared session",
                "requestBody": _request(named[sharing.NoteWanted], required=True),
                "responses": reply(201, sharing.NoteShown, *_WITH_BODY, 409),
            }
        },
        "/sessions/{session_id}/events": {
            "get": {
                "operationId": "followEvents",
                "summary": "Follow the events as they happen; ends after session.ended",
                "parameters": [*one, last_seen, after],
                "responses": {
                    "200": {
                        "description": "Server-sent events: position, tag and event.",
                        "content": {"text/event-stream": {"schema": {"type": "string"}}},
                    }
                }
                | _replies(named, {}, (400, 404)),
            }
        },
        "/sessions/{session_id}/attach": {
            "get": {
                "operationId": "attach",
                "summary": "Open the WebSocket of a session, with the subprotocol tenuto.v1",
                "parameters": one,
                "responses": {"101": {"description": "tenuto.v1 from here on."}}
                | _replies(named, {}, (400, 426)),
            }
        },
        "/health/live": {
            "get": {
                "operationId": "live",
                "summary": "Whether the process runs",
                "responses": _replies(named, {200: health.Health}, (), _ALWAYS),
            }
        },
        "/health/ready": {
            "get": {
                "operationId": "ready",
                "summary": "Whether clients should come here; touches the store",
                "responses": _replies(named, {200: health.Health}, (), _ALWAYS),
            }
        },
    }


def _replies(
    named: dict[type, Any],
    good: dict[int, type],
    also: tuple[int, ...],
    always: tuple[int, ...] = _COUNTED,
) -> dict[str, Any]:
    table: dict[str, Any] = {
        str(status): {
            "description": (kind.__doc__ or kind.__name__).strip().splitlines()[0],
            "content": {"application/json": {"schema": named[kind]}},
        }
        for status, kind in good.items()
    }
    for status in sorted({*always, *also}):
        table[str(status)] = {
            "description": _REASONS[status],
            "content": {"application/json": {"schema": named[replies.Refusal]}},
        }
    if "429" in table:
        table["429"]["headers"] = {"Retry-After": _RETRY_AFTER}
    return table


def _request(schema: Any, *, required: bool = False) -> dict[str, Any]:
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _path_parameter() -> dict[str, Any]:
    return {
        "name": "session_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    }


def _query(kind: type) -> list[dict[str, Any]]:
    """Return the fields of a struct as the parameters of a query, in which there is no null."""
    _, components = msgspec.json.schema_components([kind])
    parameters = []
    for name, field in components[kind.__name__]["properties"].items():
        kinds = [one for one in field.pop("anyOf", []) if one.get("type") != "null"]
        schema = field | (kinds[0] if kinds else {})
        if schema.get("default", 0) is None:
            del schema["default"]
        parameters.append({"name": name, "in": "query", "schema": schema})
    return parameters
