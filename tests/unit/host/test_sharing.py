"""A session that is shared: the right user sees it live, and nobody sees or does more than was granted."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import pytest

from tenuto import Session, SharedSession, SharedView, Tenuto, TenutoConfig
from tenuto import events as e
from tenuto.errors import (
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    SessionLocked,
    ShareExpired,
    ShareRevoked,
    StoreFull,
    TenutoError,
    TooMuch,
)
from tenuto.session import ports, shares
from tenuto.session.attachment import Joining
from tenuto.session.shares_part import AuditEntry
from tenuto.session.streams import MOST_UNREAD
from tenuto.stores import rows
from tenuto.testing.engine import Step
from tests.unit.host.hosting import HI, hosting
from tests.unit.session.house import Ear, quiet

pytestmark = pytest.mark.virtual

HOUR = 3600.0


async def shared(
    host: Tenuto, *permissions: str, user: str = "doctor", hours: float = 24
) -> tuple[Session, SharedView]:
    """Alice's session, shared."""
    session = await host.create_session(user_id="alice", session_id="s")
    return session, session.create_shared_view(user, permissions, hours)


async def look(host: Tenuto, view: SharedView, user: str = "doctor", **more: Any) -> SharedSession:
    return await host.access_shared_session(share_token=view.token, user_id=user, **more)


async def refused(what: Any) -> TenutoError:
    with pytest.raises(TenutoError) as caught:
        await what
    return caught.value


def told(audit: Sequence[AuditEntry]) -> list[str]:
    """An audit, in short."""
    return [
        f"{entry.user} {entry.event.partition('.')[2]} {entry.action} {entry.refused}".strip()
        for entry in audit
    ]


async def journal(host: Tenuto, session: str = "s") -> list[e.Event]:
    found = await host.store.read(ports.Read(session=session, limit=10_000))
    return [rows.to_event(row) for row in found]


async def next_event(one: SharedSession, kind: type[e.Event]) -> e.Event:
    async with asyncio.timeout(60):
        async for event in one.events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"no {kind.__name__}")


# -------------------------------------------------------------------------------------------------- the document's words


async def test_the_words_of_the_document_work_without_await() -> None:
    async with hosting() as host:
        session = host.create_session(user_id="alice")
        shared_session = session.create_shared_view(
            shared_with_user_id="doctor_456",
            permissions=["read", "add_notes"],
            expire_after_hours=24,
        )
        shared = await host.access_shared_session(
            share_token=shared_session.token, user_id="doctor_456"
        )
        assert (shared.owner_id, shared.permissions) == ("alice", ["read", "add_notes"])
        assert shared.session_id == session.session_id
        assert shared.expires_at == shared_session.expires_at == host.clock.now() + 24 * HOUR
        shared.close()


async def test_what_is_shared_is_the_session_itself_live() -> None:
    async with hosting() as host:
        session, view = await shared(host, "read", "add_notes")
        async with await look(host, view) as one:
            attached = next(iter(session.driver.core.state.here.values()))
            assert (attached.role, attached.client, attached.share) == ("observer", "share:1", 1)
            assert session.driver.core.state.controller == 0
            await session.send_message("Hi")
            message = await next_event(one, e.MessageAdded)
            assert isinstance(message, e.MessageAdded) and message.text == "Hi"
            segment = await next_event(one, e.ReplySegment)
            assert isinstance(segment, e.ReplySegment) and segment.text == "Hello."
            await next_event(one, e.MessageAdded)
            assert [m.text for m in (await one.history()).messages] == ["Hi", "Hello."]
            note = await one.add_note("Friendly.")
            assert await one.notes() == [note] == session.shares.notes
            assert (note.user, note.share) == ("doctor", 1)
        await session.commit()
        assert 1 not in session.driver.core.state.here
        kinds = [type(event) for event in await journal(host)]
        assert e.AttachmentAttached in kinds and e.AttachmentDetached in kinds
        assert told(await session.shares.audit()) == [
            "doctor created",
            "doctor accessed open",
            "doctor accessed read_history",
            "doctor accessed add_note",
            "doctor added",
            "doctor accessed read_notes",
        ]


# ----------------------------------------------------------------------------------------------------------- refusals


async def test_everybody_else_is_refused_and_every_refusal_is_journaled() -> None:
    async with hosting() as host:
        session, view = await shared(host, "read", hours=1)
        assert type(await refused(look(host, view, "eve"))) is NotAllowed
        await asyncio.sleep(HOUR)
        assert type(await refused(look(host, view))) is ShareExpired
        assert type(await refused(look(host, view, "eve"))) is NotAllowed
        session = await host.load_session("s")
        gone = await session.create_shared_view("doctor", ["read"])
        await gone.revoke()
        assert type(await refused(look(host, gone))) is ShareRevoked
        assert told(await session.shares.audit()) == [
            "doctor created",
            "eve accessed open user",
            "doctor accessed open expired",
            "eve accessed open user",
            "doctor created",
            "alice revoked",
            "doctor accessed open revoked",
        ]


async def test_tokens_that_prove_nothing_all_look_the_same_and_leave_no_trace() -> None:
    async with hosting() as host:
        session, view = await shared(host, "read")
        other = await host.create_session(user_id="bob", session_id="other")
        theirs = other.create_shared_view("doctor")
        await other.commit()
        await session.commit()
        before = [len(await journal(host, name)) for name in ("s", "other")]
        secret = view.token.partition(".")[2]
        wrong = [
            "",
            "ts_",
            "nonsense",
            view.token[:-1],
            view.token + "A",
            view.token.swapcase(),
            shares.new_token("s"),
            shares.new_token("nobody"),
            shares.new_token("other").partition(".")[0] + "." + secret,
            theirs.token.partition(".")[0] + "." + secret,
            view.token.partition(".")[0] + "." + theirs.token.partition(".")[2],
        ]
        errors = [await refused(host.access_shared_session(token, "doctor")) for token in wrong]
        errors.append(await refused(look(host, view, tenant="acme")))
        assert {(type(error), error.message) for error in errors} == {
            (NotAuthenticated, shares.unknown().message)
        }
        assert [len(await journal(host, name)) for name in ("s", "other")] == before


async def test_an_unknown_token_loads_no_session() -> None:
    async with hosting() as host:
        session, view = await shared(host, "read")
        await session.close()
        await asyncio.sleep(60)
        assert not host.sessions_here
        await refused(host.access_shared_session(shares.new_token("s"), "doctor"))
        await refused(look(host, view, tenant="acme"))
        assert not host.sessions_here
        (await look(host, view)).close()
        assert "s" in host.sessions_here


async def test_refusals_make_a_journal_grow_up_to_a_bound() -> None:
    async with hosting() as host:
        session, view = await shared(host, "add_notes")
        one = await look(host, view)
        for _ in range(30):
            assert type(await refused(look(host, view, "eve"))) is NotAllowed
            assert type(await refused(one.history())) is NotAllowed
        audit = await session.shares.audit(limit=1_000)
        assert sum(bool(entry.refused) for entry in audit) == shares.REFUSALS_KEPT
        before = len(await journal(host))
        await session.close()
        await asyncio.sleep(60)
        assert not host.sessions_here
        assert type(await refused(look(host, view, "eve"))) is NotAllowed
        assert not host.sessions_here
        assert len(await journal(host)) == before + 1, "it was parked, and nothing else"


READS = ["history", "memory", "notes"]


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        (["read"], [*READS]),
        (["read_sensitive"], [*READS]),
        (["add_notes"], ["add_note"]),
        (["speak"], [*READS, "send_message"]),
        (["grant"], ["create_shared_view"]),
        (["read", "add_notes", "grant"], [*READS, "add_note", "create_shared_view"]),
    ],
)
async def test_nothing_can_be_done_that_was_not_granted(
    permissions: list[str], allowed: list[str]
) -> None:
    verbs: dict[str, tuple[Any, ...]] = {
        "history": (),
        "memory": (),
        "notes": (),
        "add_note": ("x",),
        "send_message": ("Hi",),
        "create_shared_view": ("nurse", permissions),
    }
    async with hosting() as host:
        session, view = await shared(host, *permissions)
        one = await look(host, view)
        assert bool(session.driver.core.state.here) is ("read" in one.permissions)
        for verb, arguments in verbs.items():
            before = session.driver.core.state.messages
            if verb in allowed:
                await getattr(one, verb)(*arguments)
            else:
                error = await refused(getattr(one, verb)(*arguments))
                assert (type(error), error.code) == (NotAllowed, "permission_denied")
                assert session.driver.core.state.messages == before
        refusals = [a for a in await session.shares.audit() if a.refused == "permission"]
        assert len(refusals) == len(verbs) - len(allowed)
        one.close()


async def test_without_read_nothing_is_seen() -> None:
    async with hosting() as host:
        session, view = await shared(host, "add_notes")
        async with await look(host, view) as one:
            await session.send_message("Hi")
            assert [event async for event in one.events] == []


# -------------------------------------------------------------------------------------------------------- its end


async def test_a_view_ends_exactly_when_its_share_does() -> None:
    async with hosting() as host:
        session, view = await shared(host, "read", hours=1)
        one = await look(host, view)
        await session.send_message("Hi")
        await asyncio.sleep(one.expires_at - host.clock.now() - 0.001)
        await one.history()
        assert 1 in session.driver.core.state.here
        await asyncio.sleep(0.0005)
        assert 1 in session.driver.core.state.here, "not before"
        with pytest.raises(ShareExpired):
            async for _ in one.events:
                pass
        assert abs(host.clock.now() - one.expires_at) < 0.0002
        assert 1 not in session.driver.core.state.here
        assert type(await refused(one.history())) is ShareExpired
        detached = [x for x in await journal(host) if isinstance(x, e.AttachmentDetached)]
        assert [x.reason for x in detached] == ["expired"]


async def test_a_revoked_share_closes_every_view_through_it_and_what_was_granted_on() -> None:
    async with hosting() as host:
        session, view = await shared(host, "read", "grant")
        one, two = await look(host, view), await look(host, view)
        child = await one.create_shared_view("nurse", ["read"])
        three = await look(host, child, "nurse")
        kept = await session.create_shared_view("carol", ["read"])
        four = await look(host, kept, "carol")
        await view.revoke()
        for gone in (one, two, three):
            with pytest.raises(ShareRevoked):
                async for _ in gone.events:
                    pass
            assert type(await refused(gone.history())) is ShareRevoked
        assert type(await refused(look(host, child, "nurse"))) is ShareRevoked
        assert len(session.driver.core.state.here) == 1
        await session.send_message("Hi")
        await next_event(four, e.MessageAdded)
        four.close()


async def test_nothing_is_seen_between_the_revocation_and_its_commit() -> None:
    async with hosting() as host:
        session, view = await shared(host, "read")
        one = await look(host, view)
        seen: list[e.Event] = []

        async def follow() -> None:
            with contextlib.suppress(ShareRevoked):
                async for event in one.events:
                    seen.append(event)

        following = asyncio.create_task(follow())
        await asyncio.sleep(1)
        before = len(seen)
        host.shelf.open.clear()
        session.shares.revoke(1)
        session.add_memory("Said too late.")
        asking = asyncio.create_task(refused(one.memory()))
        await asyncio.sleep(1)
        host.shelf.open.set()
        assert type(await asking) is ShareRevoked
        await following
        assert [event for event in seen[before:] if isinstance(event, e.MemoryAdded)] == []


async def test_shares_end_with_the_session() -> None:
    async with hosting() as host:
        _session, view = await shared(host, "read")
        one = await look(host, view)
        await host.end_session("s")
        assert all([not isinstance(event, e.ShareRevoked) async for event in one.events])
        assert type(await refused(one.history())) is ShareRevoked
        assert type(await refused(look(host, view))) is ShareRevoked
        assert type(await refused(look(host, view, "eve"))) is NotAllowed
        assert isinstance((await journal(host))[-1], e.SessionEnded)


async def test_a_forgotten_session_leaves_nothing_to_look_at() -> None:
    async with hosting() as host:
        _session, view = await shared(host, "read")
        one = await look(host, view)
        await host.forget_session("s")
        assert type(await refused(look(host, view))) is NotAuthenticated
        assert type(await refused(one.history())) is ShareRevoked


# ------------------------------------------------------------------------------------------------------- escalation


async def test_a_grant_never_escalates() -> None:
    async with hosting() as host:
        session, view = await shared(host, "read", "grant", hours=2)
        one = await look(host, view)
        for permissions in (["read_sensitive"], ["speak"], ["read", "add_notes"]):
            assert type(await refused(one.create_shared_view("nurse", permissions))) is NotAllowed
        assert type(await refused(one.create_shared_view("nurse", ["read"], 2.1))) is NotAllowed
        assert type(await refused(one.create_shared_view("", ["read"]))) is InvalidInput
        child = await one.create_shared_view("nurse", ["read", "grant"])
        assert child.expires_at == view.expires_at
        grandchild = await (await look(host, child, "nurse")).create_shared_view(
            "carol", ["read", "grant"]
        )
        deep = await look(host, grandchild, "carol")
        assert type(await refused(deep.create_shared_view("dave", ["read"]))) is TooMuch
        tried = [entry for entry in await session.shares.audit() if entry.action == "grant"]
        assert [entry.refused for entry in tried] == ["permission"] * 4 + ["", ""]
        # One that was revoked grants nothing more, whoever holds it.
        await session.shares.revoke(child.share)
        assert type(await refused(deep.create_shared_view("dave", ["read"]))) is ShareRevoked
        assert {s.user: s.is_open for s in session.shares.list()} == {
            "doctor": True,
            "nurse": False,
            "carol": False,
        }


async def test_a_view_never_gets_the_controls() -> None:
    async with hosting() as host:
        session, view = await shared(host, "speak")
        async with await look(host, view) as one:
            reply = await one.send_message("Hi")
            assert reply.text == "Hello."
            assert session.driver.core.state.controller == 0
            attached = [x for x in await journal(host) if isinstance(x, e.AttachmentAttached)]
            assert [x.role for x in attached] == ["observer"]


# -------------------------------------------------------------------------------------------------------- speaking


async def test_who_may_speak_is_answered_in_their_own_name() -> None:
    async with hosting(HI, Step(hear="Oh", say=["Yes?"])) as host:
        session, view = await shared(host, "speak")
        async with await look(host, view) as one:
            await session.send_message("Oh")
            assert (await one.send_message("Hi")).text == "Hello."
            messages = (await one.history()).messages
            assert [(m.text, m.user) for m in messages if m.role == "user"] == [
                ("Oh", ""),
                ("Hi", "doctor"),
            ]
            assert type(await refused(one.send_message("  "))) is InvalidInput


async def test_a_share_that_is_revoked_while_a_message_is_answered_gives_no_answer() -> None:
    async with hosting(Step(hear="Hi", say=["Hello."], delay=5.0)) as host:
        _session, view = await shared(host, "speak")
        async with await look(host, view) as one:
            asking = asyncio.create_task(refused(one.send_message("Hi")))
            await asyncio.sleep(1)
            await view.revoke()
            assert type(await asking) is ShareRevoked
            messages = [x for x in await journal(host) if isinstance(x, e.MessageAdded)]
            assert [m.text for m in messages] == ["Hi", "Hello."]


async def test_a_message_is_of_the_same_moment_as_its_permission(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with hosting() as host:
        session, view = await shared(host, "speak")
        async with await look(host, view) as one:

            async def revoked_meanwhile() -> None:
                await view.revoke()

            monkeypatch.setattr(session.memory, "fresh", revoked_meanwhile)
            assert (await one.send_message("Hi")).text == "Hello."
            await session.send_message("Hi")
            assert type(await refused(one.send_message("Hi"))) is ShareRevoked
            said = [x for x in await journal(host) if isinstance(x, e.MessageAdded)]
            assert [m.user for m in said if m.role == "user"] == ["doctor", ""]


async def test_the_engine_is_closed_a_while_after_somebody_spoke_and_nobody_is_in_control() -> None:
    async with hosting() as host:
        session, view = await shared(host, "speak")
        async with await look(host, view) as one:
            await asyncio.sleep(host.config.grace * 2)
            await one.send_message("Hi")
            await asyncio.sleep(host.config.grace - 1)
            assert session.driver.core.link.value == "ready"
            await asyncio.sleep(2)
            assert session.driver.core.link.value == "closed"
            assert (await one.send_message("Hi")).text == "Hello."


# -------------------------------------------------------------------------------------------- races, numbers, hosts


async def test_a_batch_that_its_owner_drops_takes_no_audit_with_it() -> None:
    async with hosting() as host:
        session, view = await shared(host, "add_notes")
        one = await look(host, view)
        with contextlib.suppress(KeyError):
            with session.batch_update():
                session.create_shared_view("carol")
                await one.add_note("Kept.")
                raise KeyError
        assert [note.text for note in session.shares.notes] == ["Kept."]
        assert told(await session.shares.audit())[-2:] == [
            "doctor accessed add_note",
            "doctor added",
        ]


async def test_a_share_of_a_batch_is_of_use_when_the_batch_is_over() -> None:
    async with hosting() as host:
        session = await host.create_session(user_id="alice", session_id="s")
        async with session.batch_update():
            view = session.create_shared_view("doctor")
            assert type(await refused(look(host, view))) is NotAuthenticated
        assert (await look(host, view)).share == view.share == 1


async def test_a_hundred_views_at_once() -> None:
    async with hosting() as host:
        session, view = await shared(host, "read")
        views = [await look(host, view) for _ in range(100)]
        await session.send_message("Hi")
        for one in views:
            event = await next_event(one, e.MessageAdded)
            assert isinstance(event, e.MessageAdded) and event.text == "Hi"
        await view.revoke()
        assert [n for n, here in session.driver.core.state.here.items() if here.share] == []


async def test_a_view_that_nobody_reads_costs_so_much_and_no_more() -> None:
    async with hosting() as host:
        session, view = await shared(host, "read")
        one = await look(host, view)
        for number in range(MOST_UNREAD + 50):
            session.add_memory(f"Fact number {number}.")
        await session.commit()
        with pytest.raises(TooMuch):
            await next_event(one, e.MemoryAdded)
        await session.commit()
        assert session.driver.core.state.here == {}


async def test_a_view_holds_on_to_a_session_that_was_parked_meanwhile() -> None:
    async with hosting() as host:
        session, view = await shared(host, "add_notes")
        one = await look(host, view)
        await session.close()
        await asyncio.sleep(60)
        assert not host.sessions_here
        await one.add_note("Later.")
        again = await host.load_session("s")
        assert again is not session
        assert [note.text for note in again.shares.notes] == ["Later."]


async def test_who_goes_while_a_view_opens_leaves_none_behind() -> None:
    async with hosting() as host:
        session, view = await shared(host, "read")
        await session.commit()
        opening = asyncio.create_task(look(host, view))
        await asyncio.sleep(0)
        host.shelf.open.clear()
        await asyncio.sleep(1)
        assert len(session.driver.core.state.here) == 1
        opening.cancel()
        await asyncio.wait([opening])
        host.shelf.open.set()
        await session.commit()
        assert session.driver.core.state.here == {}


async def test_a_refusal_is_durable_before_it_is_told() -> None:
    async with hosting() as host:
        session, view = await shared(host, "read")
        await session.commit()
        host.shelf.full.add("s")
        assert type(await refused(look(host, view, "eve"))) is StoreFull
        host.shelf.full.clear()


async def test_a_share_is_found_by_whichever_host_has_the_session() -> None:
    async with hosting() as host:
        session, view = await shared(host, "read")
        await session.commit()
        config = TenutoConfig(store="memory:", lease=3600)
        async with Tenuto(
            config, store=host.shelf, engines=host.engines, clock=host.clock
        ) as other:
            assert type(await refused(look(other, view))) is SessionLocked
            assert type(await refused(look(other, view, "eve"))) is NotAllowed
            assert type(await refused(look(other, view, tenant="acme"))) is NotAuthenticated
            one = await look(host, view)
            await host.drain()
            assert isinstance([event async for event in one.events][-1], e.AttachmentDetached)
            again = await look(other, view)
            assert (await again.history()).messages == []
            assert (await other.load_session("s")).shares.list()[0].accesses == 3
            again.close()


async def test_a_user_that_is_none_harms_no_session() -> None:
    """A name without bytes must never be on its way into the journal: it would take the session down."""
    async with hosting() as host:
        session, view = await shared(host, "read", "add_notes")
        assert isinstance(await refused(look(host, view, "bad \ud800")), InvalidInput)
        async with await look(host, view) as one:
            assert isinstance(await refused(one.add_note("bad \ud800")), InvalidInput)
        await session.commit()


async def test_who_gives_up_looking_while_somebody_joins_takes_nobody_along() -> None:
    """Both read the user's memory first, one after the other."""
    async with hosting() as host:
        session = await host.create_session(user_id="alice", config={"memory_scope": "user"})
        view = await session.create_shared_view("doctor", ["read"])
        share = shares.find(session.driver.core.state.shares, view.token)
        assert share is not None
        one, ear = SharedSession(host, session, share, "doctor"), Ear()
        with host.shelf.holding("head") as first:
            joining = asyncio.create_task(session.attach(Joining(client="phone"), ear))
            await quiet()
        with host.shelf.holding("head"):
            looking = asyncio.create_task(one.open(live=True))
            await quiet()
            first.set()
            attachment = await joining
            looking.cancel()
            await quiet()
        assert looking.cancelled()
        await session.commit()
        assert (attachment.number in session.driver.core.state.here, ear.let_go) == (True, [])
