"""Everything that Tenuto raises on purpose.

    TenutoError
     +-- Refused                what you asked cannot be done; asking again changes nothing
     |    +-- InvalidInput      a value is wrong: the message names it and says what is accepted
     |    |    +-- InvalidConfig
     |    |    |    +-- TemplateContextMissing
     |    |    +-- InvalidAudio
     |    +-- IllegalEvent      it cannot happen in the session's present state
     |    +-- SessionNotFound   no such session, or it is not yours: the two look the same
     |    +-- SessionEnded
     |    +-- ConversationNotFound
     |    +-- ConversationExists
     |    +-- NotAuthenticated  no credential, or one that is unknown, used or expired
     |    +-- NotAllowed        a good credential, for something else
     |    |    +-- ShareExpired
     |    |    +-- ShareRevoked
     |    +-- Superseded        a newer client took the controls
     |    +-- TooMuch           a limit was passed; says which
     |    |    +-- PoolTimeout
     |    |    +-- RateLimited  too many requests; says how long to wait
     |    +-- ExportUnsupported what is imported is of a format or a version that this Tenuto does not know
     |    +-- MissingExtra      an optional dependency is not installed; says the command
     +-- Ownership              somebody else has the session
     |    +-- SessionLocked     another host owns it; says which, and until when
     |    +-- LeaseLost         the fence has moved on: this host is no longer the owner
     |    +-- AppendConflict    the journal's head is not where the writer thought
     +-- StoreError             the journal could not be read or written
     |    +-- StoreFull         no space left; nothing was written, and writing works again when there is
     |    +-- StoreUnavailable
     |    +-- StoreCorrupt
     |    +-- SchemaUnsupported the store was written by a newer Tenuto
     +-- EngineError            what listens, thinks and speaks has failed
          +-- EngineLost

Decide on `code`, never on the text: codes are stable, texts get better. `retryable` says whether the same call may
succeed later without anybody changing anything.
"""

from typing import ClassVar


class TenutoError(Exception):
    """The root of all errors that Tenuto raises on purpose.

    Args:
        message: What is wrong and what to do about it. It never holds speech, transcripts or tokens.
    """

    code: ClassVar[str] = "error"
    """Stable name of the error, the same in Python, on the wire and in logs."""

    retryable: ClassVar[bool] = False
    """Whether the same call may succeed later without anybody changing anything."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or self.code).strip().splitlines()[0])

    @property
    def message(self) -> str:
        """What is wrong and what to do about it."""
        return str(self.args[0])


class Refused(TenutoError):
    """What you asked cannot be done."""

    code = "refused"


class InvalidInput(Refused):
    """A value is wrong."""

    code = "invalid_input"


class InvalidConfig(InvalidInput):
    """A setting is wrong."""

    code = "config_invalid"

    def __init__(self, message: str = "", fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.fields = fields
        """The settings that are wrong, as far as it is known which."""


class TemplateContextMissing(InvalidConfig):
    """The template needs to know more; the message names what."""

    code = "template_context_missing"


class InvalidAudio(InvalidInput):
    """The audio is not in the format that was agreed on."""

    code = "audio_invalid"


class IllegalEvent(Refused):
    """The event cannot happen in the current state. Nothing was changed."""

    code = "invalid_transition"


class SessionNotFound(Refused):
    """There is no such session."""

    code = "session_not_found"


class SessionEnded(Refused):
    """The session has ended. Its history can be read; start another one to go on."""

    code = "session_ended"


class ConversationNotFound(Refused):
    """The session has no such conversation."""

    code = "conversation_not_found"


class ConversationExists(Refused):
    """The session already has a conversation of that id."""

    code = "conversation_exists"


class NotAuthenticated(Refused):
    """The credential is missing, unknown, used or expired."""

    code = "authentication_failed"


class NotAllowed(Refused):
    """The credential does not allow this."""

    code = "permission_denied"


class ShareExpired(NotAllowed):
    """The share has expired. Ask for another one."""

    code = "share_expired"


class ShareRevoked(NotAllowed):
    """The share was revoked."""

    code = "share_revoked"


class Superseded(Refused):
    """A newer client took the controls of the session."""

    code = "superseded"


class TooMuch(Refused):
    """A limit was passed."""

    code = "quota_exceeded"
    retryable = True


class PoolTimeout(TooMuch):
    """No session of the pool became free in time."""

    code = "pool_timeout"


class RateLimited(TooMuch):
    """Too many requests at once. Wait a while and ask again."""

    code = "rate_limited"

    retry_after: float = 1.0
    """Seconds after which the same request is taken."""


class ExportUnsupported(Refused):
    """What is to be imported is of a format or a version that this Tenuto does not know."""

    code = "export_unsupported"


class MissingExtra(Refused):
    """An optional dependency is not installed."""

    code = "missing_extra"

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(f"{what} needs an extra. Install it with: pip install 'tenuto[{extra}]'")


class Ownership(TenutoError):
    """Somebody else has the session."""

    code = "ownership"


class SessionLocked(Ownership):
    """Another host owns the session."""

    code = "session_locked"
    retryable = True

    def __init__(self, session: str, owner: str, seconds_left: float, url: str = "") -> None:
        where = f"{owner} at {url}" if url else owner
        super().__init__(
            f"Session {session} is held by {where} for another {max(0.0, seconds_left):.1f} s. "
            "Connect there, or try again when the lease has run out."
        )
        self.session, self.owner, self.seconds_left, self.url = session, owner, seconds_left, url


class LeaseLost(Ownership):
    """This host no longer owns the session. Load it again to go on."""

    code = "lease_lost"


class AppendConflict(Ownership):
    """The journal is not at the position that the writer expected. Load the session again."""

    code = "session_conflict"


class StoreError(TenutoError):
    """The journal could not be read or written."""

    code = "storage_error"


class StoreFull(StoreError):
    """There is no space left for the journal. Nothing was written; free some space and go on."""

    code = "storage_full"
    retryable = True


class StoreUnavailable(StoreError):
    """The store does not answer."""

    code = "storage_unavailable"
    retryable = True


class StoreCorrupt(StoreError):
    """The store is damaged. Restore it from a backup."""

    code = "storage_corrupt"


class SchemaUnsupported(StoreError):
    """The store was written by a newer version of Tenuto. Upgrade Tenuto."""

    code = "schema_unsupported"


class EngineError(TenutoError):
    """What listens, thinks and speaks has failed."""

    code = "provider_error"


class EngineLost(EngineError):
    """The engine went away in the middle."""

    code = "engine_lost"
    retryable = True
