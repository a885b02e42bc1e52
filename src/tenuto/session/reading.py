"""Reads what the user says, before it is stored: with `tenuto.text`, or not at all."""

from typing import Literal

from tenuto.errors import InvalidConfig
from tenuto.events import Traits


class NoReader:
    """A `ports.Reader` that measures nothing, and refuses what it cannot redact."""

    def warm(self) -> None:
        """Import nothing."""

    def redact(
        self, text: str, policy: Literal["mask", "drop"], region: str
    ) -> tuple[str, list[str]]:
        """Refuse: nothing may be stored that should have been redacted.

        Raises:
            InvalidConfig: Always.
        """
        raise InvalidConfig("Redaction is on, and this session has no reader that can redact.")

    def measure(
        self, text: str, seconds: float, *, learning: bool, analytics: bool
    ) -> Traits | None:
        """Return nothing."""
        return None


class TextReader:
    """A `ports.Reader` over `tenuto.text`."""

    def warm(self) -> None:
        """Import what measures messages."""
        from tenuto.text import traits

        traits.warm()

    def redact(
        self, text: str, policy: Literal["mask", "drop"], region: str
    ) -> tuple[str, list[str]]:
        """Return a text without personal data, never empty, and the kinds that were found, each once.

        Raises:
            MissingExtra: What finds them is not installed.
        """
        from tenuto.text import redact

        found = redact.find(text, region)
        if not found:
            return text, []
        clean = redact.redact(text, policy, region)
        return clean or "[redacted]", sorted({each.kind for each in found})

    def measure(
        self, text: str, seconds: float, *, learning: bool, analytics: bool
    ) -> Traits | None:
        """Return what a message tells; None when neither learning nor analytics wants anything."""
        if not learning and not analytics:
            return None
        from tenuto.text import traits

        found = traits.measure(text)
        return Traits(
            words=found.words,
            seconds=round(seconds, 3),
            formality=found.formality if learning else None,
            technical=found.technical if learning else None,
            sentiment=found.sentiment if analytics else None,
            topics=list(found.topics),
        )
