"""Sessions in a store that this process opens itself."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tenuto.cli.reach import Answer, Entry, Summary, Transcript
from tenuto.host.host import Tenuto
from tenuto.ids import LOCAL_TENANT
from tenuto.session.analytics_part import Report
from tenuto.session.conversation import Conversation
from tenuto.session.ports import Head, Query
from tenuto.settings import TenutoConfig


@asynccontextmanager
async def inside(config: TenutoConfig) -> AsyncIterator["Here"]:
    """Open the store of these settings.

    Engines, and the alarms of sessions that nobody has, are left alone until somebody talks: reading wakes nothing.
    """
    tenuto = Tenuto(config)
    try:
        yield Here(tenuto)
    finally:
        await tenuto.close()


class Here:
    """The sessions of one store; see `reach.Sessions`."""

    def __init__(self, tenuto: Tenuto) -> None:
        self._tenuto = tenuto

    async def summaries(self, limit: int) -> Sequence[Summary]:
        heads = await self._tenuto.sessions(Query(tenant=LOCAL_TENANT, limit=limit))
        return [_summary(head) for head in heads]

    async def summary(self, session: str) -> Summary:
        return _summary(await self._tenuto.head(session, tenant=LOCAL_TENANT))

    async def transcript(self, session: str, before: int | None, limit: int) -> Transcript:
        page = await self._tenuto.history(session, tenant=LOCAL_TENANT, before=before, limit=limit)
        return Transcript(messages=page.messages, next=page.next)

    async def watch(self, session: str, after: int) -> AsyncIterator[Entry]:
        async for row in self._tenuto.watch(session, tenant=LOCAL_TENANT, after=after):
            yield Entry(row.position, row.body)

    async def analytics(self, session: str) -> Report:
        return await self._tenuto.analytics(session, tenant=LOCAL_TENANT)

    async def end(self, session: str) -> None:
        await self._tenuto.end_session(session, tenant=LOCAL_TENANT)

    async def forget(self, session: str) -> None:
        await self._tenuto.forget_session(session, tenant=LOCAL_TENANT)

    async def configure(self, session: str, changes: Mapping[str, Any]) -> int:
        found = await self._tenuto.load_session(session, tenant=LOCAL_TENANT)
        return await found.update_config(**changes)

    async def take_over(
        self,
        source: AsyncIterator[bytes],
        users: Mapping[str, str],
        name: str | None,
        kind: str,
    ) -> Sequence[str]:
        return await self._tenuto.import_sessions(
            source, user_id_mapping=users, session_id=name, tenant=LOCAL_TENANT, kind=kind
        )

    @asynccontextmanager
    async def dialogue(
        self, session: str | None, user: str | None
    ) -> AsyncIterator["HereDialogue"]:
        async with self._tenuto as tenuto:
            if session is None:
                opened = await tenuto.create_session(user_id=user)
            else:
                opened = await tenuto.load_session(session)
            async with opened, opened.conversation() as conversation:
                yield HereDialogue(opened.session_id, conversation)


class HereDialogue:
    """A conversation in writing, in this process."""

    def __init__(self, session: str, conversation: Conversation) -> None:
        self.session = session
        self._conversation = conversation

    async def say(self, text: str) -> Answer:
        begun = time.monotonic()
        reply = await self._conversation.send_message(text)
        seconds = time.monotonic() - begun
        return Answer(text=reply.text, heard=reply.heard, seconds=seconds)


def _summary(head: Head) -> Summary:
    return Summary(
        session=head.session,
        user=head.user,
        created=head.created,
        updated=head.updated,
        position=head.position,
        ended=head.ended,
        life=head.life,
        owner=head.owner if head.life == "live" else "",
    )
