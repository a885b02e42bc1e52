"""Whether some words can be a person's name. "I'm Alice" is one; "I'm tired", "I'm Italian" and "I'm here" are not."""

import re

from tenuto.engines.local.brain.wording import titled

FIRST_NAMES = frozenset(
    "aaron abby adam adrian agnes aisha alan albert alex alexander alexandra alexis alfred ali alice alicia "
    "alina alison amanda amber amelia amir amy ana andre andrea andrew andy angela anita ann anna anne annie "
    "anthony antonio arthur ashley barbara beatrice ben benjamin bernard beth betty bill billy bob bobby brad "
    "brandon brenda brian bruce bruno carl carla carlos carmen carol caroline catherine cecilia charles charlie "
    "charlotte chloe chris christian christina christine christopher claire clara claudia colin connor craig "
    "cynthia daisy damian dan daniel daniela danny dave david dean deborah denis dennis diana diego donald "
    "donna doris dorothy douglas dylan ed eddie edgar edith eduardo edward elena eli elizabeth ella ellen emil "
    "emily emma eric erica erik ernest esther ethan eva evan eve evelyn fatima felix fiona florence frances "
    "francis frank fred gabriel gary george gerald gina gloria gordon grace greg gregory hannah harold harry "
    "heather hector helen helena henry howard hugo ian ida igor ingrid irene iris isaac isabel isabella ivan "
    "ivy jack jackie jacob jacqueline jake james jamie jan jane janet jasmine jason javier jean jeff jeffrey "
    "jennifer jenny jeremy jerry jessica jessie jill jim jimmy joan joe joel johan john johnny jon jonas "
    "jonathan jordan jose joseph josh joshua joyce juan judith judy julia julian julie justin karen karl kate "
    "katherine kathleen kathy katie keith kelly ken kenneth kevin kim kyle lara larry laura lauren laurie "
    "lawrence lea leah lee lena leo leon leonard lewis liam lily linda lisa liz logan lorenzo louis louise luca "
    "lucas lucia lucy luis luke lydia madison magda marc marco marcus margaret maria marie marina mario marion "
    "mark marta martha martin mary mason matt matthew maya megan melanie melissa mia michael michelle miguel "
    "mike mila mohammed molly monica nadia nancy naomi natalie natasha nathan neil nicholas nick nicolas nicole "
    "nina noah nora norman oliver olivia omar oscar otto owen pamela patricia patrick paul paula pedro peggy "
    "penny peter phil philip phillip phoebe pierre rachel ralph raymond rebecca ricardo richard rick rita rob "
    "robert robin roger roland romeo ron ronald rosa rosie roy ruby russell ruth ryan sally sam samantha samuel "
    "sandra sara sarah scott sean sebastian sergio shane sharon sheila simon sofia sonia sophia sophie stan "
    "stella stephanie stephen steve steven stuart sue susan sylvia tamara tanya ted teresa terry theodore "
    "theresa thomas tim timothy tina todd tom tommy tony tracy trevor tyler ursula valerie vanessa vera vicky "
    "victor victoria vincent viola violet virginia vivian walter wanda wayne wendy will william xavier yasmin "
    "yuki yusuf yvonne zachary zoe".split()
)
"""What a recogniser, which writes no capitals, may have heard after "I am"."""

_NEVER = frozenset(
    "a an the and or but if so not no yes of to in on at by for with from as is am are was were be been being "
    "do does did have has had i you he she it we they me him her us them my your his its our their this that "
    "these those what who where when why how which here there now then just still very really too also quite "
    "only back home done ready sure okay fine good great well bad better happy sad tired bored hungry thirsty "
    "sick ill busy late early sorry afraid glad cold hot warm alone lost new old young tall short married "
    "single going coming doing having trying looking asking wondering talking speaking listening feeling "
    "thinking never always about like because please thanks hello hi bye stop go wrong right true false mister "
    "none nobody nothing something anything everything called spelled can could will would should may might "
    "must shall want need think know say said tell ask again up down out off over under later back soon maybe "
    "tomorrow today tonight someone somebody crazy names".split()
)
_NATIONS = re.compile(
    r"\w+(?:ish|ese|ican|alian|lian|rian|sian|gian|nian|dian)"
    r"|german|french|dutch|greek|swiss|czech|polish|danish|muslim|jewish|hindu|buddhist|catholic|vegan|vegetarian|asian"
    r"|iraqi|pakistani|thai|welsh|european|indian|chilean|korean"
)
_PART = re.compile(r"[^\W\d_][^\W\d_.'-]*(?:['.-][^\W\d_]+)*\.?")


def spelled(text: str) -> str:
    """Return the word that single letters spell, `A L I C E` or `a-l-i-c-e`; empty when they are not single
    letters.
    """
    letters = re.findall(r"[^\W_]+", text)
    if len(letters) < 2 or any(len(letter) > 1 for letter in letters):
        return ""
    return "".join(letters).capitalize()


_BEFORE_NAME = re.compile(
    r"\b(?:call|tell|ask|meet|email|text|visit|phone|invite|pay|thank|message|ring|with|for|and"
    r"|called|named) ([a-z]+)\b"
)


def with_names(text: str) -> str:
    """Give first names their capitals where a person is meant: "call bob" becomes "call Bob"."""
    return _BEFORE_NAME.sub(
        lambda m: m[0][: -len(m[1])] + (m[1].capitalize() if m[1] in FIRST_NAMES else m[1]), text
    )


def certain_name(text: str) -> str:
    """Return what was said to be a name, with its capitals; empty when it cannot be one."""
    if word := spelled(text):
        return word
    parts = text.split()
    if not 1 <= len(parts) <= 4 or len(text) > 60:
        return ""
    if not all(_PART.fullmatch(part) for part in parts):
        return ""
    if any(
        p.lower().strip(".") in _NEVER or p.lower().endswith(("'s", "n't", "'m", "'re"))
        for p in parts
    ):
        return ""
    return titled(text.lower() if text.isupper() and len(text) > 2 else text)


def nationality(text: str) -> bool:
    """Whether a word after "I am" says where somebody is from, or what he eats or believes."""
    return bool(_NATIONS.fullmatch(text.lower())) and text.lower() not in FIRST_NAMES


def likely_name(text: str) -> str:
    """Return a name where any words might stand, as after "I am"; empty unless it surely is one."""
    name = certain_name(text)
    if not name or len(name.split()) > 3:
        return ""
    first = text.split()[0]
    if first.lower() in FIRST_NAMES:
        return name
    capitals = all(part[:1].isupper() for part in text.split())
    shouted = text.isupper() and len(text) > 3
    return name if capitals and not shouted and not nationality(first) else ""
