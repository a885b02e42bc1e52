"""How much of the history an engine is given, as a setting says it: `last_10`, `all`, `tokens_2000` or `summary_20`."""

import re
from typing import Literal, cast

import msgspec

from tenuto.errors import InvalidConfig

ACCEPTED = "last_N, all, tokens_N or summary_N, with N from 1 to 9,999,999"
"""What `parse_policy` takes, in words."""

Kind = Literal["last", "all", "tokens", "summary"]

_matched = re.compile(r"(all)|(?:(last|tokens|summary)_([1-9]\d{0,6}))", re.ASCII).fullmatch


class Policy(msgspec.Struct, frozen=True):
    """A context policy."""

    kind: Kind
    """`last` messages, `all` of them, as many `tokens` of the newest, or a `summary` and the last messages."""
    count: int = 0
    """Messages, or tokens; 0 for `all`."""

    @property
    def messages(self) -> int | None:
        """The most messages; None for no bound."""
        return self.count if self.kind in ("last", "summary") else None

    @property
    def tokens(self) -> int | None:
        """The most tokens; None for no bound."""
        return self.count if self.kind == "tokens" else None


def parse_policy(text: str) -> Policy:
    """Return the policy of that name.

    Raises:
        InvalidConfig: There is none.

    Example:
        >>> parse_policy("last_3")
        Policy(kind='last', count=3)
    """
    found = _matched(text)
    if found is None:
        raise InvalidConfig(f"There is no context policy {text!r}. It is {ACCEPTED}.")
    everything, kind, count = found.groups()
    return Policy("all") if everything else Policy(cast(Kind, kind), int(count))
