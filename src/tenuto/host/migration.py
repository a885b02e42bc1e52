"""Sessions that move: out of a store as a stream of lines, into another one, or beside themselves as a fork.

An import is checked as a whole before any of it is written: the checksum, and that the events can be folded. Up to
`AT_ONCE` events it is then one atomic append; a longer one is forgotten again when it fails half way.
"""

import asyncio
import contextlib
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tenuto import events as e
from tenuto.errors import (
    ExportUnsupported,
    InvalidInput,
    Refused,
    SessionNotFound,
    StoreCorrupt,
    TenutoError,
)
from tenuto.ids import new_epoch, new_id
from tenuto.session import fold, importers, ports, shares, transfer
from tenuto.stores import rows

if TYPE_CHECKING:
    from tenuto.host.host import Tenuto

PACE = 500
"""Events after which somebody else has a turn: some milliseconds."""
LATEST = 253_402_300_799.0
"""The end of the year 9999, in seconds since 1970-01-01 UTC: what is later cannot be shown."""
AT_ONCE = 20_000
"""Events of one append."""
PAGE = 1_000
"""Rows that are read at a time."""
MOST_BYTES = 1 << 30
"""Bytes of an import."""
SMALL = 64 * 1024
"""Bytes of somebody else's data that are read at once: some milliseconds."""
MOST_VALUES = 4_000_000
"""Values of somebody else's data, by its commas and colons: what decoding them takes, nobody else has a turn in."""

_T = TypeVar("_T")

Source = bytes | str | Mapping[str, Any] | Sequence[Any] | Iterable[bytes] | AsyncIterable[bytes]
"""What can be imported: an export as one object, as its text, or as a stream of its lines; or somebody else's data."""


async def export_lines(
    store: ports.Store, head: ports.Head, upto: int | None = None
) -> AsyncIterator[bytes]:
    """Yield the lines of a session's export, with a bounded part of it in RAM.

    Args:
        upto: The last position; the head when None.
    """
    last = head.position if upto is None else upto
    writer = transfer.Writer(head.session, head.user, last)
    yield writer.begin()
    async for row in _rows(store, head.session, last):
        yield writer.line(row)
    yield writer.end()


async def import_lines(
    tenuto: "Tenuto",
    source: Source,
    *,
    users: Mapping[str, str] | None = None,
    session_id: str | None = None,
    tenant: str = "local",
    kind: str = "",
    most: int | None = None,
) -> list[str]:
    """Import sessions and return their ids. A session whose id is taken gets a new one.

    Args:
        source: See `Source`.
        users: Users by the names that they had.
        session_id: The id of the session, when it is just one.
        kind: What somebody else's data is; see `importers.read`.
        most: How many sessions there may be; None for any number.

    Raises:
        ExportUnsupported: It is of a format or version that is not known.
        InvalidInput: It is damaged; the message says where. Nothing was imported.
        AppendConflict: There is a session of that `session_id`.
    """
    found = await _read(source, kind)
    if isinstance(found, list):
        now = tenuto.clock.now()
        journals = [
            await _aside(64 * len(past.messages), _foreign, past, now, tenant) for past in found
        ]
        for _, _, journal in journals:
            await _check(journal)
    else:
        journals = [(found.name, found.user, found.rows)]
    renamed = [
        shares.acceptable_user((users or {}).get(user, user) or "local") for _, user, _ in journals
    ]
    if not journals:
        raise InvalidInput("There is no session in it.")
    if len(journals) > (most or len(journals)) or (session_id is not None and len(journals) > 1):
        raise InvalidInput(f"These are {len(journals)} sessions: use `import_sessions`.")
    made: list[str] = []
    try:
        for (name, old, journal), user in zip(journals, renamed, strict=True):
            made.append(
                await _write(
                    tenuto,
                    journal,
                    name=session_id or await _free(tenuto, name),
                    user=user,
                    tenant=tenant,
                    users={**(users or {}), old: user},
                )
            )
    except BaseException:
        for name in made:
            # One that another host has already woken is left to it; the others go, and what failed is what is raised.
            with contextlib.suppress(TenutoError):
                await tenuto.forget_session(name, tenant=tenant)
        raise
    return made


async def fork(tenuto: "Tenuto", head: ports.Head, at: int, session_id: str | None = None) -> str:
    """Make a session that shares another one's past up to a position, and return its id.

    Alarms that are set then ring in the first session only, shares are of the first session only, and facts that are still to
    be found are found there.

    Raises:
        InvalidInput: There is no such position.
        AppendConflict: There is a session of that id.
    """
    fold.need_position(at, head.position)
    journal = [row async for row in _rows(tenuto.store, head.session, at)]
    state = fold.State()
    for row in journal:
        fold.apply(state, rows.to_event(row))
    if state.ended:
        raise InvalidInput(f"The session has ended at position {at}: fork it before that.")
    now = tenuto.clock.now()
    closing: list[e.Event] = [e.AlarmCancelled(at=now, alarm=number) for number in state.alarms]
    closing += shares.end_session(state, now)
    closing += [
        e.ConversationExtracted(
            at=now, conversation=name, upto=state.conversations[name].last, failed="off"
        )
        for name in state.to_read
    ]
    journal += rows.to_rows(at, closing)
    return await _write(
        tenuto,
        journal,
        name=session_id or new_id(),
        user=head.user,
        tenant=head.tenant,
        users={},
        origin="fork",
        source=f"{head.session}@{at}",
    )


async def state_at(store: ports.Store, head: ports.Head, at: int) -> fold.State:
    """Return the session as it was at a position.

    Raises:
        InvalidInput: There is no such position.
    """
    fold.need_position(at, head.position)
    state = fold.State()
    async for row in _rows(store, head.session, at):
        fold.apply(state, rows.to_event(row))
    return state


class _Journal(msgspec.Struct, frozen=True):
    name: str
    user: str
    rows: list[ports.Row]


async def _rows(store: ports.Store, session: str, last: int) -> AsyncIterator[ports.Row]:
    after = 0
    while after < last:
        page = await store.read(
            ports.Read(session=session, after=after, before=last + 1, limit=min(PAGE, last - after))
        )
        if not page:
            raise SessionNotFound
        for row in page:
            yield row
        after = page[-1].position


async def _read(source: Source, kind: str, size: int = 0) -> _Journal | list[importers.Past]:
    """Return what there is to import: a journal of Tenuto's own, checked, or what others have kept.

    Args:
        size: Bytes of the text that `source` was.
    """
    if isinstance(source, Mapping | list | tuple):
        if kind or not isinstance(source, Mapping) or source.get("format") != transfer.FORMAT:
            data = source if isinstance(source, Mapping) else list(source)
            return await _aside(size, importers.read, data, kind)
        source = b"\n".join(transfer.to_lines(source))
    lines = _lines(source)
    first = await anext(lines, None)
    if first is None:
        raise ExportUnsupported("There is nothing to import.")
    second = await anext(lines, None)
    if second is not None and transfer.is_header(first):
        return await _journal(first, second, lines)
    # In one piece: as lines, a few bytes each, it would be fifty times as large.
    text = bytearray(first + b"\n" + (second or b""))
    async for line in lines:
        text += b"\n" + line
    if text.count(b",") + text.count(b":") > MOST_VALUES:
        raise InvalidInput(f"It holds more than {MOST_VALUES:,} values. Import it in parts.")
    try:
        whole = msgspec.json.decode(text)
    except transfer.NOT_JSON:
        whole = None
    if not isinstance(whole, dict | list):
        raise ExportUnsupported(
            "This is not an export of Tenuto, and no JSON either. If it is packed, unpack it first."
        )
    return await _read(whole, kind, len(text))


async def _aside(size: int, work: Callable[..., _T], *given: Any) -> _T:
    """Do work that takes long for many bytes: in a thread, where it does, so that nobody waits for it."""
    if size <= SMALL:
        return work(*given)
    return await asyncio.to_thread(work, *given)


async def _lines(source: Any) -> AsyncIterator[bytes]:
    """Yield lines without their ends, however they come."""
    open_line: list[bytes] = []
    size = 0
    async for chunk in _chunks(source):
        size += len(chunk)
        if size > MOST_BYTES:
            raise InvalidInput(f"An import may have {MOST_BYTES} bytes.")
        first, *others = chunk.split(b"\n")
        open_line.append(first)
        for piece in others:
            line, open_line = b"".join(open_line), [piece]
            if line.strip():
                yield line
    if last := b"".join(open_line).strip():
        yield last


async def _chunks(source: Any) -> AsyncIterator[bytes]:
    if isinstance(source, str | bytes):
        yield source.encode("utf-8", "replace") if isinstance(source, str) else source
    elif isinstance(source, AsyncIterable):
        async for chunk in source:
            yield chunk
    elif isinstance(source, Iterable):
        for chunk in source:
            yield chunk
    else:
        raise ExportUnsupported(f"This is a {type(source).__name__}, and no export.")


async def _journal(first: bytes, second: bytes, others: AsyncIterator[bytes]) -> _Journal:
    """Return the journal of an export, after checking all of it. A line that is none ends the reading at once."""
    reader = transfer.Reader(first)
    found: list[ports.Row] = []
    line: bytes | None = second
    while line is not None:
        if (row := reader.line(line)) is not None:
            found.append(row)
            if len(found) % PACE == 0:
                await asyncio.sleep(0)
        line = await anext(others, None)
    if not reader.complete:
        raise InvalidInput("The export is cut: its last line is missing.")
    state = await _check(found)
    if gone := state.memory.gone:
        # These numbers are of the user's journal over there: here they would be other facts.
        here = e.MemoryCleared(at=state.updated, memories=list(gone), reason="kept")
        found += rows.to_rows(state.position, [here])
    return _Journal(reader.header.session, state.user, found)


async def _check(journal: Sequence[ports.Row]) -> fold.State:
    """Return what a journal amounts to. Whoever wrote it may be nobody's friend.

    Raises:
        InvalidInput: An event is none, or cannot have happened; the message says which.
    """
    state = fold.State()
    async for row in _paced(journal):
        try:
            event = rows.to_event(row)
            if not state.session and not isinstance(event, e.SessionCreated):
                raise InvalidInput("A journal begins with session.created.")
            if any(not 0.0 <= moment <= LATEST for moment in _moments(event)):
                raise InvalidInput("It is of no time between 1970 and 9999.")
            fold.apply(state, event)
        except StoreCorrupt:
            raise InvalidInput(f"Event {row.position} is no {row.type} event.") from None
        except Refused as error:
            raise InvalidInput(
                f"Event {row.position} cannot have happened: {error.message}"
            ) from None
        except (ValueError, ArithmeticError, LookupError, TypeError, AssertionError):
            # The fold trusts what the core has made; this was made elsewhere.
            raise InvalidInput(f"Event {row.position} cannot have happened.") from None
    if not journal:
        raise InvalidInput("The export has no events.")
    return state


async def _paced(many: Sequence[_T]) -> AsyncIterator[_T]:
    """Yield them one by one, and let the live sessions of the host have a turn between."""
    for number, one in enumerate(many):
        if number % PACE == PACE - 1:
            await asyncio.sleep(0)
        yield one


def _moments(event: e.Event) -> Iterator[float]:
    yield event.at
    match event:
        case (
            e.AlarmSet(due=moment) | e.MemoryAdded(expires=moment) | e.ShareCreated(expires=moment)
        ):
            yield moment


def _foreign(past: importers.Past, now: float, tenant: str) -> tuple[str, str, list[ports.Row]]:
    """Return the id, the user and the journal of a session that somebody else kept."""
    user = past.user or "local"
    made = importers.events(past, now, session="-", tenant=tenant, user=user, epoch=new_epoch())
    try:
        return past.session, user, rows.to_rows(0, made)
    except (ValueError, TypeError):
        raise InvalidInput("A text of it cannot be stored: it has half a character.") from None


async def _free(tenuto: "Tenuto", name: str) -> str:
    """Return the id that a session had, or another one when it is taken or none."""
    acceptable = 1 <= len(name) <= 100 and name.isprintable() and not set(name) & set("/~")
    return name if acceptable and await tenuto.store.head(name) is None else new_id()


async def _write(
    tenuto: "Tenuto",
    journal: Sequence[ports.Row],
    *,
    name: str,
    user: str,
    tenant: str,
    users: Mapping[str, str],
    **more: str,
) -> str:
    store, host = tenuto.store, tenuto.id
    epoch = new_epoch()
    adopted = [
        transfer.adopt(row, session=name, tenant=tenant, epoch=epoch, users=users, **more)
        async for row in _paced(journal)
    ]
    state = fold.State()
    async for row in _paced(adopted):
        fold.apply(state, rows.to_event(row))
    new = ports.NewSession(
        session=name, tenant=tenant, user=user, epoch=epoch, at=tenuto.clock.now()
    )
    lease = await store.create(new, host, tenuto.config.url, tenuto.config.lease)
    try:
        for start in range(0, len(adopted), AT_ONCE):
            part = adopted[start : start + AT_ONCE]
            await store.append(
                ports.Append(
                    session=name,
                    expected=start,
                    fence=lease.fence,
                    rows=part,
                    at=state.updated,
                    due=state.due,
                    ended=state.ended and part[-1] is adopted[-1],
                )
            )
        snapshot = ports.Snapshot(state.position, fold.encode(state))
        await store.save_snapshot(name, lease.fence, snapshot)
    except BaseException:
        with contextlib.suppress(TenutoError):
            await store.forget(name, lease.fence)
        raise
    await store.release(name, host)
    return name
