"""The pool: no more sessions than its limit, first come first served, and nothing carried over."""

import asyncio

import pytest

from tenuto import Session
from tenuto.errors import (
    IllegalEvent,
    InvalidInput,
    LeaseLost,
    PoolTimeout,
    SessionEnded,
    StoreFull,
)
from tenuto.host.pool import SessionPool
from tests.unit.host.hosting import hosting
from tests.unit.session.house import quiet

pytestmark = pytest.mark.virtual


async def test_the_fourth_waits_until_one_is_returned() -> None:
    async with hosting() as tenuto, SessionPool(tenuto) as pool:
        out = [await pool.get_session(user_id=name) for name in ("ann", "bob", "cleo")]
        fourth = asyncio.create_task(pool.get_session(user_id="dan"))
        await quiet()
        assert not fourth.done()
        assert (pool.waiting, len(pool.sessions), len(tenuto.sessions_here)) == (1, 3, 3)
        await pool.return_session(out[1])
        session = await fourth
        assert session.user_id == "dan"
        assert (pool.waiting, len(pool.sessions), len(tenuto.sessions_here)) == (0, 3, 3)


async def test_whoever_waits_longest_is_served_first() -> None:
    served: list[str] = []
    async with hosting() as tenuto, SessionPool(tenuto, limit=1) as pool:

        async def use(name: str) -> None:
            async with pool.checkout(user_id=name):
                served.append(name)
                await asyncio.sleep(1)

        async with asyncio.TaskGroup() as group:
            for name in ("ann", "bob", "cleo", "dan"):
                group.create_task(use(name))
                await asyncio.sleep(0.01)
    assert served == ["ann", "bob", "cleo", "dan"]


@pytest.mark.parametrize("limit", [1, 3])
async def test_there_are_never_more_than_the_limit(limit: int) -> None:
    most = 0
    async with hosting() as tenuto, SessionPool(tenuto, limit=limit, timeout=1000) as pool:

        async def use(number: int) -> None:
            nonlocal most
            async with pool.checkout(user_id=f"user-{number}") as session:
                most = max(most, len(tenuto.sessions_here))
                await session.send_message("Hi")
                await asyncio.sleep(number % 3)

        async with asyncio.TaskGroup() as group:
            for number in range(12):
                group.create_task(use(number))
        await quiet()
        assert (most, pool.sessions) == (limit, ())


async def test_waiting_ends_after_the_timeout() -> None:
    async with hosting() as tenuto, SessionPool(tenuto, limit=1, timeout=20) as pool:
        session = await pool.get_session()
        await session.send_message("Hi")  # It is in use: it is not parked after the grace.
        loop = asyncio.get_running_loop()
        begun = loop.time()
        with pytest.raises(PoolTimeout, match=r"in 20 s: all 1 are out") as refused:
            await pool.get_session()
        assert loop.time() - begun == pytest.approx(20)
        assert (refused.value.code, refused.value.retryable) == ("pool_timeout", True)
        with pytest.raises(PoolTimeout):
            await pool.get_session(timeout=0)
        assert pool.waiting == 0
        await pool.return_session(session)
        await quiet()
        assert (await pool.get_session(timeout=0)).is_active


async def test_a_waiter_that_is_cancelled_loses_no_place() -> None:
    async with hosting() as tenuto, SessionPool(tenuto, limit=1) as pool:
        session = await pool.get_session()
        first, second = (asyncio.create_task(pool.get_session()) for _ in range(2))
        await quiet()
        first.cancel()
        await quiet()
        await pool.return_session(session)
        assert (await second).is_active
        assert len(tenuto.sessions_here) == 1


@pytest.mark.parametrize("turns", range(12))
async def test_one_that_is_cancelled_while_it_is_served_loses_no_place(turns: int) -> None:
    async with hosting() as tenuto, SessionPool(tenuto, limit=1, timeout=5) as pool:
        session = await pool.get_session()
        waiter = asyncio.create_task(pool.get_session())
        await quiet()
        returning = asyncio.create_task(pool.return_session(session))
        for _ in range(turns):
            await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.wait([waiter, returning])
        if not waiter.cancelled():
            await pool.return_session(waiter.result())
        assert (await pool.get_session()).is_active
        await quiet()
        assert len(tenuto.sessions_here) == 1


async def test_a_session_that_nobody_waits_for_any_more_is_ended() -> None:
    async with hosting() as tenuto, SessionPool(tenuto, limit=1, timeout=5) as pool:
        tenuto.shelf.open.clear()
        asking = asyncio.create_task(pool.get_session())
        await quiet()
        (session,) = pool.sessions
        asking.cancel()
        tenuto.shelf.open.set()
        await quiet()
        assert (asking.cancelled(), pool.sessions) == (True, ())
        assert (await tenuto.head(session.session_id)).ended


async def test_nothing_is_carried_over() -> None:
    async with hosting() as tenuto, SessionPool(tenuto, limit=1) as pool:
        async with pool.checkout(user_id="ann") as first:
            first.add_memory("Her name is Ann.", category="person")
            await first.send_message("Hi")
        async with pool.checkout(user_id="bob") as second:
            assert second.session_id != first.session_id
            assert second.user_id == "bob"
            assert second.memories == []
            assert (await second.history()).messages == []
        kept = await tenuto.history(first.session_id)
        assert [message.text for message in kept.messages] == ["Hi", "Hello."]
        with pytest.raises(SessionEnded):
            await tenuto.load_session(first.session_id)


async def test_a_session_is_returned_once_and_to_its_own_pool() -> None:
    async with hosting() as tenuto, SessionPool(tenuto) as pool:
        session = await pool.get_session()
        stranger = await tenuto.create_session()
        with pytest.raises(InvalidInput, match="is not out of this pool"):
            await pool.return_session(stranger)
        assert stranger.is_active
        await pool.return_session(session)
        with pytest.raises(InvalidInput, match="was returned before"):
            await pool.return_session(session)
        await quiet()
        assert pool.sessions == ()


async def by_ending(session: Session) -> None:
    await session.end()


async def by_closing(session: Session) -> None:
    await session.close()


async def by_losing(session: Session) -> None:
    session.driver.lose(LeaseLost())


@pytest.mark.parametrize("go", [by_ending, by_closing, by_losing])
async def test_a_session_that_goes_by_itself_frees_its_place(go: object) -> None:
    assert callable(go)
    async with hosting() as tenuto, SessionPool(tenuto, limit=1, timeout=5) as pool:
        async with pool.checkout() as session:
            await go(session)
            assert (await pool.get_session()).is_active
            # The block returns it all the same, and that frees no second place.
        with pytest.raises(PoolTimeout):
            await pool.get_session()


async def test_a_session_that_is_not_used_is_parked_and_frees_its_place() -> None:
    async with hosting() as tenuto, SessionPool(tenuto, limit=1, timeout=60) as pool:
        await pool.get_session()
        assert (await pool.get_session()).is_active


async def test_a_block_that_fails_or_returns_the_session_itself() -> None:
    async with hosting() as tenuto, SessionPool(tenuto, limit=1, timeout=0) as pool:
        with pytest.raises(ZeroDivisionError):
            async with pool.checkout():
                _ = 1 / 0
        await quiet()
        async with pool.checkout() as session:
            await pool.return_session(session)
        await quiet()
        assert pool.sessions == ()


async def test_what_cannot_be_made_takes_no_place() -> None:
    async with hosting() as tenuto, SessionPool(tenuto, limit=1, timeout=0) as pool:
        with pytest.raises(InvalidInput):
            await pool.get_session(user_id="a/b")
        tenuto.shelf.open.clear()
        asking = asyncio.create_task(pool.get_session())
        await quiet()
        tenuto.shelf.full.add(pool.sessions[0].session_id)
        tenuto.shelf.open.set()
        with pytest.raises(StoreFull):
            await asking
        assert (await pool.get_session()).is_active


async def test_what_did_not_become_durable_is_told_on_return() -> None:
    async with hosting() as tenuto, SessionPool(tenuto, limit=1, timeout=0) as pool:
        session = await pool.get_session()
        tenuto.shelf.full.add(session.session_id)
        with pytest.raises(StoreFull):
            await pool.return_session(session)
        await quiet()
        assert (await pool.get_session()).is_active


async def test_closing_ends_every_session_and_tells_whoever_waits() -> None:
    async with hosting() as tenuto:
        pool = SessionPool(tenuto, limit=2)
        out = [await pool.get_session() for _ in range(2)]
        waiting = [asyncio.create_task(pool.get_session()) for _ in range(2)]
        await quiet()
        tenuto.shelf.full.add(out[0].session_id)
        with pytest.raises(StoreFull):
            await pool.close()
        await quiet()
        assert (pool.sessions, pool.waiting) == ((), 0)
        assert (await tenuto.head(out[1].session_id)).ended
        for task in waiting:
            with pytest.raises(IllegalEvent, match="The pool is closed"):
                await task
        with pytest.raises(IllegalEvent):
            await pool.get_session()
        await pool.close()


async def test_closing_tells_of_all_that_failed() -> None:
    async with hosting() as tenuto:
        pool = SessionPool(tenuto)
        out = [await pool.get_session() for _ in range(3)]
        tenuto.shelf.full |= {session.session_id for session in out[:2]}
        with pytest.raises(ExceptionGroup) as failed:
            await pool.close()
        assert [type(error) for error in failed.value.exceptions] == [StoreFull, StoreFull]


async def test_what_a_pool_does_not_accept() -> None:
    async with hosting() as tenuto:
        with pytest.raises(InvalidInput, match="`limit` is 1 or more"):
            SessionPool(tenuto, limit=0)
        with pytest.raises(InvalidInput, match="not '3'"):
            SessionPool(tenuto, limit="3")  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="`timeout` is 0 seconds or more"):
            SessionPool(tenuto, timeout=-1)
        with pytest.raises(InvalidInput, match="`session_id` differs"):
            SessionPool(tenuto, session_id="a")
        pool = SessionPool(tenuto, tenant="acme")
        with pytest.raises(InvalidInput, match="`timeout` is 0 seconds or more"):
            await pool.get_session(timeout=float("nan"))
        session = await pool.get_session()
        assert (await tenuto.head(session.session_id, tenant="acme")).tenant == "acme"
        await pool.close()
