"""A host: one process and its live sessions. `Tenuto` is its public face.

A session is live on one host at a time, by the lease in its store. The host opens and loads sessions, renews their leases
in one write, wakes the ones that have something to do by themselves, and lets go of them when nobody needs them.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec

from tenuto import events as e
from tenuto.clock import Clock, SystemClock
from tenuto.errors import (
    AppendConflict,
    IllegalEvent,
    InvalidInput,
    LeaseLost,
    NotAllowed,
    NotAuthenticated,
    SessionEnded,
    SessionNotFound,
    StoreError,
    StoreUnavailable,
    TenutoError,
)
from tenuto.host import migration, sharing
from tenuto.host.archive import StoredArchive
from tenuto.host.engines import BuiltInEngines
from tenuto.host.extraction import Extraction, extractor_of
from tenuto.host.sharing import SharedSession
from tenuto.host.user_memory import UserMemories
from tenuto.ids import RESERVED, host_id, is_gone, new_epoch, new_id
from tenuto.session import core as c
from tenuto.session import fold, ports, resume, stimuli
from tenuto.session.analytics_part import Report, report
from tenuto.session.config import SessionConfig, chosen_id, take_id
from tenuto.session.driver import Driver
from tenuto.session.history import HistoryPage
from tenuto.session.layers import made_of
from tenuto.session.memory_book import Memories
from tenuto.session.preferences import SessionProfile, take_profile
from tenuto.session.reading import TextReader
from tenuto.session.session import Session
from tenuto.session.state import Life
from tenuto.session.templates import SessionTemplate
from tenuto.settings import TenutoConfig
from tenuto.stores import rows
from tenuto.stores.open import open_store
from tenuto.text.search import Embed

log = logging.getLogger("tenuto.host")

WATCH_SECONDS = 0.5
"""How often a journal that another host writes is read by `watch`."""
ALARM_SECONDS = 0.5
"""How often the store is asked for parked sessions whose alarm is due."""
DRAIN_SECONDS = 5.0
"""Seconds that sessions may take to be put away."""
MARGIN = 0.2
"""The part of a lease before its end at which an owner that could not renew stops acting."""


class Opening:
    """A session that is about to be here: await it, or use it with `async with`, which holds it and closes it at the end.

    Example:
        >>> async with tenuto.session(user_id="alice") as session:  # doctest: +SKIP
        ...     await session.send_message("Hello")
    """

    def __init__(self, opening: Callable[[], Coroutine[Any, Any, Session]]) -> None:
        self._opening = opening
        self._session: Session | None = None

    def __await__(self) -> Generator[Any, None, Session]:
        return self._open().__await__()

    async def _open(self) -> Session:
        # Whoever had it until now may be putting it away.
        while self._session is None or self._session.driver.is_leaving:
            self._session = await self._opening()
        return self._session

    async def __aenter__(self) -> Session:
        return await (await self._open()).__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.__aexit__(kind, error, trace)


class Tenuto:
    """Sessions for voice agents that outlive reloads, lost networks and killed servers.

    Args:
        config: The settings; the defaults keep journals in `tenuto.db` and need no key and no network.
        store: A store to use in place of `config.store`.
        engines: Engines to use in place of `config.engine`.
        clock: The time.
        embed: Adds meaning to `search_memory`: turns texts into vectors, one for each text, all of one length. It is called
            while a search waits, so it should be quick.
        extractor: Finds facts in conversations that have ended, in place of `config.extractor`.

    Example:
        >>> async with Tenuto() as tenuto:  # doctest: +SKIP
        ...     async with tenuto.session(user_id="alice") as session:
        ...         reply = await session.send_message("What time is it?")
    """

    def __init__(
        self,
        config: TenutoConfig | None = None,
        *,
        store: ports.Store | None = None,
        engines: ports.Engines | None = None,
        clock: Clock | None = None,
        embed: Embed | None = None,
        extractor: ports.Extractor | None = None,
    ) -> None:
        self.config = config or TenutoConfig()
        made_of(agent=self.config.agent)
        self.clock = clock or SystemClock()
        self.id = host_id()
        """This host's own id, as leases name it."""
        self.sessions_here: dict[str, Session] = {}
        """The sessions that are live on this host, by id."""
        self._given_store, self._store = store, store
        self.engines: ports.Engines = engines or BuiltInEngines(self.config)
        self.reader: ports.Reader = TextReader()
        """What finds personal data and traits in what the user says."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._loading: dict[str, asyncio.Task[Session]] = {}
        self._making: dict[str, Session] = {}
        """Sessions whose journals are being made: nobody knows yet whether there is one of that id."""
        self._background: set[asyncio.Task[None]] = set()
        self._renewed = 0.0
        self._begun = self._closing = False
        self._embed = embed
        self._memories = UserMemories(lambda: self.store, self.clock, self.id, self.spawn)
        self._extraction = Extraction(self, extractor or extractor_of(self.config.extractor))
        self.pulse: set[Callable[[float], None]] = set()
        """Called once a second, with seconds of a clock that does not jump."""

    @property
    def store(self) -> ports.Store:
        """Where journals are kept.

        Raises:
            TenutoError: It cannot be opened; the message says what to do.
        """
        if self._store is None:
            self._store = open_store(self.config.store)
        return self._store

    async def __aenter__(self) -> Self:
        await self.store.due(0.0, 1)
        self._begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _begin(self) -> None:
        """Do what a host does by itself from now on: `async with` begins it, and so does the first session without one."""
        if not self._begun:
            self._begun = True
            self._renewed = self.clock.monotonic()
            for job in (self._renew_leases, self._ring_alarms, self._beat):
                self.spawn(job())

    def warm(self) -> None:
        """Load the engine's voice, and what reads messages, beside: so the first to speak does not wait for it."""

        async def load() -> None:
            try:
                await asyncio.to_thread(self.reader.warm)
                await self.engines.start()
            except TenutoError as error:
                log.error("no voice: %s", error.message)

        self.spawn(load())

    async def close(self) -> None:
        """Put every session away and let go of the store and the engines."""
        await self.drain()
        for task in self._background:
            task.cancel()
        if self._background:
            await asyncio.wait(self._background)
        await self.engines.close()
        if self._given_store is None and self._store is not None:
            await self._store.close()
            self._store = None

    async def drain(self) -> None:
        """Put every session away: clients are told to come back, journals are complete, leases are given up."""
        self._closing = True
        if self._loading:
            await asyncio.wait(list(self._loading.values()), timeout=DRAIN_SECONDS)
        await self._memories.flush()
        for session in [*self.sessions_here.values(), *self._making.values()]:
            driver = session.driver
            try:
                for number in list(driver.core.state.here):
                    driver.receive(stimuli.Leave(attachment=number, reason="draining"))
            except TenutoError as error:
                log.warning("session %s: %s while draining", session.session_id, error.code)
            driver.stop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks.values(), timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=DRAIN_SECONDS)

    # ---------------------------------------------------------------------------------------------------------------- sessions

    def session(
        self,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        config: SessionConfig | Mapping[str, Any] | None = None,
        preset: SessionConfig | str | None = None,
        preference_profile: SessionProfile | Mapping[str, Any] | None = None,
        tenant: str = "local",
    ) -> Opening:
        """Open the session of that id, or make one. Works with `await` and `async with`, which closes it at the end.

        A session that is there already keeps its settings.

        Args:
            user_id: Whose it is, as for `create_session`, like all that follow.
            session_id: Its id; when None the one that somebody has given to `config`, or a new one.
            config: Its settings, or only some of them by name.
            preset: One of `SessionPresets`, or its name.
            preference_profile: What is known of the user from elsewhere.
            tenant: Whose it is to be among the users of several.

        Raises:
            AppendConflict: There is a session of that id, and it is not `user_id`'s.
        """

        async def open_or_create() -> Session:
            name = session_id
            if name is None and isinstance(config, SessionConfig):
                name = chosen_id(config)
            if name is not None:
                try:
                    await self._need_user(name, user_id, tenant)
                    return await self.load_session(name, tenant=tenant)
                except SessionNotFound:
                    pass
            return await self.create_session(
                user_id=user_id,
                session_id=name,
                config=config,
                preset=preset,
                preference_profile=preference_profile,
                tenant=tenant,
            )

        return Opening(open_or_create)

    def create_session(
        self,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        config: SessionConfig | Mapping[str, Any] | None = None,
        preset: SessionConfig | str | None = None,
        template: SessionTemplate | None = None,
        context: Mapping[str, Any] | None = None,
        preference_profile: SessionProfile | Mapping[str, Any] | None = None,
        tenant: str = "local",
    ) -> Session:
        """Make a session. It can be used at once; await it for durability.

        Its settings are those of the host (`TenutoConfig.agent`), with those of the preset over them, then the template's,
        then its own.

        Args:
            user_id: Whose it is; when None that of `config`, or `local`.
            session_id: Its id, 1 to 100 characters; when None that of `config`, the first time that it is used; or a new one.
            config: Its settings, or only some of them by name.
            preset: One of `SessionPresets`, or its name.
            template: What it is made from; see `create_session_from_template`.
            context: What is known from the beginning, by name.
            preference_profile: What was learned of the user elsewhere: what `export_preference_profile` gave, or what JSON has
                kept of it.
            tenant: Whose it is to be among the users of several.

        Raises:
            InvalidInput: A value is wrong.
            InvalidConfig: A setting is wrong; `fields` names it.
            TemplateContextMissing: The template needs to know more.
            MissingExtra: A setting needs something that is not installed.
            AppendConflict: There is a session of that id; raised when awaited, or at once if it is live here.
            IllegalEvent: Nothing asynchronous is running: it is called outside of `asyncio.run(...)`.
            StoreUnavailable: This host is going down, or was closed.

        Example:
            >>> session = tenuto.create_session(  # doctest: +SKIP
            ...     user_id="user_456", preset=SessionPresets.EDUCATIONAL
            ... )
        """
        _need_loop()
        self._need_open()
        zone = {"timezone": self.config.timezone} if self.config.timezone else {}
        made = made_of(
            agent={**zone, **self.config.agent},
            preset=preset,
            template=template,
            config=config,
            context=context,
        )
        if preference_profile is not None:
            take_profile(fold.State(), preference_profile, self.clock.now())
        own = config if isinstance(config, SessionConfig) else None
        # Who says nothing is the local user; who says "" has lost an id, and must not get somebody else's memory.
        user_id = own.user_id if user_id is None and own is not None else user_id
        user = _acceptable("user_id", "local" if user_id is None else user_id)
        session_id = _acceptable("session_id", session_id or (own and take_id(own)) or new_id())
        if session_id in self._tasks or session_id in self._loading:
            raise AppendConflict(f"Session {session_id} exists already.")
        state = fold.State()
        new = ports.NewSession(
            session=session_id, tenant=tenant, user=user, epoch=new_epoch(), at=self.clock.now()
        )

        async def opening() -> int:
            try:
                lease = await self.store.create(new, self.id, self.config.url, self.config.lease)
            finally:
                self._making.pop(session_id, None)
            self.sessions_here[session_id] = session
            return lease.fence

        driver = self._driver(state, 0, opening)
        driver.receive(
            stimuli.Create(
                session=session_id,
                tenant=tenant,
                user=user,
                epoch=new.epoch,
                config=made.config,
                layers=made.layers,
                template=made.template,
                context=made.context,
                categories=made.categories,
            )
        )
        if preference_profile is not None:
            given = preference_profile
            driver.receive(stimuli.Decide(rules=(lambda s, at: take_profile(s, given, at),)))
        session = self._making[session_id] = self._start(session_id, driver)
        return session

    def create_session_from_template(
        self,
        template: SessionTemplate,
        context: Mapping[str, Any] | None = None,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        config: SessionConfig | Mapping[str, Any] | None = None,
        preset: SessionConfig | str | None = None,
        preference_profile: SessionProfile | Mapping[str, Any] | None = None,
        tenant: str = "local",
    ) -> Session:
        """Make a session of a kind. It can be used at once; await it for durability.

        Args:
            template: The kind.
            context: What is known from the beginning, by name: all that the template requires, and more if you like. It is
                journaled with the session, and told to the engine as data.
            user_id: As for `create_session`, like all that follow.
            session_id: Its id.
            config: Its own settings: they go before the template's.
            preset: What the template's settings stand on.
            preference_profile: What was learned of the user elsewhere.
            tenant: Whose it is to be.

        Raises:
            TemplateContextMissing: Something required is not known; all that is missing is named.
            TenutoError: As `create_session`.

        Example:
            >>> session = tenuto.create_session_from_template(  # doctest: +SKIP
            ...     template=template, context={"patient_id": "P12345", "appointment_type": "follow_up"}
            ... )
        """
        return self.create_session(
            user_id=user_id,
            session_id=session_id,
            config=config,
            preset=preset,
            template=template,
            context=context,
            preference_profile=preference_profile,
            tenant=tenant,
        )

    async def load_session(
        self, session_id: str, *, tenant: str = "local", lazy_load: bool = False
    ) -> Session:
        """Take a session to this host. One that is live here already is the same object.

        Args:
            session_id: Its id.
            tenant: The tenant of its user.
            lazy_load: Whether its memory is read only when somebody needs it: `session.memory.is_read` says whether it was.

        Raises:
            SessionNotFound: There is no such session, or it is another tenant's.
            SessionEnded: It has ended.
            SessionLocked: Another host has it; the error says which, and until when.
            StoreUnavailable: This host is going down, or was closed.
        """
        session = await self._take_here(session_id, tenant)
        await session.memory.fresh()
        if not lazy_load:
            session.memory.read()
        return session

    def _need_open(self) -> None:
        if self._closing:
            raise StoreUnavailable(
                "This host is going down, or was closed. Come back in a moment; in a program, make another `Tenuto`."
            )

    async def _take_here(self, session_id: str, tenant: str) -> Session:
        making = self._making.get(session_id)
        if making is not None and making.driver.core.state.tenant == tenant:
            try:
                return await making
            except AppendConflict:
                pass  # There was one of that id before.
        live = self.sessions_here.get(session_id)
        if live is not None and live.driver.error is None and not live.driver.is_leaving:
            if live.driver.core.state.tenant != tenant:
                raise SessionNotFound
            await live.commit()
            if not live.driver.is_leaving:
                return live
        self._need_open()
        head = await self.head(session_id, tenant=tenant)
        if head.ended:
            raise SessionEnded
        if session_id not in self._loading:
            task = asyncio.create_task(self._load(session_id))
            self._loading[session_id] = task
            task.add_done_callback(lambda _: self._loading.pop(session_id, None))
        return await asyncio.shield(self._loading[session_id])

    async def resume_session(
        self, session_id: str, client: str, token: str, role: e.AttachmentRole = "controller"
    ) -> Session:
        """Load a session for a client that shows nothing but its resume token.

        Nothing is taken or written before the token is known to be of that client.

        Args:
            session_id: Which one.
            client: The client program's own id.
            token: The resume token that it was given last.
            role: What it wants to be.

        Raises:
            NotAuthenticated: It is not, or there is no such session: the two look the same.
            NotAllowed: It wants the controls, and has only ever observed.
        """
        live = self.sessions_here.get(session_id)
        if live is not None and live.driver.error is None:
            state = live.driver.core.state
        else:
            loaded = await self.store.load(session_id)
            state = await self._fold(loaded) if loaded is not None else fold.State()
        proof = resume.prove(state.clients.get(client), token, self.clock.now())
        if proof is resume.Proof.UNKNOWN:
            raise NotAuthenticated("The resume token is not valid any more. Get a ticket.")
        if role == "controller" and state.clients[client].observes:
            raise NotAllowed("This token is an observer's. Get a ticket for the controls.")
        return await self.load_session(session_id, tenant=state.tenant)

    async def access_shared_session(
        self, share_token: str, user_id: str, *, tenant: str = "local", live: bool = True
    ) -> SharedSession:
        """Look at a session that was shared: live, and only as far as the share allows.

        The caller vouches for the user: a token is of use to the user that it was made for, and to nobody else. Every use is
        in the session's journal (`session.shares.audit`), also one that was refused.

        Args:
            share_token: What `create_shared_view` gave.
            user_id: Who looks.
            tenant: Whose session it has to be.
            live: Whether its `events` are wanted, which takes an attachment. What it allows is the same without.

        Raises:
            NotAuthenticated: The token is not known here. It looks the same for a session that is not there, or not yours.
            NotAllowed: It is another user's.
            ShareExpired: It has expired.
            ShareRevoked: It was revoked, or the session has ended.
            SessionLocked: Another host has the session.

        Example:
            >>> shared = await tenuto.access_shared_session(  # doctest: +SKIP
            ...     share_token=view.token, user_id="doctor_456"
            ... )
            >>> page = await shared.history()  # doctest: +SKIP
        """
        return await sharing.access(self, share_token, user_id, tenant, live)

    async def peek(self, session_id: str, *, tenant: str = "local") -> fold.State | None:
        """Return a session's state without taking the session; None when there is none, or it is another tenant's.

        Read it; it may be the live one.

        Args:
            session_id: Which one.
            tenant: Whose it has to be.
        """
        making = self._making.get(session_id)
        if making is not None and making.driver.core.state.tenant == tenant:
            with contextlib.suppress(TenutoError):
                await making
        live = self.sessions_here.get(session_id)
        if live is not None and live.driver.error is None:
            state = live.driver.core.state
        else:
            loaded = await self.store.load(session_id)
            state = await self._fold(loaded) if loaded is not None else fold.State()
        return state if state.position and state.tenant == tenant else None

    async def head(self, session_id: str, *, tenant: str = "local") -> ports.Head:
        """Return what is known of a session without loading it.

        Args:
            session_id: Which one.
            tenant: Whose it has to be.

        Raises:
            SessionNotFound: There is no such session, or it is another tenant's.
        """
        head = await self.store.head(session_id)
        mine = head is not None and head.tenant == tenant and head.position > 0
        if head is None or not mine or session_id.startswith(RESERVED):
            raise SessionNotFound
        return head

    async def _need_user(self, session_id: str, user_id: str | None, tenant: str) -> None:
        """Let nobody have somebody else's session by its id: to them it is as if there were one that they cannot see.

        Raises:
            SessionNotFound: There is no such session.
            AppendConflict: There is one, and it is another user's.
        """
        if user_id is None:
            return
        live = self._making.get(session_id) or self.sessions_here.get(session_id)
        mine = live is not None and live.driver.core.state.tenant == tenant
        known = live.user_id if live is not None and mine else ""
        if (known or (await self.head(session_id, tenant=tenant)).user) != user_id:
            raise AppendConflict(f"Session {session_id} exists already.")

    async def sessions(
        self, query: ports.Query | None = None, *, tenant: str = "local"
    ) -> Sequence[ports.Head]:
        """List sessions, the most recently updated first.

        Args:
            query: Whose, and which page of them; the first fifty of the tenant when None.
            tenant: Whose, where there is no query.

        Example:
            >>> [head.session for head in await tenuto.sessions()]  # doctest: +SKIP
            ['sess_abc123']
        """
        return await self.store.sessions(query or ports.Query(tenant=tenant))

    async def history(
        self, session_id: str, *, tenant: str = "local", before: int | None = None, limit: int = 50
    ) -> HistoryPage:
        """Return a page of messages, oldest first: the newest page, or the one before a position.

        Args:
            session_id: Which one.
            tenant: Whose it has to be.
            before: Only messages before this position, as `HistoryPage.next` gave it; None for the newest page.
            limit: How many messages, at most.

        Raises:
            SessionNotFound: There is no such session.
        """
        await self.head(session_id, tenant=tenant)
        return await StoredArchive(self, session_id).history(before, limit)

    async def analytics(self, session_id: str, *, tenant: str = "local") -> Report:
        """Return what was counted of a session, without loading it: up to now, or until it was left alone.

        Args:
            session_id: Its id.
            tenant: Whose it is.

        Raises:
            SessionNotFound: There is no such session, or it is another tenant's.

        Example:
            >>> report = await tenuto.analytics("s1")  # doctest: +SKIP
            >>> report.analytics.message_count, report.cost.usd  # doctest: +SKIP
            (12, 0.0)
        """
        head = await self.head(session_id, tenant=tenant)
        live = self.sessions_here.get(session_id)
        if live is not None and live.driver.error is None:
            await live.commit()
            return live.analytics.report()
        loaded = await self.store.load(session_id)
        if loaded is None:
            raise SessionNotFound
        state = await self._fold(loaded)
        # While no host has it nobody talks, even where a crash has left a conversation open.
        now = max(self.clock.now(), state.updated) if head.expires > 0 else state.updated
        return report(state, now, self.config.prices)

    async def watch(
        self, session_id: str, *, tenant: str = "local", after: int = 0
    ) -> AsyncIterator[ports.Row]:
        """Yield every event after a position: what happened, then what happens. Ends after `session.ended`.

        Works for sessions of other hosts too. Slow readers cost nothing: they read the journal, not a queue.

        Args:
            session_id: Which one.
            tenant: Whose it has to be.
            after: The position to begin after; 0 for the beginning.

        Raises:
            SessionNotFound: There is no such session.
        """
        await self.head(session_id, tenant=tenant)
        more = asyncio.Event()
        ended = e.TAGS[e.SessionEnded]
        watched: Driver | None = None

        def wake(row: ports.Row, event: e.Event) -> None:
            more.set()

        try:
            while not self._closing:
                more.clear()
                live = self.sessions_here.get(session_id)
                if live is not None and live.driver is not watched:
                    watched = live.driver
                    watched.watchers.append(wake)
                found = await self.store.read(ports.Read(session=session_id, after=after))
                for row in found:
                    yield row
                    after = row.position
                    if row.type == ended:
                        return
                if not found:
                    try:
                        await asyncio.wait_for(more.wait(), WATCH_SECONDS)
                    except TimeoutError:
                        if await self.store.head(session_id) is None:
                            return
        finally:
            if watched is not None:
                watched.watchers.remove(wake)

    async def export_session(
        self, session_id: str, *, tenant: str = "local"
    ) -> AsyncIterator[bytes]:
        """Yield a session as lines, for a file or another store; a bounded part of it is in RAM at a time.

        Args:
            session_id: Which one. It need not be live here.
            tenant: Whose it has to be.

        Raises:
            SessionNotFound: There is no such session.

        Example:
            >>> with open("session.jsonl", "wb") as file:  # doctest: +SKIP
            ...     async for line in tenuto.export_session("sess_abc123"):
            ...         file.write(line)
        """
        head = await self.head(session_id, tenant=tenant)
        async for line in migration.export_lines(self.store, head):
            yield line

    async def import_session(
        self,
        data: migration.Source,
        *,
        user_id_mapping: Mapping[str, str] | None = None,
        session_id: str | None = None,
        tenant: str = "local",
        kind: str = "",
    ) -> Session:
        """Import a session and load it. Nothing is written before all of it was checked.

        Args:
            data: What `export_full` or `export_session` gave: the object, its text, or a stream of its lines. Or what others
                keep: chat messages, a map of sessions by id, a session's record.
            user_id_mapping: Users by the names that they had.
            session_id: Its id here; when None the one that it had, or a new one if that is taken.
            tenant: Whose it becomes.
            kind: `chat`, `map`, `record` or `structure` for what others keep; found out when empty.

        Raises:
            ExportUnsupported: It is of a format or version that is not known.
            InvalidInput: It is damaged, or it holds several sessions (see `import_sessions`). Nothing was imported.
            AppendConflict: There is a session of that `session_id`.
            SessionEnded: It has ended: it was imported, and its history can be read.

        Example:
            >>> session = await tenuto.import_session(data, user_id_mapping={"old_123": "new_456"})  # doctest: +SKIP
        """
        names = await self.import_sessions(
            data,
            user_id_mapping=user_id_mapping,
            session_id=session_id,
            tenant=tenant,
            kind=kind,
            most=1,
        )
        return await self.load_session(names[0], tenant=tenant)

    async def import_sessions(
        self,
        data: migration.Source,
        *,
        user_id_mapping: Mapping[str, str] | None = None,
        session_id: str | None = None,
        tenant: str = "local",
        kind: str = "",
        most: int | None = None,
    ) -> list[str]:
        """Import sessions without loading them, and return their ids; see `import_session`.

        Args:
            data: What holds them.
            user_id_mapping: Users by the names that they had.
            session_id: The id of the session, where there is just one.
            tenant: Whose they become.
            kind: `chat`, `map`, `record` or `structure` for what others keep; found out when empty.
            most: How many there may be; None for any number.

        Raises:
            ExportUnsupported: It is of a format or version that is not known.
            InvalidInput: It is damaged, or holds more sessions. Nothing was imported.
            AppendConflict: There is a session of that `session_id`.
        """
        return await migration.import_lines(
            self,
            data,
            users=user_id_mapping,
            session_id=_acceptable("session_id", session_id) if session_id else None,
            tenant=tenant,
            kind=kind,
            most=most,
        )

    async def state_at(
        self, session_id: str, position: int, *, tenant: str = "local"
    ) -> fold.State:
        """Return a session as it was at a position, folded from its journal.

        Args:
            session_id: Which one.
            position: 1 to the journal's head.
            tenant: Whose it has to be.

        Raises:
            SessionNotFound: There is no such session.
            InvalidInput: There is no such position.
        """
        head = await self.head(session_id, tenant=tenant)
        return await migration.state_at(self.store, head, position)

    async def end_session(
        self, session_id: str, *, tenant: str = "local", reason: str = "user"
    ) -> None:
        """End a session for good. Its history can still be read.

        Args:
            session_id: Which one.
            tenant: Whose it has to be.
            reason: Why, as `session.ended` says.

        Raises:
            SessionNotFound: There is no such session.
            SessionEnded: It has ended already.
            SessionLocked: Another host has it.
        """
        session = await self.load_session(session_id, tenant=tenant)
        await session.end(reason)
        await self._gone(session_id)

    async def forget_session(self, session_id: str, *, tenant: str = "local") -> None:
        """Erase a session: nothing of it is left in the store.

        Args:
            session_id: Which one.
            tenant: Whose it has to be.

        Raises:
            SessionNotFound: There is no such session.
            SessionLocked: Another host has it.
        """
        await self.head(session_id, tenant=tenant)
        live = self.sessions_here.get(session_id)
        if live is not None:
            live.driver.lose(SessionNotFound("The session was forgotten."), "ended")
            await self._gone(session_id)
        lease = await self.store.claim(session_id, self.id, self.config.url, self.config.lease)
        await self.store.forget(session_id, lease.fence)

    async def forget_user_memory(self, user_id: str, *, tenant: str = "local") -> None:
        """Erase what all of a user's sessions know with `memory_scope="user"`. What single sessions know stays.

        Args:
            user_id: Whose memory.
            tenant: The tenant of that user.
        """
        await self._memories.of(tenant, user_id).forget()

    # ------------------------------------------------------------------------------------------------------------- life of one

    async def _load(self, session_id: str) -> Session:
        await self._gone(session_id)
        began = self.clock.monotonic()
        lease = await self.store.claim(session_id, self.id, self.config.url, self.config.lease)
        loaded = await self.store.load(session_id)
        if loaded is None:
            raise SessionNotFound
        state = await self._fold(loaded)
        driver = self._driver(state, lease.fence)
        driver.receive(stimuli.Restore(host=self.id, fence=lease.fence))
        session = self.sessions_here[session_id] = self._start(session_id, driver)
        session.debug.load_seconds = self.clock.monotonic() - began
        session.debug.load_events = len(loaded.rows)
        return await session

    async def _fold(self, loaded: ports.Loaded) -> fold.State:
        """Fold a journal to its state: the newest snapshot, if this version can read it, and what came after."""
        state, found = fold.State(memory=Memories.unread()), loaded.rows
        if loaded.snapshot is not None:
            try:
                state = fold.decode(loaded.snapshot.body)
            except msgspec.MsgspecError:
                found = await self._read_all(loaded.head.session)
            else:
                if not state.analytics.last:
                    # It was made by a version that counted nothing yet.
                    state = fold.State(memory=Memories.unread())
                    found = await self._read_all(loaded.head.session)
        for row in found:
            fold.apply(state, rows.to_event(row))
        return state

    async def _read_all(self, session_id: str) -> Sequence[ports.Row]:
        found: list[ports.Row] = []
        while True:
            after = found[-1].position if found else 0
            page = await self.store.read(ports.Read(session=session_id, after=after, limit=1_000))
            if not page:
                return found
            found.extend(page)

    def _driver(
        self,
        state: fold.State,
        fence: int,
        opening: Callable[[], Coroutine[Any, Any, int]] | None = None,
    ) -> Driver:
        core = c.SessionCore(state, self.engines.capabilities, self.config.grace, self.reader)
        return Driver(
            core,
            self.store,
            fence,
            rows,
            self.engines.make,
            self.clock,
            self,
            opening,
        )

    def _start(self, session_id: str, driver: Driver) -> Session:
        self._begin()
        session = Session(driver, StoredArchive(self, session_id))
        session.analytics.prices = self.config.prices
        session.memory.embed = self._embed
        self._memories.join(session)
        self._extraction.join(session)
        task = asyncio.create_task(self._serve(session_id, session))
        self._tasks[session_id] = task
        return session

    async def _serve(self, session_id: str, session: Session) -> None:
        try:
            await session.driver.run()
        except Exception:  # one session's bug must not take the host along
            log.exception("session %s failed", session_id)
        finally:
            if self._making.get(session_id) is session:
                del self._making[session_id]
            if self.sessions_here.get(session_id) is session:
                del self.sessions_here[session_id]
            self._memories.leave(session)
            session.ended(session.driver.error or LeaseLost())
            try:
                if session.driver.fence:
                    await self.store.release(session_id, self.id)
            except StoreError as error:
                log.warning("session %s: lease not released: %s", session_id, error.code)
            if self._tasks.get(session_id) is asyncio.current_task():
                del self._tasks[session_id]

    async def _gone(self, session_id: str) -> None:
        """Wait until a session that is on its way out has let go of its lease."""
        task = self._tasks.get(session_id)
        if task is not None:
            await asyncio.wait([task])

    def unload(self, driver: Driver) -> None:
        """Forget a session here. Called by its driver."""
        driver.stop()

    # -------------------------------------------------------------------------------------------------------------- background

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        """Run something that this host owns and waits for when it closes. What it raises is logged.

        Args:
            job: A coroutine that nobody runs yet.
        """
        task = asyncio.create_task(job)
        self._background.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the host failed", exc_info=error)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._beat_once(self.clock.monotonic())

    def _beat_once(self, now: float) -> None:
        for tick in list(self.pulse):
            try:
                tick(now)
            except Exception:  # one socket's bug must not stop the beats of all
                log.exception("a beat failed")

    async def _renew_leases(self) -> None:
        """Renew every lease in one write. An owner that cannot stops acting before anybody can take over."""
        while True:
            await asyncio.sleep(self.config.lease / 3)
            await self._renew_once(self.config.lease)

    async def _renew_once(self, lease: float) -> None:
        began = self.clock.monotonic()
        here = dict(self.sessions_here)
        if not here:
            self._renewed = began
            return
        try:
            async with asyncio.timeout(lease / 3):
                held = await self.store.renew(self.id, list(here), lease)
            self._renewed = began
        except (StoreError, TimeoutError):
            log.warning("leases not renewed for %.1f s", self.clock.monotonic() - self._renewed)
            late = self.clock.monotonic() - self._renewed > lease * (1 - MARGIN)
            held = set() if late else set(here)
        for session_id, session in here.items():
            # One that was let go and taken again meanwhile is another object, with a lease of its own.
            if session_id not in held and session.driver.fence:
                session.driver.lose(LeaseLost())

    async def _ring_alarms(self) -> None:
        """Wake the sessions that have something to do by themselves."""
        while not self._closing:
            await asyncio.sleep(ALARM_SECONDS)
            try:
                due = await self.store.due(self.clock.now(), 100)
                for head in due:
                    if head.session not in self.sessions_here and (
                        head.expires <= 0 or is_gone(head.owner)
                    ):
                        await self._ring(head)
            except TenutoError as error:
                log.warning("alarms: %s", error.code)

    async def _ring(self, head: ports.Head) -> None:
        try:
            if head.session.startswith(RESERVED):
                await self._memories.expire(head)
                return
            session = await self.load_session(head.session, tenant=head.tenant)
            if session.driver.core.state.life is not Life.ENDED:
                await session.driver.commit(session.driver.receive(stimuli.Due()))
        except TenutoError as error:
            log.warning("session %s: alarm: %s", head.session, error.code)


def _need_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise IllegalEvent(
            "A session lives in an event loop: call this within `async def main()`, run by `asyncio.run(main())`."
        ) from None


def _acceptable(name: str, value: object) -> str:
    fits = isinstance(value, str) and 1 <= len(value) <= 100
    if not isinstance(value, str) or not fits or not value.isprintable() or "/" in value:
        raise InvalidInput(f"`{name}` has 1 to 100 printable characters and no slash.")
    if name == "session_id" and value.startswith(RESERVED):
        raise InvalidInput(
            f"No `session_id` begins with {RESERVED!r}: that is for journals of other kinds."
        )
    return value
