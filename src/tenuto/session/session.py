"""`Session`: the face. They delegate; what they delegate to can be built and tested alone.

A verb that returns an object may be used with and without `await`: it takes effect in memory at once, and awaiting it
waits for durability. A failure that nobody awaited is raised by the next awaited verb.
"""

import asyncio
from collections.abc import Generator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from tenuto.errors import EngineError, IllegalEvent, TenutoError
from tenuto.session import config as settings
from tenuto.session import history as transcript
from tenuto.session import ports, stimuli, transfer
from tenuto.session.analytics_part import AnalyticsPart
from tenuto.session.answers import Answers, Reply
from tenuto.session.archive import Archive
from tenuto.session.attachment import Attachment, Joining, attach
from tenuto.session.checked import checked, unchecked
from tenuto.session.config import SessionConfig
from tenuto.session.connecting import Connecting, ConnectionState
from tenuto.session.conversation import Conversation
from tenuto.session.debug import DebugPart
from tenuto.session.desk import Receipt
from tenuto.session.driver import Driver
from tenuto.session.history import ConversationInfo, HistoryPage
from tenuto.session.injecting import Injecting, parse_context
from tenuto.session.live_config import LiveConfig
from tenuto.session.live_desk import Batch, LiveDesk
from tenuto.session.memory_part import (
    MemoryCompression,
    MemoryEntry,
    MemoryPart,
    MemorySnapshot,
)
from tenuto.session.preferences import PreferencesPart, SessionProfile
from tenuto.session.shares_part import DEFAULT_HOURS, SharedView, SharesPart
from tenuto.session.state import Life, Status
from tenuto.session.streams import Events, StateStream
from tenuto.session.turn_fold import need_conversation


@checked
class Session:
    """A session that is live in this process.

    Made by `Tenuto.create_session`, `Tenuto.load_session` and `Tenuto.session`. Await it for durability.

    A session that nobody uses is put away after the host's grace (`TenutoConfig.grace`, 30 s): its next verb raises
    `LeaseLost`, which says how to load it again. Nobody uses it while no client is attached and this program has not talked
    in it. Within `async with session:` it stays, used or not; leaving the block, or the last of several, closes it.
    """

    def __init__(self, driver: Driver, archive: Archive) -> None:
        self.driver = driver
        """What serves it, for transports and tests."""
        self.events = Events(driver)
        """What happens to it, after it is durable."""
        self.state = StateStream(driver)
        """What everyone sees of it: a current value, and every change."""
        self._answers = Answers(driver)
        self.archive = archive
        """Its journal, to read back."""
        self._desk = LiveDesk(driver)
        self._config = LiveConfig(self._desk)
        self._connecting = Connecting(driver)
        self._injecting = Injecting(driver, archive)
        self.shares = SharesPart(self._desk, archive)
        """Who else may see it, and what they did; see `create_shared_view`."""
        self.analytics = AnalyticsPart(self._desk)
        """What is counted of it: `session()`, `turns()`, `usage()`, `estimated_cost()`, `report()`."""
        self.memory = MemoryPart(self._desk)
        """What later conversations know."""
        self.memory.journal = archive
        self.preferences = PreferencesPart(self._desk)
        """What was learned of the user, and what was decided."""
        self.debug = DebugPart(driver)
        """What the session does, and what may be the matter."""
        self._face: Attachment | None = None

    def __await__(self) -> Generator[Any, None, "Session"]:
        yield from self.driver.commit().__await__()
        yield from self.memory.fresh().__await__()
        return self

    async def __aenter__(self) -> Self:
        self.driver.held += 1
        try:
            await self.commit()
            await self.memory.fresh()
        except BaseException:
            self.driver.held -= 1
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            try:
                if self.is_active:
                    await self.memory.flush()
            finally:
                self.driver.held -= 1
            # Another block, of this task or of another one, may still hold it: the last one closes it.
            await (self.commit() if self.driver.held and self.is_active else self.close())
        except TenutoError:
            if error is None:
                raise

    def __repr__(self) -> str:
        state = self.driver.core.state
        return f"Session({state.session!r}, user_id={state.user!r}, status={str(self.status)!r})"

    # -------------------------------------------------------------------------------------------------------------- what it is

    @property
    def session_id(self) -> str:
        """Its id, as it was given or made up."""
        return self.driver.core.state.session

    @property
    def user_id(self) -> str:
        """Whose it is; `local` when nobody said."""
        return self.driver.core.state.user

    @property
    def is_active(self) -> bool:
        """Whether it can go on here: it has not ended, and this host has it."""
        return self.driver.error is None and not self.driver.is_leaving

    @property
    def status(self) -> Status:
        """What it does now: `idle`, `listening`, `processing`, `speaking` or `error`."""
        return self.driver.core.status

    @property
    def position(self) -> int:
        """The journal's head; what is durable of it is `await session.commit()`."""
        return self.driver.core.state.position

    @property
    def config(self) -> LiveConfig:
        """The settings that hold now. Assigning to one changes the running session.

        Example:
            >>> session.config.enable_adaptation = True  # doctest: +SKIP
        """
        return self._config

    @property
    def error(self) -> TenutoError | None:
        """Why the session is gone from this host; None while it is not."""
        return self.driver.error

    @property
    def is_paused(self) -> bool:
        """Whether it is paused: nothing goes on until `resume`."""
        return self.driver.core.state.paused

    @property
    def connection_states(self) -> dict[str, ConnectionState]:
        """Service to the state of its connection: `agent` is `closed`, `connecting`, `open` or `error`."""
        return {"agent": self._connecting.state}

    @property
    def conversations(self) -> list[ConversationInfo]:
        """All conversations, in the order in which they were started."""
        return transcript.conversations(self.driver.core.state)

    @property
    def memories(self) -> list[ports.Memory]:
        """What later conversations know: the user's own first, then the session's; oldest first."""
        return self.memory.known()

    @property
    def alarms(self) -> list[ports.Alarm]:
        """What the session will do by itself, soonest first."""
        return sorted(self.driver.core.state.alarms.values(), key=lambda alarm: alarm.due)

    # ------------------------------------------------------------------------------------------------------------------- verbs

    async def commit(self) -> int:
        """Wait until everything so far is durable. Returns the position.

        Raises:
            TenutoError: It will not be: the store refused it, or another host has the session.
        """
        return await self._desk.commit()

    save = commit

    def start_conversation(
        self,
        conversation_id: str = "",
        parent_id: str | None = None,
        config: SessionConfig | Mapping[str, Any] | None = None,
    ) -> Conversation:
        """Start a conversation; the one that is open ends. Works with `await`, with `async with`, and alone.

        Args:
            conversation_id: Its id, up to 100 characters; made up when empty.
            parent_id: The conversation that it branches from: it knows what was said there so far, and the other one will
                know of it only a summary.
            config: Settings that hold while it is open: a `SessionConfig`, or only some by name.

        Raises:
            InvalidConfig: A setting is wrong.
            InvalidInput: The id is none.
            ConversationExists: There is one of that id.
            ConversationNotFound: There is no parent of that id.

        Example:
            >>> branch = await session.start_conversation("deep_dive", parent_id="main")  # doctest: +SKIP
            >>> branch.parent_id  # doctest: +SKIP
            'main'
        """
        own = settings.layer(config or {})
        self._hold()
        self.driver.receive(
            stimuli.StartConversation(
                conversation=conversation_id, parent=parent_id or "", config=own
            )
        )
        return Conversation(self, self.driver.core.state.conversation)

    conversation = start_conversation

    def resume_conversation(self, conversation_id: str = "") -> Conversation:
        """Go on with a conversation: the one of that id, or the one that was used last. Nobody is greeted again.

        Its own messages are what the agent is told first, however long ago they were said. Of its branches it is told a
        summary each. Works with `await`, with `async with`, and alone.

        Args:
            conversation_id: Which one; the one that was used last when empty.

        Raises:
            ConversationNotFound: There is none.

        Example:
            >>> main = await session.resume_conversation("main")  # doctest: +SKIP
        """
        self._hold()
        self.driver.receive(stimuli.StartConversation(conversation=conversation_id, resume=True))
        return Conversation(self, self.driver.core.state.conversation)

    def end_conversation(self, reason: str = "user") -> Receipt[None]:
        """End the open conversation. Its history stays, and it can be resumed.

        Args:
            reason: Why, as `conversation.ended` tells it.

        Raises:
            IllegalEvent: No conversation is open.
        """
        self.driver.receive(stimuli.EndConversation(reason=reason))
        return Receipt(self._desk, None)

    def reset(
        self,
        conversation_id: str = "",
        config: SessionConfig | Mapping[str, Any] | None = None,
    ) -> Conversation:
        """Begin anew: a fresh conversation over a fresh connection. Settings and memory stay; `config` adds to them.

        Args:
            conversation_id: The id of the conversation, up to 100 characters; made up when empty.
            config: Settings that hold while it is open: a `SessionConfig`, or only some by name.

        Raises:
            InvalidConfig: A setting is wrong. Nothing has changed.
            ConversationExists: There is one of that id. Nothing has changed.
        """
        own = settings.layer(config or {})
        self._hold()
        self.driver.receive(
            stimuli.StartConversation(conversation=conversation_id, config=own, fresh=True)
        )
        return Conversation(self, self.driver.core.state.conversation)

    async def send_message(self, text: str, *, user: str = "") -> Reply:
        """Say something in writing in the open conversation, starting one if none is, and wait for the reply.

        Args:
            text: 1 to 10,000 characters.
            user: Who says it, when it is not the session's own user. They are answered, and do not take the controls.

        Raises:
            InvalidInput: The text is empty or too long.
            EngineError: The engine cannot answer.
        """
        if not user:
            # Somebody else is told nothing of other sessions, and what they may was checked just now: nothing is waited for.
            self._hold()
            await self.memory.fresh()
        if not self.driver.core.state.conversation:
            self.driver.receive(stimuli.StartConversation(conversation=""))
        since = self.driver.core.state.position
        self.driver.receive(stimuli.Type(text=text, client="python", user=user))
        answer = self._answers.expect(self.driver.core.state.turns, since)
        try:
            await self.driver.commit()
            return await answer
        finally:
            answer.cancel()

    def get_memory(self) -> MemorySnapshot:
        """Return what the session knows now: `entries`, `token_count`, `max_tokens`, and the last messages.

        Example:
            >>> memory = session.get_memory()  # doctest: +SKIP
            >>> print(f"{len(memory.entries)} memories, {memory.token_count}/{memory.max_tokens} tokens")  # doctest: +SKIP
        """
        return self.memory.snapshot()

    @unchecked
    def add_memory(
        self,
        content: str,
        category: str = "",
        importance: float = 0.5,
        expires_after_days: float | None = None,
        sensitive: bool = False,
        key: str = "",
    ) -> Receipt[MemoryEntry]:
        """Have later conversations know something. It counts at once; await it for durability.

        When the memory is full, the least important memories go for it, and of those the oldest.

        Args:
            content: A sentence that a person would understand, 1 to 2,000 characters.
            category: Up to 100 characters; one of the template's, where the session was made from one that has some.
            importance: 0 to 1.
            expires_after_days: Days until it is forgotten, above 0; None for never.
            sensitive: Whether it is kept out of exports and shares.
            key: What it is about, such as `place`, up to 100 characters: it takes the place of the memory of that key.

        Raises:
            InvalidInput: A value is wrong, or it alone is larger than `max_memory_size`. Nothing has changed.

        Example:
            >>> entry = await session.add_memory(  # doctest: +SKIP
            ...     "Prefers morning appointments", category="scheduling", expires_after_days=30
            ... )
        """
        return self.memory.add(content, category, importance, expires_after_days, sensitive, key)

    def search_memory(
        self, query: str, limit: int = 10, category: str | None = None
    ) -> list[MemoryEntry]:
        """Return the memories that answer a query, best first; see `MemoryPart.search`.

        Args:
            query: What is looked for, in any words.
            limit: How many at most, 1 to 1,000.
            category: Only of this category; of any when None.

        Raises:
            InvalidInput: `limit` is not in its range.

        Example:
            >>> [entry.content for entry in session.search_memory("language preference")]  # doctest: +SKIP
            ['User prefers formal language']
        """
        return self.memory.search(query, limit, category)

    @unchecked
    def update_memory(
        self, memory: MemoryEntry | int, content: str | None = None, **changes: Any
    ) -> Receipt[MemoryEntry]:
        """Put a changed memory in an old one's place. `session.memory.trail` still finds the old one.

        Args:
            memory: The old one, or its number.
            content: What it says now; as before when None.
            changes: `category`, `importance`, `sensitive` or `expires_after_days`, as for `add_memory`.

        Raises:
            InvalidInput: There is no such memory, or a value is wrong. Nothing has changed.
        """
        return self.memory.update(memory, content, **changes)

    def forget_memory(self, memory: MemoryEntry | int) -> Receipt[None]:
        """Forget one memory.

        Args:
            memory: The memory, or its number.

        Raises:
            InvalidInput: There is no such memory.
        """
        return self.memory.forget(memory)

    @unchecked
    def clear_memory(self, category: str | None = None) -> Receipt[int]:
        """Forget all memories of a category, and no others; all memories when it is None. Returns how many went."""
        return self.memory.clear(category)

    def export_memory(self, include_sensitive: bool = False) -> dict[str, Any]:
        """Return the memory as plain data that JSON can hold; see `import_memory`.

        Args:
            include_sensitive: Whether sensitive memories are in it.

        Example:
            >>> json.dump(session.export_memory(), file)  # doctest: +SKIP
        """
        return self.memory.export(include_sensitive)

    @unchecked
    def import_memory(self, data: Any) -> Receipt[int]:
        """Add what `export_memory` returned, here or elsewhere. Returns how many memories are new.

        What is known already in the same words is not added again, nor what has expired. All of it is added, or nothing.

        Args:
            data: The export, its `entries`, or any list of `{content, timestamp, importance, category}`.

        Raises:
            ExportUnsupported: It is something else, or of a later version.
            InvalidInput: An entry is wrong. Nothing has changed.
        """
        return self.memory.load(data)

    @property
    def memory_usage(self) -> float:
        """How full the memory is: 0 to 1, 0.8 for 80 %."""
        return self.memory.usage

    @unchecked
    def compress_memory(self, keep_recent_days: float = 7) -> Receipt[MemoryCompression]:
        """Make old memories fewer, by the rule of `tenuto.session.compression`: their main sentences stay.

        Memories with a key, that expire, or of an importance of 0.7 and more stay as they are.

        Args:
            keep_recent_days: Memories that are younger stay as they are; 0 or more.

        Raises:
            InvalidInput: `keep_recent_days` is not a number of days.

        Example:
            >>> if session.memory_usage > 0.8:  # doctest: +SKIP
            ...     await session.compress_memory(keep_recent_days=7)
        """
        return self.memory.compress(keep_recent_days)

    def speak(self, text: str) -> Receipt[int]:
        """Have the agent say something that nobody asked for. Returns the number of the reply.

        Whoever is spoken to hears it; it is a message of the agent like any other.

        Args:
            text: 1 to 10,000 characters.

        Raises:
            InvalidInput: The text is empty or too long.
            IllegalEvent: Somebody speaks or waits for an answer, or the session is paused.

        Example:
            >>> session.speak("Your taxi is here.")  # doctest: +SKIP
        """
        self._hold_conversation()
        self.driver.receive(stimuli.Say(text=text))
        return Receipt(self._desk, self.driver.core.state.replies)

    say = speak

    def inject_message(self, role: str, content: str, key: str = "") -> Receipt[None]:
        """Put a message into the context of the open conversation. It is never answered.

        Args:
            role: `user`, `agent` (or `assistant`), `system` or `tool`.
            content: 1 to 10,000 characters.
            key: Your own name for it: a message of the same key is put in once, however often you do.

        Raises:
            InvalidInput: The role or the content is wrong.
            IllegalEvent: No conversation is open.
        """
        self.driver.receive(stimuli.Inject(role=ports.role(role), text=content, key=key))
        return Receipt(self._desk, None)

    async def inject_history(self, history: Sequence[Any] | str) -> int:
        """Put messages into the context of the open conversation: those of them that it has not got. None is answered.

        Give it the whole record each time it grows, or the last few of it: each message is put in once, also over
        connections, restarts and crashes. Returns how many were put in.

        Args:
            history: Up to 1,000 messages, oldest first: mappings with `role` and `content`, pairs of the two, or `Message`s.
                Or a context policy such as `last_5`: the messages of earlier conversations that it chooses.

        Raises:
            InvalidInput: A message is none, or is too long. Nothing was put in.
            InvalidConfig: There is no such policy.
            TooMuch: There are too many.
            IllegalEvent: No conversation is open.

        Example:
            >>> await session.inject_history([{"role": "user", "content": "I am Alice."}])  # doctest: +SKIP
            1
            >>> await session.inject_history([{"role": "user", "content": "I am Alice."}])  # doctest: +SKIP
            0
        """
        count = await self._injecting.put(history)
        await self.commit()
        return count

    def update_instructions(
        self, instructions: str | None = None, context: Mapping[str, Any] | None = None
    ) -> Receipt[None]:
        """Tell the agent to be something else from now on, or what was said before, or both.

        It is in the journal at once. The engine is told when no other update has come for half a second: the last one wins.

        Args:
            instructions: Up to 32,000 characters; None leaves them as they are.
            context: `{"messages": [{"type": "History", "role": "user", "content": "Hi"}]}`: messages that the open
                conversation has not got yet are put into it, as by `inject_history`.

        Raises:
            InvalidInput: The instructions or the context are wrong. Nothing has changed.
            IllegalEvent: There are messages, and no conversation is open.
        """
        messages = parse_context(context) if context is not None else []
        if messages:
            need_conversation(self.driver.core.state)
        if instructions is not None:
            changes = {"instructions": instructions}
            self._desk.decide(lambda state, at: settings.change(state, changes, at), waits=True)
        if messages:
            self._injecting.put_now(messages)
        return Receipt(self._desk, None)

    async def start(self) -> None:
        """Open a connection to the engine, if none is open, and wait until it is ready. Each one is a new one.

        What the engine should know is restored into it, once and silently: nobody is greeted, nothing is answered.

        Raises:
            IllegalEvent: The session is paused.
            EngineLost: The engine cannot be reached.
        """
        self._hold()
        await self._connecting.open()

    async def stop(self) -> None:
        """Close the connection to the engine; nothing of the session is lost. Safe when none is open.

        A reply that is being spoken is cut where it was heard. Whoever waits for an answer gets an `EngineError`. The next
        message, or `start`, opens another connection.
        """
        await self._connecting.close()

    async def start_listening(self, rate: int = 16_000) -> None:
        """Listen to a microphone of this program, and wait until the engine does: give its frames to `hear`. Twice is once.

        Args:
            rate: Samples a second, 8,000 to 48,000 Hz.

        Raises:
            InvalidInput: There is no such rate.
            IllegalEvent: The session is paused, the engine does not listen, it listens at another rate already, or somebody
                else has the controls.
            EngineLost: The engine cannot be reached.

        Example:
            >>> await session.start_listening(rate=16_000)  # doctest: +SKIP
            >>> session.state.value.state  # doctest: +SKIP
            <Status.LISTENING: 'listening'>
        """
        self._hold_conversation()
        if self._face is None or not self._face.is_controller:
            raise IllegalEvent("Somebody else has the controls: this program's microphone is off.")
        await self._connecting.listen(rate)

    async def stop_listening(self) -> None:
        """Close the microphone. What was said so far is all, and is answered. Safe when it is closed."""
        await self._connecting.listen_no_more()

    @unchecked
    def hear(self, pcm: bytes | bytearray | memoryview) -> None:
        """Take the next frame of this program's microphone. Returns at once.

        What is being said is kept for as long, 30 s of it at most: an engine that takes over from one that was lost hears it.

        Args:
            pcm: 16-bit signed little-endian samples, one channel, at the rate given to `start_listening`, in frames
                of about 20 ms.

        Raises:
            IllegalEvent: It does not listen.
            InvalidAudio: The frame ends in the middle of a sample.
        """
        self._connecting.hear(pcm)

    def update_config(self, **changes: Any) -> Receipt[int]:
        """Change settings of the running session. Returns the version that the engine will confirm (`config.applied`).

        Args:
            changes: Settings by name; see `SessionConfig`.

        Raises:
            InvalidConfig: A name is unknown or a value is wrong. Nothing has changed.
        """
        return self._config.update(changes)

    async def config_applied(
        self,
        version: int | None = None,
        timeout: float = 5.0,  # noqa: ASYNC109 -- who waits for an engine has to say how long
    ) -> int:
        """Wait until the engine has confirmed that it goes by a version of the settings. Returns the one it goes by.

        Without an open engine there is nobody to confirm: it is opened with the newest settings when it is needed.

        Args:
            version: As `update_config` returned it; the newest when None.
            timeout: Seconds.

        Raises:
            EngineError: It has not confirmed it in time.
            TenutoError: The session is gone from here.

        Example:
            >>> version = await session.update_config(temperature=0.3)  # doctest: +SKIP
            >>> await session.config_applied(version)  # doctest: +SKIP
        """
        wanted = self.config.version if version is None else version
        events = aiter(self.events)
        try:
            async with asyncio.timeout(timeout):
                while self.config.applied_version < wanted and self.driver.error is None:
                    await anext(events, None)
        except TimeoutError:
            raise EngineError(
                f"The engine has not confirmed version {wanted} of the settings within {timeout:g} s. It goes by "
                f"{self.config.applied_version}; one that is not open takes the newest when it opens."
            ) from None
        finally:
            events.close()
        await self.commit()
        return self.config.applied_version

    def get_analytics(self) -> dict[str, Any]:
        """Return what was counted of the session up to now, by name; see `SessionAnalytics` for each.

        Example:
            >>> session.get_analytics()["conversation_count"]  # doctest: +SKIP
            3
        """
        return self.analytics.session()

    @unchecked
    def track_metric(self, name: str, value: float) -> Receipt[dict[str, float]]:
        """Add a value to a custom metric. `user_satisfaction`, 0 to 5, is what the satisfaction score goes by.

        Args:
            name: 1 to 100 printable characters; a session has 200 names at most.
            value: A finite number, -1e15 to 1e15.

        Raises:
            InvalidInput: The name or the value is wrong.
            TooMuch: The session has 200 other names already.

        Example:
            >>> session.track_metric("task_completed", 1).value["count"]  # doctest: +SKIP
            1
        """
        return self.analytics.track(name, value)

    def get_custom_metrics(self) -> dict[str, dict[str, float]]:
        """Return the custom metrics: name to `count`, `sum`, `min`, `max`, `last` and `mean`."""
        return self.analytics.metrics()

    def pause(self) -> Receipt[None]:
        """Stop everything that bills, and keep the context. A reply that is being spoken is cut where it was heard."""
        self.driver.receive(stimuli.Pause())
        return Receipt(self._desk, None)

    def resume(self) -> Receipt[None]:
        """Go on after a pause."""
        self.driver.receive(stimuli.Unpause())
        return Receipt(self._desk, None)

    def get_learned_preferences(self) -> dict[str, Any]:
        """Return what was learned of the user; see `PreferencesPart.learned`."""
        return self.preferences.learned()

    def set_preference(self, name: str, value: float | str | bool | None) -> Receipt[None]:
        """Decide a preference: it stays, whatever is learned.

        Args:
            name: `formality`, `verbosity`, `technical_level`, `speaking_pace`, or any other name that the engine is told.
            value: A number (0 to 1; words a minute for the pace), or a word such as `always_formal`. None takes it back.

        Raises:
            InvalidInput: The name or the value is wrong.
            TooMuch: There are 50 decisions already.

        Example:
            >>> session.set_preference("formality", "always_formal")  # doctest: +SKIP
        """
        return self.preferences.set(name, value)

    update_preference = set_preference

    def export_preference_profile(self) -> SessionProfile:
        """Return what was learned and decided, for another session; see `SessionProfile`."""
        return self.preferences.export_profile()

    @unchecked
    def apply_preference_profile(
        self, profile: SessionProfile | Mapping[str, Any]
    ) -> Receipt[None]:
        """Have the session know what was learned elsewhere, beside what it has learned itself.

        Args:
            profile: What `export_preference_profile` gave, or what JSON has kept of it.

        Raises:
            InvalidInput: It is no profile.
        """
        return self.preferences.apply_profile(profile)

    def enable_debug(self, on: bool = True) -> None:
        """Keep what the session does from now on, in RAM and bounded. It is not stored.

        Args:
            on: False drops it.
        """
        self.debug.enable(on)

    def get_debug_info(self, *, content: bool = False) -> dict[str, Any]:
        """Return what is known of what the session does, as JSON can hold it.

        Keys, after `enable_debug()`, and empty without it (`enabled` is False then): `memory_snapshots`, the last 100 sizes of
        the memory (`position`, `at`, `entries`, `tokens`); `events`, the last 1,000; `state_transitions`, the last 1,000 (`at`,
        `from`, `to`, `machine`: `life`, `turn`, `link` or `status`). Always: `error_count`, errors since the session was loaded
        here (as far as its last 1,000 events tell); `handler_failures`, how often a handler of `session.events` raised;
        `position`, `durable_position` and `pending`; `life`, `turn`, `link`, `status`, `listeners`; and `hints`, what may be
        the matter and what to do.

        Args:
            content: Whether to show what people said. Otherwise the length of each text is shown in its place.
        """
        return self.debug.info(content=content) | {"handler_failures": self.events.failures}

    @unchecked
    def export_debug_logs(self, *, content: bool = False) -> list[dict[str, Any]]:
        """Return everything that was kept since `enable_debug()`, oldest first, as JSON can hold it.

        The first line says how the session is (`kind` is `session`); of the others `kind` is `event`, `transition` or `memory`.

        Args:
            content: Whether to show what people said.
        """
        return self.debug.export(content=content)

    def batch_update(self) -> Batch:
        """Make several updates one atomic append: all of them, or none when the block raises. Works with `async with`, too.

        Updates are memories, preferences, settings, metrics, shares and notes, made by the task that opened the batch. Whatever
        else is done in the block, such as talking, is done at once as ever. Do not await in it: nothing of it is durable yet.

        Raises:
            IllegalEvent: This task has one open already; or an update is awaited within the block.

        Example:
            >>> with session.batch_update():  # doctest: +SKIP
            ...     session.add_memory("Prefers mornings", category="scheduling")
            ...     session.track_metric("task_completed", 1)
        """
        return self._desk.batch()

    async def history(self, before: int | None = None, limit: int = 50) -> HistoryPage:
        """Return a page of messages, oldest first.

        Args:
            before: Only messages before this position, as `HistoryPage.next` gave it; None for the newest page.
            limit: How many messages, at most; 1 or more.

        Raises:
            InvalidInput: `limit` is below 1.
        """
        await self.commit()
        return await self.archive.history(before, limit)

    async def export_full(self) -> dict[str, Any]:
        """Return all of the session as one object that JSON can hold. For a long one `Tenuto.export_session` streams.

        It is the whole journal, sensitive memory included.

        Raises:
            TenutoError: Something has not become durable, or the store does not answer.

        Example:
            >>> data = await session.export_full()  # doctest: +SKIP
            >>> copy = await tenuto.import_session(data, user_id_mapping={"old_123": "new_456"})  # doctest: +SKIP
        """
        position = await self.commit()
        return transfer.to_record([line async for line in self.archive.export(position)])

    async def fork(self, at: int | None = None, session_id: str | None = None) -> "Session":
        """Return a new session that shares this one's past.

        Alarms that are set ring in this session only; shares are of this session only.

        Args:
            at: The last position that they share; the newest when None.
            session_id: The id of the new session; made up when None.

        Raises:
            InvalidInput: There is no such position.
            AppendConflict: There is a session of that id.
        """
        position = await self.commit()
        return await self.archive.fork(position if at is None else at, session_id)

    @unchecked
    def create_shared_view(
        self,
        shared_with_user_id: str,
        permissions: Sequence[str] = ("read",),
        expire_after_hours: float = DEFAULT_HOURS,
    ) -> SharedView:
        """Let another user see the session. Give them the token; `Tenuto.access_shared_session` takes it. Works with `await`.

        Args:
            shared_with_user_id: Who may use it, and nobody else.
            permissions: Of `read` (the conversations, live and past, and memory that is not sensitive), `read_sensitive` (the
                rest of the memory), `add_notes`, `speak` (write messages, and be answered) and `grant` (share on, never more
                than this). `read_sensitive` and `speak` bring `read` with them.
            expire_after_hours: Hours that it lasts, up to a year.

        Raises:
            InvalidInput: A value is wrong.
            TooMuch: The session has 100 open shares.

        Example:
            >>> shared = session.create_shared_view(  # doctest: +SKIP
            ...     shared_with_user_id="doctor_456", permissions=["read", "add_notes"], expire_after_hours=24
            ... )
            >>> shared.token  # doctest: +SKIP
            'ts_c2Vzc18x.eW91IHdpbGwgbm90IGd1ZXNzIHRoaXM'
        """
        return self.shares.create(shared_with_user_id, permissions, expire_after_hours)

    async def attach(self, joining: Joining, listener: ports.Listener) -> Attachment:
        """Bind a client to the session; see `tenuto.session.attachment.attach`.

        Args:
            joining: How the client wants to join.
            listener: What it is told through.
        """
        await self.memory.fresh()
        return await attach(self.driver, joining, listener)

    async def close(self) -> None:
        """Let go of the session here. It stays in the store, and any host can load it again.

        Raises:
            TenutoError: Something that nobody awaited has not become durable.
        """
        if self.driver.error is not None:
            if self.driver.core.state.position > self.driver.durable:
                raise self.driver.error
            return
        await self.memory.flush()
        self._answers.fail(IllegalEvent("The session was closed."))
        if self._face is not None and self._face.number in self.driver.core.state.here:
            self._face.leave("left")
        if self.driver.core.state.life is Life.DETACHED:
            self.driver.receive(stimuli.Park())
        await self.driver.commit()

    async def end(self, reason: str = "user") -> None:
        """End the session for good. Its history can still be read.

        Args:
            reason: Why, as `session.ended` says.
        """
        await self.memory.flush()
        await self.driver.commit(self.driver.receive(stimuli.End(reason=reason)))

    # ----------------------------------------------------------------------------------------------------------------- the face

    def _hold(self) -> None:
        """This program uses the session: it counts as a client, unless a person has the controls."""
        state = self.driver.core.state
        if self._face is None or self._face.number not in state.here:
            if state.controller:
                return
            self.driver.receive(
                stimuli.Join(role="controller", client="python", transport="python", opens=False)
            )
            self._face = Attachment(
                self.driver, state.attachments, Joining(client="python", transport="python")
            )

    def _hold_conversation(self) -> None:
        self._hold()
        if not self.driver.core.state.conversation:
            self.driver.receive(stimuli.StartConversation(conversation=""))

    def ended(self, error: TenutoError) -> None:
        """The session is gone from this host: wake whoever waits. Called by the host.

        Args:
            error: Why.
        """
        self._answers.fail(error)
        self._connecting.ended(error)
        self.events.end()
        self.state.end()
        self.memory.close()
