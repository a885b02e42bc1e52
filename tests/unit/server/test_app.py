"""The whole app in one process: REST, events, the page, and what every reply has."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from tenuto import Tenuto, TenutoConfig
from tenuto.errors import InvalidConfig, StoreUnavailable
from tenuto.security.grants import Admission, add_key
from tenuto.server.app import create_app
from tenuto.server.limits import Limits
from tenuto.session.ports import Message
from tests.unit.server.fakes import FakeClock, FakeHost

BASE = "http://127.0.0.1:8765"


class Client(httpx.AsyncClient):
    host: FakeHost
    app: Any


@contextlib.asynccontextmanager
async def client(folder: Path, *, key: str = "", **settings: Any) -> AsyncIterator[Client]:
    static = folder / "static"
    static.mkdir(exist_ok=True)
    (static / "index.html").write_text("<!doctype html><title>page</title>")
    (static / "app.3f9a1c2b.js").write_text("export {}")
    limits = settings.pop("limits", Limits(body_seconds=0.05))
    host = FakeHost(folder, **settings)
    app = create_app(host, static=static, clock=FakeClock(), limits=limits)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with Client(transport=transport, base_url=BASE, headers=headers) as made:
        made.host, made.app = host, app
        yield made


def code(reply: httpx.Response) -> tuple[int, str]:
    error = reply.json()["error"]
    assert set(error) == {"code", "message", "retryable"}
    return reply.status_code, error["code"]


async def test_session_is_made_shown_ended_and_forgotten(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        made = await http.post("/sessions", json={"user_id": "alice", "session_id": "s1"})
        assert made.status_code == 201
        assert made.headers["location"] == "/sessions/s1"
        assert made.json() == {
            "session_id": "s1",
            "user_id": "alice",
            "tenant": "local",
            "created": "2023-11-14T22:13:21.000Z",
            "updated": "2023-11-14T22:13:21.000Z",
            "position": 1,
            "ended": False,
            "life": "live",
        }
        assert (await http.get("/sessions/s1")).json() == made.json()
        ended = await http.post("/sessions/s1/end", json={"reason": "done"})
        assert (ended.status_code, ended.json()["ended"]) == (200, True)
        assert code(await http.post("/sessions/s1/end")) == (409, "session_ended")
        assert code(await http.post("/sessions/s1/tickets")) == (409, "session_ended")
        gone = await http.delete("/sessions/s1")
        assert (gone.status_code, gone.content) == (204, b"")
        assert code(await http.get("/sessions/s1")) == (404, "session_not_found")


async def test_session_needs_no_body(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        made = await http.post("/sessions")
        assert len(made.json()["session_id"]) == 36
        again = await http.post("/sessions", json={"session_id": made.json()["session_id"]})
        assert code(again) == (409, "session_conflict")


@pytest.mark.parametrize(
    "wrong",
    [
        {"session_id": ""},
        {"session_id": "a/b"},
        {"session_id": "../x"},
        {"session_id": "x" * 129},
        {"user_id": ""},
        {"user_id": "a\nb"},
        {"user_id": 7},
        {"unknown": 1},
        {"config": {"no_such_setting": 1}},
        {"config": {"greeting": "x" * 2_001}},
        {"config": {"user_id": "u"}},
        {"config": {"temperature": 3}},
        {"preset": "none"},
        [],
        "text",
        None,
    ],
)
async def test_wrong_body_is_refused(tmp_path: Path, wrong: object) -> None:
    async with client(tmp_path) as http:
        reply = await http.post(
            "/sessions", content=json.dumps(wrong), headers={"content-type": "application/json"}
        )
        assert reply.status_code == 400, reply.text
        assert http.host.heads == {}


async def test_body_is_bounded_in_size_depth_form_and_time(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async def much() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * 64 * 1024

    as_json = {"content-type": "application/json"}
    async with client(tmp_path) as http:
        for content in (b" " * 262_145, much()):
            large = await http.post("/sessions", content=content, headers=as_json)
            assert code(large) == (413, "body_too_large")
        deep = b"[" * 17 + b"]" * 17
        assert code(await http.post("/sessions", content=deep, headers=as_json)) == (
            400,
            "invalid_input",
        )
        for content in (b"{", b"\xff", b'{"user_id": "\\ud800"}', b"{} {}"):
            broken = await http.post("/sessions", content=content, headers=as_json)
            assert code(broken) == (400, "invalid_input")
        form = await http.post("/sessions", content=b"{}", headers={"content-type": "text/plain"})
        assert code(form) == (415, "media_type_unsupported")
        slow = await http.post("/sessions", content=endless(), headers=as_json)
        assert code(slow) == (408, "request_timeout")


async def test_sessions_come_in_pages(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        for number in range(7):
            http.host.add(f"s{number}", user="alice" if number % 2 else "bob")
        http.host.add("theirs", tenant="another")
        found: list[str] = []
        query: dict[str, Any] = {"limit": 3}
        while True:
            page = (await http.get("/sessions", params=query)).json()
            found += [session["session_id"] for session in page["sessions"]]
            if page["next"] is None:
                break
            query["cursor"] = page["next"]
        assert found == ["s6", "s5", "s4", "s3", "s2", "s1", "s0"]
        alices = (await http.get("/sessions", params={"user_id": "alice"})).json()
        assert [session["session_id"] for session in alices["sessions"]] == ["s5", "s3", "s1"]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "limit=", "cursor=x", "cursor=1700000000", "user_id=",
     "limit=1&limit=2", "cursor=%C3%A9"],
)  # fmt: skip
async def test_wrong_query_is_refused(tmp_path: Path, query: str) -> None:
    async with client(tmp_path) as http:
        assert code(await http.get(f"/sessions?{query}")) == (400, "invalid_input")


async def test_history_comes_in_pages_newest_last(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        http.host.add("s1")
        http.host.messages["s1"] = [
            Message(message=n, role="user", text=f"m{n}", turn=n, conversation="c", at=float(n))
            for n in range(1, 6)
        ]
        last = (await http.get("/sessions/s1/history", params={"limit": 2})).json()
        assert [message["text"] for message in last["messages"]] == ["m4", "m5"]
        assert last["messages"][0]["at"] == "1970-01-01T00:00:04.000Z"
        first = (await http.get("/sessions/s1/history", params={"before": last["next"]})).json()
        assert [message["text"] for message in first["messages"]] == ["m1", "m2", "m3"]
        assert first["next"] is None


async def test_analytics_are_shown(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        http.host.add("s1")
        shown = (await http.get("/sessions/s1/analytics")).json()
        assert shown["session_id"] == "s1"
        assert shown["analytics"]["topics"] == ["chess"]
        assert shown["analytics"]["satisfaction_score"] is None
        assert shown["cost"] == {"usd": 0.0, "engines": {}, "unpriced": []}
        described = (await http.get("/openapi.json")).json()
        assert described["paths"]["/sessions/{session_id}/analytics"]["get"]["responses"]["200"]


async def test_ticket_is_given_out(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        http.host.add("s1")
        reply = await http.post(
            "/sessions/s1/tickets", json={"role": "observer"}, headers={"origin": BASE}
        )
        assert reply.status_code == 201
        given = reply.json()
        assert given["url"] == "ws://127.0.0.1:8765/sessions/s1/attach"
        assert given["expires_in"] == 30.0
        admission = http.app.state.reception.tickets.redeem(
            given["ticket"], session="s1", role="observer", origin=BASE
        )
        assert admission == Admission(tenant="local", session="s1", role="observer")


async def test_ticket_names_the_public_address(tmp_path: Path) -> None:
    async with client(tmp_path, url="wss://voice.example") as http:
        http.host.add("s1")
        given = (await http.post("/sessions/s1/tickets")).json()
        assert given["url"] == "wss://voice.example/sessions/s1/attach"


async def test_app_is_mounted_in_another(tmp_path: Path) -> None:
    host = FakeHost(tmp_path)
    host.add("s1")
    outer = Starlette(routes=[Mount("/voice", create_app(host, static=None))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(outer), base_url=BASE) as http:
        given = (await http.post("/voice/sessions/s1/tickets")).json()
        assert given["url"] == "ws://127.0.0.1:8765/voice/sessions/s1/attach"
        made = await http.post("/voice/sessions", json={"session_id": "s2"})
        assert made.headers["location"] == "/voice/sessions/s2"
        assert code(await http.get("/voice/nowhere")) == (404, "not_found")


async def test_other_tenants_sessions_look_as_if_there_were_none(tmp_path: Path) -> None:
    key = add_key(tmp_path / "tenuto.keys", clock=FakeClock(), tenant="acme")
    async with client(tmp_path, key=key) as http:
        http.host.add("theirs", tenant="another")
        http.host.add("ours", tenant="acme")
        assert (await http.get("/sessions/ours")).status_code == 200
        for session in ("theirs", "nobodys"):
            for method, path in (
                ("GET", ""),
                ("DELETE", ""),
                ("GET", "/history"),
                ("GET", "/analytics"),
                ("GET", "/events"),
                ("POST", "/end"),
                ("POST", "/tickets"),
            ):
                reply = await http.request(method, f"/sessions/{session}{path}")
                assert code(reply) == (404, "session_not_found")
        assert (await http.get("/sessions")).json()["sessions"][0]["session_id"] == "ours"


async def test_key_is_asked_for(tmp_path: Path) -> None:
    add_key(tmp_path / "tenuto.keys", clock=FakeClock())
    async with client(tmp_path) as http:
        one = "/sessions/s1"
        for path in ("/sessions", one, f"{one}/events", f"{one}/history", f"{one}/analytics"):
            reply = await http.get(path)
            assert code(reply) == (401, "authentication_failed")
            assert reply.headers["www-authenticate"] == 'Bearer realm="tenuto"'
        assert (await http.get("/health/live")).status_code == 200
        assert (await http.get("/")).status_code == 200
        keyed = (await http.get("/openapi.json")).json()
        assert keyed["paths"]["/sessions"]["get"]["security"] == [{"key": []}]


@pytest.mark.parametrize("path", ["/", "/sessions", "/health/live", "/openapi.json", "/nowhere"])
async def test_other_sites_reach_nothing(tmp_path: Path, path: str) -> None:
    async with client(tmp_path) as http:
        wrong = await http.get(path, headers={"host": "evil.example:8765"})
        assert code(wrong) == (421, "wrong_host")
        foreign = await http.get(path, headers={"origin": "https://evil.example"})
        assert code(foreign) == (403, "wrong_origin")
        assert "access-control-allow-origin" not in foreign.headers


async def test_cors_is_for_allowed_origins_only(tmp_path: Path) -> None:
    asks = {"access-control-request-method": "POST"}
    async with client(tmp_path, allow=("https://app.example",)) as http:
        app = {"origin": "https://app.example"}
        preflight = await http.options("/sessions", headers=app | asks)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == "https://app.example"
        made = await http.post("/sessions", headers=app)
        assert made.headers["access-control-allow-origin"] == "https://app.example"
        assert "Origin" in made.headers["vary"]
        evil = await http.options("/sessions", headers=asks | {"origin": "https://evil.example"})
        assert code(evil) == (403, "wrong_origin")
        own = await http.options("/sessions", headers=asks | {"origin": BASE})
        assert code(own) == (405, "method_not_allowed")


async def test_every_reply_is_careful(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        for path in ("/sessions", "/nowhere", "/", "/sessions/none"):
            headers = (await http.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
        assert (await http.get("/sessions")).headers["cache-control"] == "no-store"


async def test_page_is_served(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        page = await http.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-cache"
        assert "microphone=(self)" in page.headers["permissions-policy"]
        same = await http.get("/", headers={"if-none-match": page.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        script = await http.get("/app.3f9a1c2b.js")
        assert script.headers["content-type"] == "text/javascript; charset=utf-8"
        assert "immutable" in script.headers["cache-control"]
        assert (await http.head("/")).status_code == 200


async def test_nothing_and_no_method_are_json(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        for path in ("/nowhere", "/sessions/a/b", "/../pyproject.toml", "/%2e%2e/x", "/.env"):
            assert code(await http.get(path)) == (404, "not_found")
        for method, path in (("PUT", "/sessions"), ("POST", "/"), ("DELETE", "/health/live")):
            reply = await http.request(method, path)
            assert code(reply) == (405, "method_not_allowed")
            assert reply.headers["allow"]
        attach = await http.get("/sessions/s1/attach")
        assert code(attach) == (426, "upgrade_required")


async def test_readiness_touches_the_store_and_liveness_does_not(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        assert (await http.get("/health/ready")).json() == {"status": "ready"}
        http.host.broken = StoreUnavailable()
        assert code(await http.get("/health/ready")) == (503, "storage_unavailable")
        assert (await http.get("/health/live")).json() == {"status": "live"}
        http.host.broken = None
        http.app.state.reception.draining.set()
        assert code(await http.get("/health/ready")) == (503, "draining")


async def test_bug_says_nothing_of_itself(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        http.host.broken = RuntimeError("secret words")
        reply = await http.get("/sessions")
        assert code(reply) == (500, "error")
        assert "secret" not in reply.text


async def test_lifespan_manages_the_host_unless_told_not_to(tmp_path: Path) -> None:
    for manage in (True, False):
        host = FakeHost(tmp_path)
        app = create_app(host, manage=manage, static=None)
        async with app.router.lifespan_context(app):
            assert host.entered == int(manage)
        assert host.entered == 0


async def test_who_asks_too_often_waits_and_the_health_is_shown_all_the_same(
    tmp_path: Path,
) -> None:
    limits = Limits(key_rate=0.1, key_burst=2)
    key = add_key(tmp_path / "tenuto.keys", clock=FakeClock())
    async with client(tmp_path, limits=limits, key=key) as http:
        for _ in range(2):
            assert (await http.get("/sessions")).status_code == 200
        late = await http.get("/sessions")
        assert code(late) == (429, "rate_limited")
        assert late.headers["retry-after"] == "10"
        assert late.json()["error"]["retryable"]
        # Nothing was done, and what is not counted is served.
        assert code(await http.post("/sessions", json={"session_id": "s1"})) == (
            429,
            "rate_limited",
        )
        assert http.host.heads == {}
        for path in ("/health/live", "/health/ready", "/", "/openapi.json"):
            assert (await http.get(path)).status_code == 200
        http.app.state.reception.clock.time += 10
        assert (await http.get("/sessions")).status_code == 200


async def test_the_local_user_may_ask_as_often_as_they_like(tmp_path: Path) -> None:
    async with client(tmp_path, limits=Limits(key_rate=0.1, key_burst=2)) as http:
        for _ in range(5):
            assert (await http.get("/sessions")).status_code == 200


async def test_two_hosts_are_nobodys_name(tmp_path: Path) -> None:
    key = add_key(tmp_path / "tenuto.keys", clock=FakeClock())
    async with client(tmp_path, key=key) as http:
        twice = [("host", "127.0.0.1:8765"), ("host", "127.0.0.1:8765")]
        reply = await http.get("/sessions", headers=[*twice, *http.headers.multi_items()])
        assert code(reply) == (421, "wrong_host")


async def test_a_list_tells_the_life_of_each_session(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        for name, expires in (("live", 10.0), ("parked", 0.0), ("ended", 0.0)):
            http.host.add(name)
            head = msgspec.structs.replace(http.host.heads[name], expires=expires)
            http.host.heads[name] = head
        http.host.append("ended", "session.ended", ended=True)
        listed = (await http.get("/sessions")).json()["sessions"]
        assert [one["life"] for one in listed] == ["ended", "parked", "live"]
        for one in listed:
            assert (await http.get(f"/sessions/{one['session_id']}")).json() == one


async def test_an_import_is_read_as_it_comes(tmp_path: Path) -> None:
    async def file() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b'{"line":%d}\n' % number

    query = {"user_map": ["a=b", "c=d=e"], "session_id": "mine", "kind": "chat"}
    for form in ("application/json", "application/jsonl; charset=utf-8", "application/x-ndjson"):
        async with client(tmp_path) as http:
            made = await http.post(
                "/sessions/import", params=query, content=file(), headers={"content-type": form}
            )
            assert (made.status_code, made.json()) == (201, {"session_ids": ["mine"]})
            lines = b'{"line":0}\n{"line":1}\n{"line":2}\n'
            assert http.host.imported == (lines, {"a": "b", "c": "d=e"}, "chat")


@pytest.mark.parametrize(
    "query",
    ["user_map=a", "user_map==b", "user_map=a/b=c", "kind=none", "kind=chat&kind=chat",
     "session_id=a/b", "none=1", "&".join(["user_map=a=b"] * 101)],
)  # fmt: skip
async def test_a_wrong_import_is_refused(tmp_path: Path, query: str) -> None:
    async with client(tmp_path) as http:
        reply = await http.post(f"/sessions/import?{query}", json=[])
        assert code(reply) == (400, "invalid_input")
        assert http.host.imported is None


async def test_an_import_is_bounded_in_size_time_form_and_number(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    as_json = {"content-type": "application/json"}
    limits = Limits(import_bytes=1_000, import_seconds=0.02, imports=1)
    async with client(tmp_path, limits=limits) as http:
        assert (await http.post("/sessions/import", json=["x" * 900])).status_code == 201
        large = await http.post("/sessions/import", json=["x" * 1_000])
        assert code(large) == (413, "body_too_large")
        slow = await http.post("/sessions/import", content=endless(), headers=as_json)
        assert code(slow) == (408, "request_timeout")
        form = await http.post("/sessions/import", content=b"[]")
        assert code(form) == (415, "media_type_unsupported")
        assert http.app.state.reception.importing == 0
        http.app.state.reception.importing = 1
        assert code(await http.post("/sessions/import", json=[])) == (429, "quota_exceeded")


async def test_an_import_and_a_change_of_settings_need_the_key(tmp_path: Path) -> None:
    add_key(tmp_path / "tenuto.keys", clock=FakeClock())
    async with client(tmp_path) as http:
        http.host.add("s1")
        for headers in ({}, {"authorization": "Bearer tr_a_client_s_resume_token"}):
            for method, path in (("POST", "/sessions/import"), ("PATCH", "/sessions/s1/config")):
                reply = await http.request(method, path, json={}, headers=headers)
                assert code(reply) == (401, "authentication_failed")
        assert http.host.imported is None


@pytest.mark.parametrize(
    "given",
    [
        {"config": {"temprature": 0.3, "memory_mode": "hybird"}},
        {"config": {"temperature": 3}},
        {"config": {"max_output_tokens": 4096.5}},
        {"config": {"max_output_tokens": 4096, "timezone": "Europe/Rom"}},
        {"config": {"user_id": "bob"}},
        {"config": "educational"},
        {"preset": "educationall"},
    ],
)
async def test_wrong_settings_are_refused_in_the_words_of_python(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        with pytest.raises(InvalidConfig) as caught:
            tenuto.create_session(**given)
        with_python = (400, "config_invalid", caught.value.message)
        transport = httpx.ASGITransport(create_app(tenuto, static=None))
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            reply = await http.post("/sessions", json=given)
            assert (*code(reply), reply.json()["error"]["message"]) == with_python
            assert (await http.get("/sessions")).json()["sessions"] == []


async def test_settings_of_a_running_session_are_changed(tmp_path: Path) -> None:
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        session = await tenuto.create_session(session_id="s1")
        transport = httpx.ASGITransport(create_app(tenuto, static=None))
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            one = "/sessions/s1/config"
            changed = await http.patch(one, json={"temperature": 0.3, "max_output_tokens": 9.0})
            shown = {"session_id": "s1", "version": 1, "applied_version": 0}
            assert (changed.status_code, changed.json()) == (200, shown)
            assert (session.config.temperature, session.config.max_output_tokens) == (0.3, 9)
            assert (await http.patch(one, json={"temperature": 0.3})).json() == shown
            assert (await http.patch(one)).json() == shown
            for wrong in ({"temprature": 1}, {"voice": "nova", "temperature": 3}):
                with pytest.raises(InvalidConfig) as caught:
                    session.update_config(**wrong)
                reply = await http.patch(one, json=wrong)
                said = reply.json()["error"]["message"]
                assert (*code(reply), said) == (400, "config_invalid", caught.value.message)
            # What Python takes and HTTP does not is a setting, too.
            assert code(await http.patch(one, json={"voice": "Zoë"})) == (400, "config_invalid")
            assert code(await http.patch(one, content=b"{")) == (415, "media_type_unsupported")
            as_json = {"content-type": "application/json"}
            for content in (b"{", b"8\xff;", b"[]", b"8"):
                reply = await http.patch(one, content=content, headers=as_json)
                assert reply.status_code == 400
            assert session.config.version == 1
            none = await http.patch("/sessions/none/config", json={})
            assert code(none) == (404, "session_not_found")
            await session.end()
            assert code(await http.patch(one, json={"voice": "x"})) == (409, "session_ended")
