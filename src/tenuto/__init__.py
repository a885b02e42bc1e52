"""Tenuto: the durable session layer for real-time voice agents.

Everything that happens to a session is one ordered journal of events, and everything else is a fold over it.

Example:
    >>> async with Tenuto() as tenuto:  # doctest: +SKIP
    ...     async with tenuto.session(user_id="alice") as session:
    ...         async with session.conversation() as conversation:
    ...             reply = await conversation.send_message("What time is it?")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenuto.errors import TenutoError as TenutoError
    from tenuto.host.host import Tenuto as Tenuto
    from tenuto.session.config import SessionConfig as SessionConfig
    from tenuto.session.ports import Message as Message
    from tenuto.session.session import Conversation as Conversation
    from tenuto.session.session import Reply as Reply
    from tenuto.session.session import Session as Session
    from tenuto.session.session import SessionState as SessionState
    from tenuto.session.state import Status as SessionStatus
    from tenuto.settings import TenutoConfig as TenutoConfig

__version__ = "0.1.0"

_WHERE = {
    "Conversation": ("tenuto.session.session", "Conversation"),
    "Message": ("tenuto.session.ports", "Message"),
    "Reply": ("tenuto.session.session", "Reply"),
    "Session": ("tenuto.session.session", "Session"),
    "SessionConfig": ("tenuto.session.config", "SessionConfig"),
    "SessionState": ("tenuto.session.session", "SessionState"),
    "SessionStatus": ("tenuto.session.state", "Status"),
    "Tenuto": ("tenuto.host.host", "Tenuto"),
    "TenutoConfig": ("tenuto.settings", "TenutoConfig"),
    "TenutoError": ("tenuto.errors", "TenutoError"),
}

__all__ = [
    "Conversation",
    "Message",
    "Reply",
    "Session",
    "SessionConfig",
    "SessionState",
    "SessionStatus",
    "Tenuto",
    "TenutoConfig",
    "TenutoError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `import tenuto` costs next to nothing."""
    if name not in _WHERE:
        raise AttributeError(f"module 'tenuto' has no attribute {name!r}")
    module, attribute = _WHERE[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
