"""Messages that the application puts into the context: each once, however often it does.

Nothing is kept for that. What a conversation has already is in the journal, and that is looked at: of the messages that
come, those that are there in the same order are left out.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from tenuto import events as e
from tenuto.errors import IllegalEvent, InvalidInput, TooMuch
from tenuto.session import history, ports, stimuli
from tenuto.session.archive import Archive
from tenuto.session.context import newest_that_fit
from tenuto.session.driver import Driver
from tenuto.session.messages import LONGEST_TEXT
from tenuto.session.policy import Policy, parse_policy
from tenuto.session.ports import Message
from tenuto.session.turn_fold import need_conversation

MOST = 1_000
"""Messages that are put in at a time."""
MOST_READ = 10_000
"""Messages of the journal that are looked at, the newest."""
PAGE = 1_000
"""Messages that are read at a time."""

Words = tuple[e.Role, str]
"""Who said it, and what."""


class Injecting:
    """Puts messages into the context of the open conversation."""

    def __init__(self, driver: Driver, archive: Archive) -> None:
        self._driver, self._archive = driver, archive
        self._one_at_a_time = asyncio.Lock()

    async def put(self, given: Sequence[Any] | str) -> int:
        """Put a history in: of the messages, those that the conversation has not got. Returns how many that were.

        Args:
            given: Messages, oldest first: mappings with `role` and `content`, pairs of the two, or `Message`s. Or a context
                policy, such as `last_5`: the messages of earlier conversations that it chooses.

        Raises:
            InvalidInput: A message is none, or is too long. Nothing was put in.
            TooMuch: There are more than `MOST`.
            IllegalEvent: No conversation is open.
        """
        policy = parse_policy(given) if isinstance(given, str) else None
        wanted = [] if isinstance(given, str) else parse(given)
        async with self._one_at_a_time:
            here = self._need_conversation()
            await self._driver.commit()
            read = await self._read(here, policy)
            if policy is not None:
                others = [m for m in read if m.conversation != here]
                wanted = parse(newest_that_fit(others, policy))
            return self._put(here, [m for m in read if m.conversation == here], wanted)

    def put_now(self, given: Sequence[Any]) -> int:
        """Put messages in that are recent: only the last messages of the session are looked at.

        Raises:
            InvalidInput: A message is none, or is too long. Nothing was put in.
            TooMuch: There are more than `MOST`.
            IllegalEvent: No conversation is open.
        """
        wanted = parse(given)
        return self._put(self._need_conversation(), [], wanted)

    def _need_conversation(self) -> str:
        state = self._driver.core.state
        need_conversation(state)
        return state.conversation

    def _put(self, here: str, read: Sequence[Message], wanted: Sequence[Words]) -> int:
        state = self._driver.core.state
        if state.conversation != here:
            raise IllegalEvent(f"Conversation {here!r} is not open any more.")
        newest = read[-1].message if read else 0
        recent = [m for m in state.recent if m.conversation == here and m.message > newest]
        known = [*read, *recent]
        # Of a reply that was cut, an application may have kept all of it.
        heard: dict[Words, Words] = {(m.role, m.said): (m.role, m.text) for m in known if m.said}
        clean = [(role, self._driver.core.clean(text)[0]) for role, text in wanted]
        told = [heard.get(words, words) for words in clean]
        missing = history.missing([(m.role, m.text) for m in known], told)
        if len(known) < state.conversations[here].messages:
            # The application's record may begin before what was looked at: that much is known for certain.
            found = [index for index in range(len(told)) if index not in set(missing)]
            missing = [index for index in missing if not found or index > found[0]]
        for index in missing:
            role, text = wanted[index]
            self._driver.receive(stimuli.Inject(role=role, text=text))
        return len(missing)

    async def _read(self, here: str, policy: Policy | None) -> list[Message]:
        """Read messages, oldest first: all of this conversation, or with a policy of the others too; the newest."""
        state = self._driver.core.state
        apart = history.tree(state, here) - {here}
        mine, before = state.conversations[here].messages, None
        found: list[Message] = []
        for _ in range(MOST_READ // PAGE):
            page = await self._archive.events(
                before=before, types=history.TYPES, newest_first=True, limit=PAGE
            )
            messages = [
                history.message(event) for _, event in page if isinstance(event, e.MessageAdded)
            ]
            found += [
                m
                for m in messages
                if m.conversation == here or (policy and m.conversation not in apart)
            ]
            if len(page) < PAGE or (policy is None and len(found) >= mine):
                break
            before = page[-1][0]
        return found[::-1]


def parse(given: Sequence[Any]) -> list[Words]:
    """Return messages as who said what.

    Raises:
        InvalidInput: One is none; the message says which.
        TooMuch: There are more than `MOST`.
    """
    if len(given) > MOST:
        raise TooMuch(f"{MOST} messages may be put in at a time; these are {len(given)}.")
    return [_words(number, each) for number, each in enumerate(given, 1)]


def parse_context(context: Any) -> list[Words]:
    """Return the messages of a context: `{"messages": [{"type": "History", "role": "user", "content": "Hi"}]}`.

    Raises:
        InvalidInput: It is of another shape.
        TooMuch: There are more than `MOST`.
    """
    messages = context.get("messages") if isinstance(context, Mapping) else None
    if not isinstance(messages, list | tuple) or set(context) != {"messages"}:
        raise InvalidInput('A context is {"messages": [...]}, a list of messages.')
    for number, each in enumerate(messages, 1):
        if isinstance(each, Mapping) and each.get("type", "History") != "History":
            raise InvalidInput(f'Message {number} is not of the type "History".')
    return parse(messages)


def _words(number: int, given: Any) -> Words:
    match given:
        case Message(role=role, text=text):
            pass
        case {"role": str(role), "content": str(text)} | (str(role), str(text)):
            pass
        case _:
            raise InvalidInput(f"Message {number} has no `role` and `content`, both texts.")
    text = text.strip()
    if not 1 <= len(text) <= LONGEST_TEXT:
        raise InvalidInput(f"Message {number} has not 1 to {LONGEST_TEXT} characters.")
    return ports.role(role), text
