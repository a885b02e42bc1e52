"""What every port's implementation must do, as tests to inherit: yours is held to what ours is held to.

The tests are coroutines: run them with pytest-asyncio, anyio or any plugin that awaits a test.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from tenuto.errors import (
    AppendConflict,
    LeaseLost,
    SessionLocked,
    SessionNotFound,
    TenutoError,
)
from tenuto.ids import RESERVED, new_id
from tenuto.session.ports import (
    Append,
    Head,
    Lease,
    NewSession,
    Query,
    Read,
    Row,
    Snapshot,
    Store,
)

ODD_BODIES = (
    b"",
    b"\0",
    b"\xff\xfe\0\x80",
    b"'; DROP TABLE session; --",
    b'{"type":"x","at":1.0}',
    "{\u2028 \U0001f3b5 \\ \" '}".encode(),
    bytes(range(256)) * 400,
)
"""Bodies that a store may be tempted to look into."""


def row(position: int, type: str = "message.added", body: bytes = b"{}") -> Row:
    """Return a row of a journal, of that position, type and body."""
    return Row(position, type, body)


def rows(first: int, last: int) -> list[Row]:
    """Return the rows from `first` to `last`, each with a body of its own."""
    return [row(position, body=b'{"n":%d}' % position) for position in range(first, last + 1)]


def addition(
    lease: Lease, expected: int, added: Sequence[Row] | None = None, **more: object
) -> Append:
    """Return an append by the owner of a lease.

    Args:
        lease: What the owner holds.
        expected: The journal's head before it.
        added: Its rows; one after `expected` when None.
        more: Other fields of the append, by name.
    """
    fields: dict[str, object] = {
        "session": lease.session,
        "fence": lease.fence,
        "expected": expected,
        "rows": rows(expected + 1, expected + 1) if added is None else added,
        "at": 1_000.0,
    }
    return Append(**(fields | more))  # type: ignore[arg-type]


async def read_all(store: Store, session: str) -> list[Row]:
    """Return the whole journal of a session in that store, oldest row first."""
    return list(await store.read(Read(session=session, limit=100_000)))


async def head_of(store: Store, session: str) -> Head:
    """Return the head of a session that must exist in that store."""
    head = await store.head(session)
    assert head is not None
    return head


class StoreContract:
    """What a `Store` must do. Inherit, name the class `Test...`, and give `make`.

    Example:
        >>> class TestMyStore(StoreContract):
        ...     def make(self) -> Store:
        ...         return MyStore()
    """

    ttl = 0.4
    """Seconds of the leases in the tests that let one run out. Longer where the store is slow to answer."""

    def make(self) -> Store:
        """Return a new store; what other stores of the same test run hold does no harm."""
        raise NotImplementedError("Give the store under test: def make(self) -> Store")

    async def lapse(self, seconds: float) -> None:
        """Let so many seconds pass for the leases. Move the store's clock here, if it can be given one."""
        await asyncio.sleep(seconds)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Store]:
        """Give a store, and close it."""
        store = self.make()
        try:
            yield store
        finally:
            await store.close()

    async def begin(
        self,
        store: Store,
        session: str = "",
        *,
        tenant: str = "tenant",
        user: str = "user",
        at: float = 1_000.0,
        owner: str = "host-a",
        ttl: float = 60.0,
    ) -> Lease:
        """Make an empty journal and return its lease.

        Args:
            store: Where to make it.
            session: Its id; made up when empty.
            tenant: Whose it is.
            user: Whose it is, within the tenant.
            at: When it was made, in seconds since 1970-01-01 UTC.
            owner: The host that has the lease.
            ttl: Seconds of the lease.
        """
        new = NewSession(
            session=session or new_id(), tenant=tenant, user=user, epoch="0123456789abcdef", at=at
        )
        return await store.create(new, owner, f"ws://{owner}", ttl)

    # ----------------------------------------------------------------------------------------- append

    async def test_rows_come_back_as_they_went_in(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store)
            odd = [row(place, f"odd.{place}", body) for place, body in enumerate(ODD_BODIES, 1)]
            await store.append(addition(lease, 0, odd))
            assert await read_all(store, lease.session) == odd

    async def test_positions_have_no_gaps(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store)
            await store.append(addition(lease, 0, rows(1, 3)))
            await store.append(addition(lease, 3))
            await store.append(addition(lease, 4, rows(5, 9)))
            assert await read_all(store, lease.session) == rows(1, 9)
            assert (await head_of(store, lease.session)).position == 9

    async def test_rows_that_would_leave_a_gap_are_refused(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store)
            with pytest.raises(TenutoError):
                await store.append(addition(lease, 0, rows(2, 3)))
            with pytest.raises(TenutoError):
                await store.append(addition(lease, 0, [row(1), row(3)]))
            assert await read_all(store, lease.session) == []
            assert (await head_of(store, lease.session)).position == 0

    async def test_append_at_another_place_than_the_head_conflicts(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store)
            await store.append(addition(lease, 0, rows(1, 2)))
            for expected in (0, 1, 3):
                with pytest.raises(AppendConflict):
                    await store.append(addition(lease, expected))
            assert await read_all(store, lease.session) == rows(1, 2)

    async def test_append_with_another_fence_is_refused(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store)
            for fence in (lease.fence - 1, lease.fence + 1):
                with pytest.raises(LeaseLost):
                    await store.append(addition(lease, 0, fence=fence))
            assert await read_all(store, lease.session) == []

    async def test_append_to_an_unknown_session_is_refused(self) -> None:
        async with self.opened() as store:
            with pytest.raises(LeaseLost):
                await store.append(addition(Lease(session=new_id(), fence=1, seconds=1.0), 0))

    async def test_a_conflict_leaves_its_neighbours_alone(self) -> None:
        async with self.opened() as store:
            leases = [await self.begin(store) for _ in range(20)]
            outcomes = await asyncio.gather(
                *(store.append(addition(lease, place % 2)) for place, lease in enumerate(leases)),
                return_exceptions=True,
            )
            for place, (lease, outcome) in enumerate(zip(leases, outcomes, strict=True)):
                if place % 2:
                    assert isinstance(outcome, AppendConflict)
                    assert await read_all(store, lease.session) == []
                else:
                    assert outcome is None
                    assert await read_all(store, lease.session) == rows(1, 1)

    async def test_of_two_appends_to_one_place_one_wins(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store)
            appends = [addition(lease, 0, [row(1, body=b"%d" % n)]) for n in range(10)]
            outcomes = await asyncio.gather(
                *(store.append(append) for append in appends), return_exceptions=True
            )
            assert outcomes.count(None) == 1
            assert sum(isinstance(outcome, AppendConflict) for outcome in outcomes) == 9
            winner = appends[outcomes.index(None)]
            assert await read_all(store, lease.session) == winner.rows

    async def test_a_hundred_producers_at_once(self) -> None:
        async with self.opened() as store:
            leases = await asyncio.gather(*(self.begin(store) for _ in range(100)))

            async def produce(lease: Lease) -> None:
                for expected in range(5):
                    await store.append(addition(lease, expected))

            await asyncio.gather(*(produce(lease) for lease in leases))
            for lease in leases:
                assert await read_all(store, lease.session) == rows(1, 5)

    async def test_appends_of_different_sizes_at_once(self) -> None:
        async with self.opened() as store:
            leases = [await self.begin(store) for _ in range(5)]
            sizes = [1, 300, 2, 50, 1]
            await asyncio.gather(
                *(
                    store.append(addition(lease, 0, rows(1, size)))
                    for lease, size in zip(leases, sizes, strict=True)
                )
            )
            for lease, size in zip(leases, sizes, strict=True):
                assert await read_all(store, lease.session) == rows(1, size)

    # ----------------------------------------------------------------------------------------- create

    async def test_a_new_session_is_empty_and_leased(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store, tenant="t", user="u", at=5.5, owner="host-a", ttl=60.0)
            head = await head_of(store, lease.session)
            assert (head.tenant, head.user, head.epoch) == ("t", "u", "0123456789abcdef")
            assert (head.position, head.created, head.updated) == (0, 5.5, 5.5)
            assert (head.ended, head.due) == (False, None)
            assert (head.owner, head.url, head.fence) == ("host-a", "ws://host-a", lease.fence)
            assert 0 < head.expires <= 60.0

    async def test_a_session_is_created_once(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store)
            await store.append(addition(lease, 0))
            with pytest.raises(AppendConflict):
                await self.begin(store, lease.session, owner="host-b")
            assert await read_all(store, lease.session) == rows(1, 1)
            assert (await head_of(store, lease.session)).owner == "host-a"

    async def test_an_append_tells_what_the_head_says(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store, at=10.0)
            await store.append(addition(lease, 0, at=20.0, due=500.0))
            head = await head_of(store, lease.session)
            assert (head.created, head.updated, head.due) == (10.0, 20.0, 500.0)
            await store.append(addition(lease, 1, at=30.0))
            head = await head_of(store, lease.session)
            assert (head.updated, head.due, head.ended) == (30.0, None, False)

    async def test_what_has_ended_stays_ended(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store)
            await store.append(addition(lease, 0, due=500.0, ended=True))
            head = await head_of(store, lease.session)
            assert (head.ended, head.due) == (True, None)
            await store.append(addition(lease, 1))
            assert (await head_of(store, lease.session)).ended

    # ------------------------------------------------------------------------------------------ lease

    async def test_a_held_session_is_locked(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store, owner="host-a")
            with pytest.raises(SessionLocked) as refused:
                await store.claim(lease.session, "host-b", "", 60.0)
            assert refused.value.session == lease.session
            assert (refused.value.owner, refused.value.url) == ("host-a", "ws://host-a")
            assert 0 < refused.value.seconds_left <= 60.0
            await store.append(addition(lease, 0))

    async def test_an_owner_claims_again_with_the_same_fence(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store, owner="host-a", ttl=60.0)
            again = await store.claim(lease.session, "host-a", "ws://new", 600.0)
            assert again.fence == lease.fence
            head = await head_of(store, lease.session)
            assert head.url == "ws://new"
            assert head.expires > 60.0

    async def test_a_lease_that_ran_out_can_be_claimed(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store, owner="host-a", ttl=self.ttl)
            await self.lapse(self.ttl * 1.1)
            assert (await head_of(store, lease.session)).expires <= 0
            taken = await store.claim(lease.session, "host-b", "", 60.0)
            assert taken.fence == lease.fence + 1
            with pytest.raises(LeaseLost):
                await store.append(addition(lease, 0))
            await store.append(addition(taken, 0))
            assert await read_all(store, lease.session) == rows(1, 1)

    async def test_a_lease_that_ran_out_raises_the_fence_for_its_owner_too(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store, owner="host-a", ttl=self.ttl)
            await self.lapse(self.ttl * 1.1)
            again = await store.claim(lease.session, "host-a", "", 60.0)
            assert again.fence == lease.fence + 1

    async def test_of_many_claims_one_wins(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store, ttl=self.ttl)
            await self.lapse(self.ttl * 1.1)
            outcomes = await asyncio.gather(
                *(store.claim(lease.session, f"host-{n}", "", 60.0) for n in range(10)),
                return_exceptions=True,
            )
            winners = [outcome for outcome in outcomes if isinstance(outcome, Lease)]
            assert [winner.fence for winner in winners] == [lease.fence + 1]
            assert sum(isinstance(outcome, SessionLocked) for outcome in outcomes) == 9

    async def test_claiming_an_unknown_session_is_refused(self) -> None:
        async with self.opened() as store:
            with pytest.raises(SessionNotFound):
                await store.claim(new_id(), "host-a", "", 60.0)

    async def test_renewing_keeps_a_lease(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store, owner="host-a", ttl=self.ttl)
            assert await store.renew("host-a", [lease.session], 60.0) == {lease.session}
            await self.lapse(self.ttl * 1.1)
            with pytest.raises(SessionLocked):
                await store.claim(lease.session, "host-b", "", 60.0)
            await store.append(addition(lease, 0))

    async def test_renewing_tells_what_is_still_held(self) -> None:
        async with self.opened() as store:
            gone = await self.begin(store, owner="host-a", ttl=self.ttl)
            held = [await self.begin(store, owner="host-a") for _ in range(2)]
            strange = await self.begin(store, owner="host-b")
            await self.lapse(self.ttl * 1.1)
            asked = [lease.session for lease in (gone, *held, strange)] + [new_id()]
            kept = await store.renew("host-a", asked, 60.0)
            assert kept == {lease.session for lease in held}
            assert await store.renew("host-a", [], 60.0) == set()
            assert (await head_of(store, gone.session)).expires <= 0

    async def test_a_released_session_can_be_claimed_at_once(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store, owner="host-a")
            await store.release(lease.session, "host-a")
            assert (await head_of(store, lease.session)).expires <= 0
            taken = await store.claim(lease.session, "host-b", "", 60.0)
            assert taken.fence == lease.fence + 1

    async def test_a_stranger_releases_nothing(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store, owner="host-a")
            await store.release(lease.session, "host-b")
            await store.release(new_id(), "host-a")
            with pytest.raises(SessionLocked):
                await store.claim(lease.session, "host-b", "", 60.0)

    # -------------------------------------------------------------------------------------- snapshots

    async def test_loading_gives_the_newest_snapshot_and_what_came_after(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store)
            await store.append(addition(lease, 0, rows(1, 10)))
            loaded = await store.load(lease.session)
            assert loaded is not None
            assert loaded.snapshot is None
            assert list(loaded.rows) == rows(1, 10)

            for position in (4, 8):
                snapshot = Snapshot(position, b"\0fold at %d\xff" % position)
                await store.save_snapshot(lease.session, lease.fence, snapshot)
                loaded = await store.load(lease.session)
                assert loaded is not None
                assert loaded.snapshot == snapshot
                assert list(loaded.rows) == rows(position + 1, 10)
                assert loaded.head.position == 10

    async def test_an_older_snapshot_does_not_take_the_place_of_a_newer(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store)
            await store.append(addition(lease, 0, rows(1, 10)))
            await store.save_snapshot(lease.session, lease.fence, Snapshot(8, b"new"))
            await store.save_snapshot(lease.session, lease.fence, Snapshot(4, b"old"))
            loaded = await store.load(lease.session)
            assert loaded is not None
            assert loaded.snapshot == Snapshot(8, b"new")

    async def test_a_snapshot_of_a_former_owner_is_dropped(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store)
            await store.append(addition(lease, 0))
            await store.save_snapshot(lease.session, lease.fence - 1, Snapshot(1, b"late"))
            await store.save_snapshot(new_id(), 1, Snapshot(1, b"nobody's"))
            loaded = await store.load(lease.session)
            assert loaded is not None
            assert loaded.snapshot is None

    # ---------------------------------------------------------------------------------------- reading

    async def test_reading_both_ways_within_bounds(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store)
            other = await self.begin(store)
            for expected in range(0, 20, 5):
                await store.append(addition(lease, expected, rows(expected + 1, expected + 5)))
                await store.append(addition(other, expected, rows(expected + 1, expected + 5)))

            async def places(**asked: object) -> list[int]:
                read = Read(session=lease.session, **asked)  # type: ignore[arg-type]
                return [found.position for found in await store.read(read)]

            assert await places() == list(range(1, 21))
            assert await places(after=17) == [18, 19, 20]
            assert await places(before=4) == [1, 2, 3]
            assert await places(after=5, before=8) == [6, 7]
            assert await places(limit=3) == [1, 2, 3]
            assert await places(limit=0) == []
            assert await places(after=20) == []
            assert await places(after=10, before=5) == []
            assert await places(newest_first=True, limit=3) == [20, 19, 18]
            assert await places(newest_first=True, before=18, limit=2) == [17, 16]
            assert await places(newest_first=True, after=17) == [20, 19, 18]

    async def test_reading_some_types(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store)
            types = ("message.added", "reply.cut", "alarm.rang")
            mixed = [row(place, types[place % 3], b"%d" % place) for place in range(1, 13)]
            await store.append(addition(lease, 0, mixed))

            async def places(
                *wanted: str, newest_first: bool = False, limit: int = 300
            ) -> list[int]:
                read = Read(
                    session=lease.session, types=wanted, newest_first=newest_first, limit=limit
                )
                return [found.position for found in await store.read(read)]

            assert await places("reply.cut") == [1, 4, 7, 10]
            assert await places("reply.cut", limit=2) == [1, 4]
            assert await places("reply.cut", newest_first=True, limit=2) == [10, 7]
            assert await places("reply.cut", "message.added", limit=3) == [1, 3, 4]
            assert await places("reply.CUT") == []

    async def test_of_an_unknown_session_there_is_nothing(self) -> None:
        async with self.opened() as store:
            session = new_id()
            assert list(await store.read(Read(session=session))) == []
            assert await store.load(session) is None
            assert await store.head(session) is None

    # ---------------------------------------------------------------------------------------- listing

    async def test_sessions_are_listed_by_user_and_tenant_newest_first(self) -> None:
        async with self.opened() as store:
            ours, theirs = new_id(), new_id()
            first = await self.begin(store, tenant=ours, user="alice", at=1_000.0)
            second = await self.begin(store, tenant=ours, user="bob", at=2_000.0)
            third = await self.begin(store, tenant=ours, user="alice", at=3_000.0)
            await self.begin(store, tenant=theirs, user="alice", at=4_000.0)

            async def listed(user: str | None = None) -> list[str]:
                return [
                    head.session for head in await store.sessions(Query(tenant=ours, user=user))
                ]

            assert await listed() == [third.session, second.session, first.session]
            assert await listed("alice") == [third.session, first.session]
            assert await listed("nobody") == []
            await store.append(addition(first, 0, at=5_000.0))
            assert await listed() == [first.session, third.session, second.session]
            assert await listed("alice") == [first.session, third.session]

    async def test_a_journal_of_another_kind_is_not_listed_but_is_due(self) -> None:
        async with self.opened() as store:
            tenant = new_id()
            mine = await self.begin(store, tenant=tenant)
            other = await self.begin(store, f"{RESERVED}user-{new_id()}", tenant=tenant)
            await store.append(addition(mine, 0))
            await store.append(addition(other, 0, due=5.0))
            for user in (None, "user"):
                listed = await store.sessions(Query(tenant=tenant, user=user))
                assert [head.session for head in listed] == [mine.session]
            assert other.session in {head.session for head in await store.due(6.0, 1_000)}
            assert await read_all(store, other.session) == rows(1, 1)

    async def test_sessions_are_listed_in_pages_without_loss(self) -> None:
        async with self.opened() as store:
            tenant = new_id()
            # Some are of the same moment, some of the same minute, some of another.
            moments = [60.0, 60.0, 60.0, 61.0, 119.9, 120.0, 120.0, 600.0, 59.9, 0.0]
            leases = [
                await self.begin(store, tenant=tenant, user=user, at=at)
                for at in moments
                for user in ("alice", "bob")
            ]
            for user, many in ((None, len(leases)), ("alice", len(moments))):
                seen: list[tuple[float, str]] = []
                query = Query(tenant=tenant, user=user, limit=3)
                while page := await store.sessions(query):
                    assert len(page) <= 3
                    seen += [(head.updated, head.session) for head in page]
                    query = Query(tenant=tenant, user=user, limit=3, before=seen[-1])
                assert seen == sorted(seen, reverse=True)
                assert len(set(seen)) == many

    async def test_what_is_due_is_listed_soonest_first(self) -> None:
        async with self.opened() as store:
            leases = [await self.begin(store) for _ in range(5)]
            for lease, due in zip(leases, (300.0, 100.0, 200.0, 900.0, None), strict=True):
                await store.append(addition(lease, 0, due=due))
            names = {lease.session: place for place, lease in enumerate(leases)}

            async def waiting(before: float, limit: int = 100) -> list[int]:
                heads = await store.due(before, limit)
                return [names[head.session] for head in heads if head.session in names]

            assert await waiting(500.0) == [1, 2, 0]
            assert await waiting(500.0, 2) == [1, 2]
            assert await waiting(50.0) == []
            await store.append(addition(leases[1], 1))
            await store.append(addition(leases[2], 1, ended=True, due=200.0))
            assert await waiting(1_000.0) == [0, 3]

    # ----------------------------------------------------------------------------------------- forget

    async def test_nothing_of_a_forgotten_session_is_left(self) -> None:
        async with self.opened() as store:
            tenant = new_id()
            lease = await self.begin(store, tenant=tenant)
            kept = await self.begin(store, tenant=tenant)
            await store.append(addition(lease, 0, rows(1, 50), due=1.0))
            await store.append(addition(kept, 0, rows(1, 50)))
            await store.save_snapshot(lease.session, lease.fence, Snapshot(40, b"fold"))
            await store.forget(lease.session, lease.fence)
            assert await store.head(lease.session) is None
            assert await store.load(lease.session) is None
            assert await read_all(store, lease.session) == []
            listed = await store.sessions(Query(tenant=tenant))
            assert [head.session for head in listed] == [kept.session]
            assert lease.session not in [head.session for head in await store.due(2.0)]
            with pytest.raises(LeaseLost):
                await store.append(addition(lease, 50))
            assert await read_all(store, kept.session) == rows(1, 50)

    async def test_a_forgotten_id_begins_anew(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store)
            await store.append(addition(lease, 0, rows(1, 5)))
            await store.save_snapshot(lease.session, lease.fence, Snapshot(5, b"fold"))
            await store.forget(lease.session, lease.fence)
            again = await self.begin(store, lease.session)
            loaded = await store.load(lease.session)
            assert loaded is not None
            assert (loaded.snapshot, list(loaded.rows)) == (None, [])
            await store.append(addition(again, 0))
            assert await read_all(store, lease.session) == rows(1, 1)

    async def test_forgetting_is_fenced(self) -> None:
        async with self.opened() as store:
            lease = await self.begin(store)
            await store.append(addition(lease, 0))
            with pytest.raises(LeaseLost):
                await store.forget(lease.session, lease.fence - 1)
            assert await read_all(store, lease.session) == rows(1, 1)
            with pytest.raises(LeaseLost):
                await store.forget(new_id(), 1)

    # ------------------------------------------------------------------------------------------ close

    async def test_closing_finishes_what_was_asked_for(self) -> None:
        store = self.make()
        leases = [await self.begin(store) for _ in range(20)]
        appends = [asyncio.ensure_future(store.append(addition(lease, 0))) for lease in leases]
        await asyncio.sleep(0)
        await store.close()
        assert await asyncio.gather(*appends) == [None] * 20

    async def test_closing_twice_does_no_harm(self) -> None:
        store = self.make()
        await self.begin(store)
        await asyncio.gather(store.close(), store.close())
        await store.close()

    async def test_a_store_that_was_never_used_can_be_closed(self) -> None:
        await self.make().close()
