"""Whatever a session lived through: it can be exported and imported at any moment, and nothing is lost."""

import asyncio
from collections.abc import Sequence

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenuto import Tenuto, TenutoConfig
from tenuto import events as e
from tenuto.session import fold, transfer
from tenuto.session.ports import Query, Row
from tenuto.stores import rows
from tests.unit.session.world import MOVES, OFTEN, World

MOVE = st.tuples(st.sampled_from((*MOVES, *OFTEN, *OFTEN)), st.integers(0, 63))
few = settings(
    max_examples=30,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def exported(journal: Sequence[Row]) -> list[bytes]:
    writer = transfer.Writer("s", "u", len(journal))
    return [writer.begin(), *(writer.line(row) for row in journal), writer.end()]


async def moved(journal: Sequence[Row]) -> tuple[list[bytes], bytes]:
    """Import a journal under its id, and return its export and its state."""
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        data = transfer.to_record(exported(journal))
        (name,) = await tenuto.import_sessions(msgspec.json.decode(msgspec.json.encode(data)))
        lines = [line async for line in tenuto.export_session(name)]
        state = await tenuto.peek(name)
        assert name == "s" and state is not None
        return lines, fold.encode(state)


@few
@given(moves=st.lists(MOVE, max_size=50), part=st.integers(1, 200))
def test_what_was_moved_is_the_same_session(moves: list[tuple[str, int]], part: int) -> None:
    journal = rows.to_rows(0, World().play(moves).journal)[:part]
    lines, state = asyncio.run(moved(journal))
    # What was still on its way out of the user's own journal stays behind.
    assert lines[2 : len(journal) + 1] == exported(journal)[2:-1]
    fresh = fold.State()
    for number, line in enumerate(lines[1:-1], 1):
        kind = msgspec.json.decode(line)["type"]
        fold.apply(fresh, rows.to_event(Row(number, kind, line.rstrip())))
    assert fold.encode(fresh) == state


async def test_a_long_import_lets_others_have_their_turn() -> None:
    said = [
        e.MessageAdded(at=1.0, message=n, role="user", text="Hi", turn=n, conversation="c")
        for n in range(1, 4_000)
    ]
    first = e.SessionCreated(at=1.0, session="s", tenant="t", user="u", epoch="")
    journal = rows.to_rows(0, [first, e.ConversationStarted(at=1.0, conversation="c"), *said])
    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        importing = asyncio.create_task(tenuto.import_sessions(iter(exported(journal))))
        turns = 0
        while not importing.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 20
        assert len(await tenuto.sessions(Query(tenant="local"))) == 1
