"""`Tenuto`: the public face of a host, which is one process and its live sessions. Its verbs are one-liners over these parts:

| part | subject |
|---|---|
| `live.LiveSessions` | the sessions that are live here: made, loaded, served, let go of |
| `leases.Leases` | that nobody else serves them meanwhile |
| `alarms.Alarms` | those that have something to do by themselves |
| `journals.Journals` | what can be known of a session without taking it |
| `creating`, `opening` | what a new session is; the one that is loaded or made |
| `user_memory.UserMemories` | what all sessions of a user know |
| `background.Background` | jobs that the host owns, and its beat |

| what | acquired | released |
|---|---|---|
| the store, unless it was given | first use | `close` |
| what engines share | by themselves, or `warm` | `close` |
| the jobs that renew leases, ring alarms and beat | `async with`, or the first session | `close` |

`close` puts the sessions away before it cancels the jobs, so that leases are renewed to the end.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from tenuto import events as e
from tenuto.clock import Clock, SystemClock
from tenuto.errors import InvalidConfig, TenutoError
from tenuto.host import creating, migration, sharing
from tenuto.host.alarms import Alarms
from tenuto.host.archive import StoredArchive
from tenuto.host.background import Background
from tenuto.host.creating import Wanted, acceptable
from tenuto.host.engines import BuiltInEngines
from tenuto.host.extraction import Extraction, extractor_of
from tenuto.host.journals import Journals
from tenuto.host.leases import Leases
from tenuto.host.live import LiveSessions
from tenuto.host.opening import Opening, open_or_create
from tenuto.host.sharing import SharedSession
from tenuto.host.user_memory import UserMemories
from tenuto.ids import host_id
from tenuto.session import fold, ports
from tenuto.session.analytics_part import Report
from tenuto.session.checked import checked
from tenuto.session.config import SessionConfig, chosen_id
from tenuto.session.history import HistoryPage
from tenuto.session.layers import made_of
from tenuto.session.preferences import SessionProfile
from tenuto.session.reading import TextReader
from tenuto.session.session import Session
from tenuto.session.templates import SessionTemplate
from tenuto.settings import TenutoConfig
from tenuto.stores.open import open_store
from tenuto.text.search import Embed

log = logging.getLogger("tenuto.host")


@checked
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
        self.config = TenutoConfig() if config is None else config
        if not isinstance(self.config, TenutoConfig):
            raise InvalidConfig(
                "`config` is a TenutoConfig, such as TenutoConfig(store='memory:')."
            )
        if isinstance(store, str):
            raise InvalidConfig(
                "`store` is a store; a URL is a setting: TenutoConfig(store='sqlite:///my.db')."
            )
        made_of(agent=self.config.agent)
        self.clock = clock or SystemClock()
        self.id = host_id()
        """This host's own id, as leases name it."""
        self._given_store, self._store = store, store
        self.engines: ports.Engines = engines or BuiltInEngines(self.config)
        self.reader: ports.Reader = TextReader()
        """What finds personal data and traits in what the user says."""
        self._background = Background()
        self.pulse = self._background.pulse
        """Called once a second, with seconds of a clock that does not jump."""
        self._memories = UserMemories(lambda: self.store, self.clock, self.id, self.spawn)
        extraction = Extraction(self, extractor or extractor_of(self.config.extractor))
        self._live = LiveSessions(self, self._memories, extraction, embed, self._begin)
        self.sessions_here = self._live.here
        """The sessions that are live on this host, by id."""
        self._journals = Journals(self, self._live)
        self._leases = Leases(self)
        self._alarms = Alarms(self, self._live, self._memories)
        self._begun = False

    @property
    def store(self) -> ports.Store:
        """Where journals are kept.

        Raises:
            TenutoError: It cannot be opened; the message says what to do.
        """
        if self._store is None:
            self._live.need_open()
            self._store = open_store(self.config.store)
        return self._store

    async def __aenter__(self) -> Self:
        try:
            await self.store.due(0.0, 1)
        except BaseException:
            await self._close_store()
            raise
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
            for job in (self._leases.run(), self._alarms.run(), self._background.beat(self.clock)):
                self.spawn(job)

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
        await self._background.close()
        try:
            await self.engines.close()
        finally:
            await self._close_store()

    async def _close_store(self) -> None:
        if self._given_store is None and self._store is not None:
            store, self._store = self._store, None
            await store.close()

    async def drain(self) -> None:
        """Put every session away: clients are told to come back, journals are complete, leases are given up."""
        await self._live.drain()

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

        def create() -> Session:
            return self.create_session(
                user_id=user_id,
                session_id=session_id,
                config=config,
                preset=preset,
                preference_profile=preference_profile,
                tenant=tenant,
            )

        async def opening() -> Session:
            name = session_id
            if name is None and isinstance(config, SessionConfig):
                name = chosen_id(config)
            if name is None:
                return await create()
            return await open_or_create(self, self._live, name, user_id, tenant, create)

        return Opening(opening)

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
        wanted = Wanted(
            user_id=user_id,
            session_id=session_id,
            config=config,
            preset=preset,
            template=template,
            context=context,
            preference_profile=preference_profile,
            tenant=tenant,
        )
        return creating.create(self, self._live, wanted)

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
        session = await self._live.take(session_id, tenant)
        await session.memory.fresh()
        if not lazy_load:
            session.memory.read()
        return session

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
        tenant = await self._journals.prove(session_id, client, token, role)
        return await self.load_session(session_id, tenant=tenant)

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
        return await self._journals.peek(session_id, tenant)

    async def head(self, session_id: str, *, tenant: str = "local") -> ports.Head:
        """Return what is known of a session without loading it.

        Args:
            session_id: Which one.
            tenant: Whose it has to be.

        Raises:
            SessionNotFound: There is no such session, or it is another tenant's.
        """
        return await self._journals.head(session_id, tenant)

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
            InvalidInput: `limit` is below 1.
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
        return await self._journals.analytics(session_id, tenant)

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
        async for row in self._journals.watch(session_id, tenant, after):
            yield row

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
            session_id=acceptable("session_id", session_id) if session_id else None,
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
        await self._live.gone(session_id)

    async def forget_session(self, session_id: str, *, tenant: str = "local") -> None:
        """Erase a session: nothing of it is left in the store.

        Args:
            session_id: Which one.
            tenant: Whose it has to be.

        Raises:
            SessionNotFound: There is no such session.
            SessionLocked: Another host has it.
        """
        await self._live.forget(session_id, tenant)

    async def forget_user_memory(self, user_id: str, *, tenant: str = "local") -> None:
        """Erase what all of a user's sessions know with `memory_scope="user"`. What single sessions know stays.

        Args:
            user_id: Whose memory.
            tenant: The tenant of that user.
        """
        await self._memories.of(tenant, user_id).forget()

    # -------------------------------------------------------------------------------------------------------------- background

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        """Run something that this host owns and waits for when it closes. What it raises is logged.

        Args:
            job: A coroutine that nobody runs yet.
        """
        self._background.spawn(job)
