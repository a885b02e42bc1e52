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
    from tenuto.host.pool import SessionPool as SessionPool
    from tenuto.host.session_manager import SessionManager as SessionManager
    from tenuto.host.sharing import SharedSession as SharedSession
    from tenuto.host.sweep import IdleSweep as IdleSweep
    from tenuto.session.answers import Reply as Reply
    from tenuto.session.config import SessionConfig as SessionConfig
    from tenuto.session.conversation import Conversation as Conversation
    from tenuto.session.history import ConversationInfo as ConversationInfo
    from tenuto.session.memory_part import MemoryEntry as MemoryEntry
    from tenuto.session.memory_part import MemorySnapshot as MemorySnapshot
    from tenuto.session.ports import Message as Message
    from tenuto.session.preferences import SessionProfile as SessionProfile
    from tenuto.session.presets import SessionPresets as SessionPresets
    from tenuto.session.session import Session as Session
    from tenuto.session.shares_part import SharedView as SharedView
    from tenuto.session.state import Status as SessionStatus
    from tenuto.session.streams import SessionState as SessionState
    from tenuto.session.templates import SessionTemplate as SessionTemplate
    from tenuto.settings import Price as Price
    from tenuto.settings import TenutoConfig as TenutoConfig

__version__ = "0.1.0"

_WHERE = {
    "Conversation": ("tenuto.session.conversation", "Conversation"),
    "ConversationInfo": ("tenuto.session.history", "ConversationInfo"),
    "IdleSweep": ("tenuto.host.sweep", "IdleSweep"),
    "MemoryEntry": ("tenuto.session.memory_part", "MemoryEntry"),
    "MemorySnapshot": ("tenuto.session.memory_part", "MemorySnapshot"),
    "Message": ("tenuto.session.ports", "Message"),
    "Price": ("tenuto.settings", "Price"),
    "Reply": ("tenuto.session.answers", "Reply"),
    "Session": ("tenuto.session.session", "Session"),
    "SessionConfig": ("tenuto.session.config", "SessionConfig"),
    "SessionManager": ("tenuto.host.session_manager", "SessionManager"),
    "SessionPool": ("tenuto.host.pool", "SessionPool"),
    "SessionPresets": ("tenuto.session.presets", "SessionPresets"),
    "SessionProfile": ("tenuto.session.preferences", "SessionProfile"),
    "SessionState": ("tenuto.session.streams", "SessionState"),
    "SessionStatus": ("tenuto.session.state", "Status"),
    "SessionTemplate": ("tenuto.session.templates", "SessionTemplate"),
    "SharedSession": ("tenuto.host.sharing", "SharedSession"),
    "SharedView": ("tenuto.session.shares_part", "SharedView"),
    "Tenuto": ("tenuto.host.host", "Tenuto"),
    "TenutoConfig": ("tenuto.settings", "TenutoConfig"),
    "TenutoError": ("tenuto.errors", "TenutoError"),
}

__all__ = [
    "Conversation",
    "ConversationInfo",
    "IdleSweep",
    "MemoryEntry",
    "MemorySnapshot",
    "Message",
    "Price",
    "Reply",
    "Session",
    "SessionConfig",
    "SessionManager",
    "SessionPool",
    "SessionPresets",
    "SessionProfile",
    "SessionState",
    "SessionStatus",
    "SessionTemplate",
    "SharedSession",
    "SharedView",
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
