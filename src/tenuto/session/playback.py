"""What was heard of a reply, in seconds and in text, and where a reply is cut.

A reply is segments, one after the other, in one stretch of audio that begins at 0. Three positions in it matter: what was
sent, what the client said that it has played (its last mark), and the best guess of what was heard by now. The guess goes
on from the last mark at the speed of time, and never beyond what was sent: it can be wrong by the network's delay, not by
the buffer of the client.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

CHARACTERS_PER_SECOND = 14.0
"""Of spoken English, for text whose audio was not measured; espeak-ng at its default 175 words a minute."""

ROUNDING = 0.005
"""Seconds by which two counts of the same samples, at different rates, may differ."""
MARK_SLACK = 0.5
"""Seconds for which the guess goes on after a mark. Marks come every 250 ms; without them the client has gone silent."""


@dataclass(slots=True)
class Playback:
    """The ledger of one reply that is spoken. Times are seconds of a clock that does not jump."""

    reply: int
    ends: list[float] = field(default_factory=list)
    """Where each segment's audio ends, in seconds of the reply, for the segments that are synthesised."""
    queued: float = 0.0
    """Seconds of the reply's audio that were made, sent or not."""
    sent: float = 0.0
    """Seconds that were sent."""
    marked: float = 0.0
    """Seconds that were played, by the client's last mark."""
    marked_at: float | None = None
    """When that was; None before the first mark."""

    @property
    def is_heard(self) -> bool:
        """Whether everything that was made was played."""
        return self.marked >= self.queued - ROUNDING

    @property
    def knows_place(self) -> bool:
        """Whether the end of the segment that was heard last is known, and with it the words."""
        return bool(self.ends) and self.ends[-1] >= self.marked - ROUNDING

    def mark(self, seconds: float, now: float) -> None:
        """Take a client's mark. One that goes back, or beyond what was sent, is brought into bounds."""
        self.marked = max(self.marked, min(seconds, self.sent))
        self.marked_at = now

    def heard(self, now: float) -> float:
        """Return the best guess of the seconds that were heard by now."""
        if self.marked_at is None:
            return self.marked
        elapsed = min(max(0.0, now - self.marked_at), MARK_SLACK)
        return min(self.sent, self.marked + elapsed)


def heard_text(segments: Sequence[str], ends: Sequence[float], heard: float) -> str:
    """Return the words that were heard in the first `heard` seconds of a reply.

    A segment whose end is known is spread evenly over its time, by characters; one that was not measured is taken to be
    spoken at `CHARACTERS_PER_SECOND`. A word counts when all of it was heard.

    Example:
        >>> heard_text(["One two.", "Three four."], [1.0, 2.0], 1.5)
        'One two. Three'
    """
    parts: list[str] = []
    start = 0.0
    for index, text in enumerate(segments):
        end = ends[index] if index < len(ends) else start + len(text) / CHARACTERS_PER_SECOND
        if heard >= end - 1e-6:
            parts.append(text)
        elif heard > start:
            parts.append(_whole_words(text, (heard - start) / (end - start)))
            break
        else:
            break
        start = end
    return " ".join(part for part in parts if part)


def _whole_words(text: str, share: float) -> str:
    upto = int(len(text) * share)
    if upto >= len(text) or text[upto].isspace():
        return text[:upto].rstrip()
    return text[:upto].rpartition(" ")[0].rstrip()


def spoken_seconds(segments: Sequence[str]) -> float:
    """Return about how long it takes to say these, in seconds."""
    return sum(len(text) for text in segments) / CHARACTERS_PER_SECOND
