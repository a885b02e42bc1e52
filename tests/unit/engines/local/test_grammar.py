from tenuto.engines.local.grammar import jsgf, read_phrases
from tenuto.engines.local.listening_worker import complete

TEXT = """
# a comment
[slots]
name = alice | bob   # another
pet = cat | dog

[phrases]
hello
my name is <name>
my <pet>'s name is <name>
"""


def test_phrases_become_a_grammar() -> None:
    assert jsgf(TEXT).splitlines() == [
        "#JSGF V1.0;",
        "grammar tenuto;",
        "<name> = alice | bob | <known>;",
        "<pet> = cat | dog;",
        "<pet_s> = cat's | dog's;",
        "public <phrase> = hello | my name is <name> | my <pet_s> name is <name>;",
    ]


def test_what_a_session_knows_is_expected() -> None:
    lines = complete(jsgf(TEXT), ["zoe", "mary ann"]).splitlines()
    assert lines[1:4] == [
        "grammar tenuto;",
        "<known> = zoe | mary ann;",
        "<name> = alice | bob | <known>;",
    ]


def test_a_session_that_knows_nothing_has_no_empty_rule() -> None:
    grammar = complete(jsgf(TEXT), ())
    assert "known" not in grammar
    assert "<name> = alice | bob;" in grammar


def test_the_shipped_phrases_use_only_slots_that_they_define() -> None:
    grammar = jsgf(read_phrases())
    defined = {line.split(">")[0] for line in grammar.splitlines() if line.startswith("<")}
    used = {part.split(">")[0] for part in grammar.split("<")[1:]}
    assert {f"<{name}" for name in used} - {"<known", "<phrase"} == defined
