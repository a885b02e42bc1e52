"""What a new session is, from what somebody asked for. All of it is checked before there is anything of it."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from tenuto.errors import IllegalEvent, InvalidInput
from tenuto.ids import NAME, RESERVED, is_name, new_epoch, new_id
from tenuto.session import fold, ports, stimuli
from tenuto.session.config import SessionConfig, take_id
from tenuto.session.layers import made_of
from tenuto.session.preferences import SessionProfile, take_profile
from tenuto.session.session import Session
from tenuto.session.templates import SessionTemplate

if TYPE_CHECKING:
    from tenuto.host.host import Tenuto
    from tenuto.host.live import LiveSessions


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants a new session to be; see `Tenuto.create_session`."""

    user_id: str | None
    session_id: str | None
    config: SessionConfig | Mapping[str, Any] | None
    preset: SessionConfig | str | None
    template: SessionTemplate | None
    context: Mapping[str, Any] | None
    preference_profile: SessionProfile | Mapping[str, Any] | None
    tenant: str


def create(tenuto: "Tenuto", live: "LiveSessions", wanted: Wanted) -> Session:
    """Make a session.

    Args:
        tenuto: The host.
        live: Where it is to live.
        wanted: What it is to be.

    Raises:
        TenutoError: As `Tenuto.create_session`.
    """
    need_loop()
    live.need_open()
    config, now = wanted.config, tenuto.clock.now()
    zone = {"timezone": tenuto.config.timezone} if tenuto.config.timezone else {}
    made = made_of(
        agent={**zone, **tenuto.config.agent},
        preset=wanted.preset,
        template=wanted.template,
        config=config,
        context=wanted.context,
    )
    profile = wanted.preference_profile
    if profile is not None:
        take_profile(fold.State(), profile, now)
    own = config if isinstance(config, SessionConfig) else None
    # Who says nothing is the local user; who says "" has lost an id, and must not get somebody else's memory.
    user = own.user_id if wanted.user_id is None and own is not None else wanted.user_id
    user = acceptable("user_id", "local" if user is None else user)
    name = acceptable("session_id", wanted.session_id or (own and take_id(own)) or new_id())
    new = ports.NewSession(session=name, tenant=wanted.tenant, user=user, epoch=new_epoch(), at=now)
    first: list[stimuli.Stimulus] = [
        stimuli.Create(
            session=name,
            tenant=wanted.tenant,
            user=user,
            epoch=new.epoch,
            config=made.config,
            layers=made.layers,
            template=made.template,
            context=made.context,
            categories=made.categories,
        )
    ]
    if profile is not None:
        first.append(stimuli.Decide(rules=(lambda s, at: take_profile(s, profile, at),)))
    return live.make(new, first)


def need_loop() -> None:
    """Let nobody make a session where nothing could serve it.

    Raises:
        IllegalEvent: Nothing asynchronous is running.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise IllegalEvent(
            "A session lives in an event loop: call this within `async def main()`, run by `asyncio.run(main())`."
        ) from None


def acceptable(name: str, value: object) -> str:
    """Return a name that somebody gave, if it can be one.

    Args:
        name: What it is called: `user_id` or `session_id`.
        value: What was given.

    Raises:
        InvalidInput: It cannot.
    """
    if not is_name(value):
        raise InvalidInput(f"`{name}` has {NAME}.")
    if name == "session_id" and value.startswith(RESERVED):
        raise InvalidInput(
            f"No `session_id` begins with {RESERVED!r}: that is for journals of other kinds."
        )
    return value
