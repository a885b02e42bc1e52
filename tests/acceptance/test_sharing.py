"""Shares through the real server: a share is given over HTTP, its user attaches with a ticket, and a revocation closes the
socket.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx

from tenuto.clock import SystemClock
from tenuto.security.grants import add_key
from tenuto.wire import native
from tests.acceptance.peers import PATIENCE, attached, journal, make, peer
from tests.acceptance.serving import Served


def code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, str(reply.json()["error"]["code"])


async def give(http: httpx.AsyncClient, session: str, **more: Any) -> dict[str, Any]:
    reply = await http.post(f"/sessions/{session}/shares", json={"user_id": "doctor", **more})
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def access(http: httpx.AsyncClient, token: str, user: str = "doctor") -> httpx.Response:
    return await http.post("/shared/access", json={"share_token": token, "user_id": user})


async def test_a_share_is_seen_live_until_it_is_revoked(tmp_path: Path) -> None:
    with Served(tmp_path) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as http:
            session = await make(http)
            made = await give(http, session, permissions=["read", "add_notes"])
            given = await access(http, made["token"])
            assert given.status_code == 201, given.text
            assert (given.json()["session_id"], given.json()["share"]) == (session, 1)
            assert given.json()["permissions"] == ["read", "add_notes"]
            ticket = native.TICKET_PREFIX + given.json()["ticket"]
            async with (
                attached(server.url, session) as owner,
                peer(server.url, session, ticket) as viewer,
            ):
                await viewer.attach(role="observer")
                assert (viewer.attached["role"], viewer.attached["token"]) == ("observer", "")
                await owner.say("hello")
                while (await viewer.event("message.added"))["text"] != "hello":
                    pass
                refused = await viewer.command(native.SendMessage(text="let me in"))
                assert (refused["type"], refused["code"]) == ("no", "permission_denied")
                # Positions have no gaps, and nothing tells of the owner's client or of shares.
                note = {"share_token": made["token"], "user_id": "doctor", "text": "Noted."}
                assert (await http.post("/shared/notes", json=note)).status_code == 201
                assert (await viewer.event("note.added"))["text"] == "Noted."
                positions = [frame["position"] for frame in viewer.events]
                assert positions == list(range(positions[0], positions[0] + len(positions)))
                seen = json.dumps(viewer.events)
                assert "event.withheld" in seen
                assert owner.client not in seen and "share." not in seen
                assert owner.attached["token"] not in seen

                gone = await http.delete(f"/sessions/{session}/shares/1")
                assert gone.status_code == 204
                assert await viewer.closed() == (native.CloseCode.EXPIRED, "revoked")
                await owner.say("alone again")
            assert code(await access(http, made["token"])) == (403, "share_revoked")
            (shown,) = (await http.get(f"/sessions/{session}/shares")).json()["shares"]
            assert (shown["open"], shown["revoked"], shown["refused"]) == (False, True, 1)
            assert "token" not in shown
            events = await journal(http, session)
            assert made["token"] not in json.dumps([entry.body for entry in events])
            (detached,) = [
                entry.body["reason"]
                for entry in events
                if entry.type == "attachment.detached" and entry.body["attachment"] == 2
            ]
            assert detached == "revoked"


async def test_a_snapshot_and_a_replay_show_no_more_than_what_happens(tmp_path: Path) -> None:
    with Served(tmp_path) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as http:
            session = await make(http)
            async with attached(server.url, session) as owner:
                await owner.say("before")
            made = await give(http, session)
            seen: list[dict[str, Any]] = []
            for have in (None, True):
                ticket = native.TICKET_PREFIX + (await access(http, made["token"])).json()["ticket"]
                async with peer(server.url, session, ticket, client="x") as viewer:
                    epoch = seen[0]["epoch"] if have else ""
                    await viewer.ask_to_attach(
                        role="observer",
                        have=native.Have(epoch=epoch, position=0) if have else None,
                    )
                    seen.append(await viewer.until("attached"))
                    if have:
                        await viewer.until("live")
                        replayed = json.dumps(viewer.events)
                        assert "before" in replayed and owner.client not in replayed
                        assert viewer.events[0]["event"]["type"] == "event.withheld"
                    else:
                        state = (await viewer.until("snapshot"))["state"]
                        assert [m["text"] for m in state["messages"]] == ["before"]
            assert [one["mode"] for one in seen] == ["snapshot", "replay"]


async def test_who_is_let_in_for_looking_gets_nothing_else(tmp_path: Path) -> None:
    with Served(tmp_path) as server:
        key = add_key(server.keys, clock=SystemClock(), tenant="acme")
        other = add_key(server.keys, clock=SystemClock(), tenant="rival")
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        headers = [{"Authorization": f"Bearer {one}"} for one in (key, other)]
        async with (
            httpx.AsyncClient(base_url=server.url, headers=headers[0], timeout=PATIENCE) as http,
            httpx.AsyncClient(base_url=server.url, headers=headers[1], timeout=PATIENCE) as rival,
            httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as nobody,
        ):
            session = await make(http)
            made = await give(http, session)
            before = len(await journal(http, session))
            assert code(await access(nobody, made["token"])) == (401, "authentication_failed")
            told = [
                (await access(rival, made["token"])).text,
                (await access(http, "ts_x")).text,
                (await access(http, made["token"] + "x")).text,
            ]
            assert len(set(told)) == 1 and "not known" in told[0]
            assert len(await journal(http, session)) == before
            assert code(await access(http, made["token"], "eve")) == (403, "permission_denied")
            for path in (f"/sessions/{session}/shares", f"/sessions/{session}/shares/1"):
                method = "DELETE" if path.endswith("1") else "GET"
                assert (await rival.request(method, path)).status_code == 404
            assert (await http.delete(f"/sessions/{session}/shares/2")).status_code == 404

            # A ticket of a share: not for the controls, not twice, and no token to come back with.
            ticket = (await access(http, made["token"])).json()["ticket"]
            async with peer(server.url, session, native.TICKET_PREFIX + ticket) as thief:
                await thief.ask_to_attach(role="controller")
                assert (await thief.refused())[0] == "authentication_failed"
            async with peer(server.url, session, native.TICKET_PREFIX + ticket) as thief:
                await thief.ask_to_attach(role="observer")
                assert (await thief.refused())[0] == "authentication_failed"
            # One that was given out before the share was revoked is of no use after.
            ticket = (await access(http, made["token"])).json()["ticket"]
            await http.delete(f"/sessions/{session}/shares/1")
            async with peer(server.url, session, native.TICKET_PREFIX + ticket) as late:
                await late.ask_to_attach(role="observer")
                assert (await late.refused())[:2] == ("share_revoked", native.CloseCode.REFUSED)
            notes_only = await give(http, session, permissions=["add_notes"])
            assert (await access(http, notes_only["token"])).json()["ticket"] is None
            asked = {"share_token": notes_only["token"], "user_id": "doctor"}
            reply = await http.post("/shared/history", json=asked)
            assert code(reply) == (403, "permission_denied")


async def test_a_history_that_is_shared_is_read_over_http(tmp_path: Path) -> None:
    with Served(tmp_path) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as http:
            session = await make(http)
            async with attached(server.url, session) as owner:
                for number in range(5):
                    await owner.say(f"message {number}")
            made = await give(http, session)
            asked = {"share_token": made["token"], "user_id": "doctor"}
            page: dict[str, Any] = {"next": None}
            for expected in (["message 3", "message 4"], ["message 1", "message 2"], ["message 0"]):
                query = {"limit": 2} | ({"before": page["next"]} if page["next"] else {})
                page = (await http.post("/shared/history", params=query, json=asked)).json()
                assert [m["text"] for m in page["messages"]] == expected
            assert page["next"] is None
