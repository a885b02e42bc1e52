"""A host of sessions that are lists of rows, and wires that say what they were told. For tests of
the server alone.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from tenuto.errors import AppendConflict, SessionEnded, SessionNotFound
from tenuto.server.limits import Limits
from tenuto.server.reception import Visit
from tenuto.session.analytics_part import Report, report
from tenuto.session.config import SessionConfig
from tenuto.session.fold import State
from tenuto.session.ports import Head, Message, Query, Row
from tenuto.settings import TenutoConfig
from tenuto.transports.carrier import Carrier
from tenuto.wire import native


class FakeClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


class FakePage:
    def __init__(self, messages: Sequence[Message], after: int | None) -> None:
        self.messages = messages
        self.next = after


class FakeHost:
    """What the server needs of a `Tenuto`, in memory."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.config = TenutoConfig(keys=str(folder / "tenuto.keys"), **settings)
        self.heads: dict[str, Head] = {}
        self.rows: dict[str, list[Row]] = {}
        self.messages: dict[str, list[Message]] = {}
        self.drained = 0
        self.entered = 0
        self.watching = 0
        self.broken: Exception | None = None
        self.imported: tuple[bytes, dict[str, str], str] | None = None
        self.time = 1_700_000_000.0
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.entered += 1
        return self

    async def __aexit__(self, *error: object) -> None:
        self.entered -= 1

    def warm(self) -> None: ...

    def add(self, session: str, *, tenant: str = "local", user: str = "local") -> None:
        self.time += 1
        self.heads[session] = Head(
            session=session,
            tenant=tenant,
            user=user,
            epoch="0" * 16,
            position=0,
            created=self.time,
            updated=self.time,
            ended=False,
            due=None,
            fence=1,
            owner="here",
            url="",
            expires=10.0,
        )
        self.rows[session] = []
        self.messages[session] = []
        self.append(session, "session.created")

    def append(self, session: str, tag: str, *, ended: bool = False) -> None:
        rows = self.rows[session]
        body = b'{"type":"%b","at":1.0}' % tag.encode()
        rows.append(Row(len(rows) + 1, tag, body))
        head = self.heads[session]
        self.heads[session] = msgspec.structs.replace(
            head, position=len(rows), ended=ended or head.ended
        )
        self._changed.set()
        self._changed = asyncio.Event()

    async def create_session(
        self,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        config: SessionConfig | Mapping[str, Any] | None = None,
        preset: SessionConfig | str | None = None,
        tenant: str = "local",
    ) -> None:
        assert session_id is not None
        if session_id in self.heads:
            raise AppendConflict()
        self.add(session_id, tenant=tenant, user=user_id or "local")

    async def head(self, session_id: str, *, tenant: str) -> Head:
        found = self.heads.get(session_id)
        if found is None or found.tenant != tenant:
            raise SessionNotFound()
        return found

    async def sessions(self, query: Query) -> Sequence[Head]:
        if self.broken is not None:
            raise self.broken
        found = [
            head
            for head in self.heads.values()
            if head.tenant == query.tenant and query.user in (None, head.user)
        ]
        found.sort(key=lambda head: (head.updated, head.session), reverse=True)
        if query.before is not None:
            found = [head for head in found if (head.updated, head.session) < query.before]
        return found[: query.limit]

    async def history(
        self, session_id: str, *, tenant: str, before: int | None = None, limit: int = 50
    ) -> FakePage:
        await self.head(session_id, tenant=tenant)
        found = [m for m in self.messages[session_id] if before is None or m.message < before]
        page = found[-limit:]
        return FakePage(page, page[0].message if len(found) > limit else None)

    async def analytics(self, session_id: str, *, tenant: str) -> Report:
        head = await self.head(session_id, tenant=tenant)
        state = State(session=session_id, user=head.user)
        state.analytics.topics = {"chess": 2}
        return report(state, 1_000.0, {})

    async def watch(self, session_id: str, *, tenant: str, after: int = 0) -> AsyncIterator[Row]:
        self.watching += 1
        try:
            while True:
                changed = self._changed
                for row in self.rows[session_id][after:]:
                    after = row.position
                    yield row
                    if row.type == "session.ended":
                        return
                await changed.wait()
        finally:
            self.watching -= 1

    async def end_session(self, session_id: str, *, tenant: str, reason: str = "user") -> None:
        if (await self.head(session_id, tenant=tenant)).ended:
            raise SessionEnded()
        self.append(session_id, "session.ended", ended=True)

    async def import_sessions(
        self,
        data: AsyncIterator[bytes],
        *,
        user_id_mapping: Mapping[str, str] | None = None,
        session_id: str | None = None,
        tenant: str,
        kind: str = "",
    ) -> Sequence[str]:
        self.imported = (b"".join([part async for part in data]), dict(user_id_mapping or {}), kind)
        name = session_id or "imported"
        self.add(name, tenant=tenant)
        return [name]

    async def forget_session(self, session_id: str, *, tenant: str) -> None:
        await self.head(session_id, tenant=tenant)
        del self.heads[session_id], self.rows[session_id], self.messages[session_id]

    async def peek(self, session_id: str, *, tenant: str) -> Any:
        raise NotImplementedError

    async def load_session(self, session_id: str, *, tenant: str) -> Any:
        raise NotImplementedError

    async def access_shared_session(
        self, share_token: str, user_id: str, *, tenant: str, live: bool = True
    ) -> Any:
        raise NotImplementedError

    async def drain(self) -> None:
        self.drained += 1


class EchoWire:
    """Sends back what it gets. A text of `attach` is an attach, `close CODE` closes; `log` has what
    it was told.
    """

    def __init__(self, tenuto: Any, visit: Visit, limits: Limits) -> None:
        self.admit = visit.admit
        self.log: list[str] = []
        self.gone = asyncio.Event()
        self.carrier: Carrier | None = None

    def opened(self, carrier: Carrier) -> None:
        self.carrier = carrier
        self.log.append("opened")

    def text(self, data: bytes) -> None:
        self.log.append("text")
        assert self.carrier is not None
        if data.startswith(b"close "):
            self.carrier.close(int(data[6:]), "asked for")
        elif data == b"fail":
            raise RuntimeError("a bug")
        elif data.startswith(b"{"):
            attach = native.decode_client(data)
            assert isinstance(attach, native.Attach)
            try:
                admission = self.admit("", attach)
            except Exception as error:  # noqa: BLE001 -- the test reads which
                self.carrier.send_text(f"refused {error}".encode())
            else:
                self.carrier.send_text(f"admitted {admission.tenant} {admission.role}".encode())
        else:
            self.carrier.send_text(data)

    def binary(self, data: bytes | memoryview) -> None:
        assert self.carrier is not None
        self.carrier.send_binary(bytes(data))

    def lost(self) -> None:
        self.log.append("lost")
        self.gone.set()


class Echoes:
    """Makes echo wires and remembers them."""

    def __init__(self) -> None:
        self.wires: list[EchoWire] = []

    def __call__(self, tenuto: Any, visit: Visit, limits: Limits) -> EchoWire:
        self.wires.append(EchoWire(tenuto, visit, limits))
        return self.wires[-1]
