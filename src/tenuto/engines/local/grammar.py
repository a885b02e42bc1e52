"""The grammar of what the brain understands, from `phrases.txt`, in the form that the recogniser reads (JSGF). Pure.

What the session knows, a name or a place, will be said again: the slots in `OPEN_SLOTS` name a rule `<known>`, which the
recogniser defines, or takes out, for each utterance (`listening_worker.complete`).
"""

import re
from importlib.resources import files

OPEN_SLOTS = frozenset({"name", "place", "interest"})
"""Slots that a session's own words fill as well."""

_POSSESSIVE = re.compile(r"<(\w+)>'s\b")


def read_phrases() -> str:
    """Return the text of `phrases.txt`."""
    return (files("tenuto.engines.local") / "phrases.txt").read_text(encoding="utf-8")


def jsgf(text: str) -> str:
    """Return phrases as a grammar.

    Args:
        text: As in `phrases.txt`: `[slots]`, lines of `name = alternative | alternative`,
            `[phrases]`, a phrase a line.

    Example:
        >>> print(jsgf("[slots]\\npet = cat | dog\\n[phrases]\\nmy <pet>'s name"))
        #JSGF V1.0;
        grammar tenuto;
        <pet> = cat | dog;
        <pet_s> = cat's | dog's;
        public <phrase> = my <pet_s> name;
    """
    slots: dict[str, str] = {}
    phrases: list[str] = []
    section = ""
    for line in filter(None, (line.partition("#")[0].strip() for line in text.splitlines())):
        if line.startswith("["):
            section = line
        elif section == "[slots]":
            name, _, alternatives = line.partition("=")
            slots[name.strip()] = alternatives.strip()
        else:
            phrases.append(line)
    owners = dict.fromkeys(name for phrase in phrases for name in _POSSESSIVE.findall(phrase))
    rules: list[str] = []
    for name, alternatives in slots.items():
        also = " | <known>" if name in OPEN_SLOTS else ""
        rules.append(f"<{name}> = {alternatives}{also};")
    for name in owners:
        owned = " | ".join(f"{word.strip()}'s" for word in slots[name].split("|"))
        rules.append(f"<{name}_s> = {owned};")
    choices = " | ".join(_POSSESSIVE.sub(r"<\1_s>", phrase) for phrase in phrases)
    return "\n".join(["#JSGF V1.0;", "grammar tenuto;", *rules, f"public <phrase> = {choices};"])
