"""What a command says, and where: results on stdout, everything else on stderr.

With `--json`, stdout holds one JSON object a line and nothing else, so that a program can read it as it comes; an error
is one JSON object on stderr.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from tenuto.errors import Refused, SessionLocked, TenutoError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

HINTS = {
    "session_not_found": "See which there are: tenuto sessions list",
    "session_ended": "Its history can still be read: tenuto sessions show ID",
    "authentication_failed": "Give the server's key: --key tk_... or the variable TENUTO_KEY",
    "schema_unsupported": "Upgrade: pip install --upgrade tenuto",
    "storage_full": "Free some space; nothing that was acknowledged is lost.",
    "usage": "See how it is written: add --help",
    "config_invalid": "See what is set and from where: tenuto doctor",
}
"""What to do about an error, by its code, where its message does not say."""
NO_SESSION = "There is no session yet. Begin one: tenuto chat"


class Misused(Refused):
    """The command is not written as it should be."""

    code = "usage"


class Output:
    """How one run of a command speaks.

    Args:
        as_json: Whether a program reads along, rather than a person.
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json

    def put(
        self, body: Mapping[str, Any] | msgspec.Struct, shown: "RenderableType | None" = None
    ) -> None:
        """Give one result: `body` to a program, `shown` to a person. Without `shown` a person sees nothing of it."""
        if self.as_json:
            self.put_encoded(msgspec.json.encode(body))
        elif shown is not None:
            console().print(shown, highlight=False, markup=False, soft_wrap=True)

    def put_encoded(self, line: bytes) -> None:
        """Give a program one result that is JSON already."""
        sys.stdout.write(line.decode() + "\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Say something on the side to a person, on stderr."""
        if not self.as_json:
            console(stderr=True).print(
                text, highlight=False, markup=False, style="dim", soft_wrap=True
            )

    def error(self, code: str, message: str, *, retryable: bool = False, hint: str = "") -> None:
        """Say why a command failed."""
        if self.as_json:
            body = {"code": code, "message": message, "retryable": retryable, "hint": hint}
            sys.stderr.write(msgspec.json.encode({"error": body}).decode() + "\n")
            return
        err = console(stderr=True)
        err.print("error:", style="bold red", end=" ")
        err.print(message, highlight=False, markup=False, soft_wrap=True)
        if hint:
            err.print(f"hint: {hint}", style="dim", highlight=False, markup=False, soft_wrap=True)
        err.print(f"code: {code}", style="dim", highlight=False, markup=False)

    def failure(self, error: TenutoError) -> None:
        """Say why a command failed, with what to do about it."""
        self.error(error.code, error.message, retryable=error.retryable, hint=hint(error))

    @contextmanager
    def progress(self, text: str) -> Iterator[None]:
        """Show that something is going on, on a terminal and to a person only; nothing when the text is empty."""
        err = console(stderr=True)
        if not text or self.as_json or not err.is_terminal:
            yield
            return
        with err.status(text, spinner="dots"):
            yield


def hint(error: TenutoError) -> str:
    """Return what to do about an error; empty when its message says all there is."""
    if error.code == SessionLocked.code:
        url = getattr(error, "url", "") or "URL, such as --server http://127.0.0.1:8765"
        return f"If a server has this session, go through it: add --server {url}"
    return HINTS.get(error.code, "")


def console(stderr: bool = False) -> "Console":
    """Return rich's console for stdout or stderr, as they are now."""
    from rich.console import Console

    return Console(file=sys.stderr if stderr else sys.stdout)


def ago(then: float, now: float) -> str:
    """Return how long ago something was, for people.

    Example:
        >>> ago(0.0, 7300.0)
        '2 h ago'
    """
    seconds = max(0.0, now - then)
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "now" if seconds < 5 else f"{seconds:.0f} s ago"
