"""Greetings, thanks, jokes, and honest answers about what this is. A greeting is only ever the answer to one."""

import re

from tenuto.engines.local.brain.situation import (
    Answer,
    Found,
    Reply,
    Rule,
    Situation,
    rule,
    say,
    saying,
)

ABILITIES = (
    'remember what you tell me, such as "my name is Alice"',
    'answer "what do you remember about me?"',
    'set a timer: "set a timer for one minute"',
    'remind you: "remind me in ten minutes to call Bob"',
    'tell the time: "what time is it?"',
    'do sums: "what is twelve times seven?"',
    'sum up: "what have we talked about?"',
)
"""What the fallback and the help name, as they follow on "I can"."""

JOKES = (
    "Why did the server go to sleep? It had no open connections.",
    "There are ten kinds of people: those who understand binary, and those who do not.",
    "I would tell you a joke about UDP, but you might not get it.",
    "Why do musicians like databases? They know how to hold a note.",
    "A journal walks into a bar. It remembers everything, in order.",
    "What is a robot's favorite snack? Computer chips.",
)

_WHO = (
    "I am Tenuto's built-in brain: a small set of rules, not a language model.",
    "I am here to prove the session layer: what you tell me survives a reload, a lost network and a restart.",
)


def _greeting(found: Found, situation: Situation) -> Reply | None:
    """Greet: a known user by name, and as a new meeting only at the beginning of a conversation."""
    name = situation.name()
    called = f", {name}" if name else ""
    day = found.plain("day")
    hello = f"Good {day}" if day and day != "day" else "Hello"
    if situation.here:
        return say(f"{hello}{'' if day else ' again'}{called}.")
    if name or situation.memories or situation.messages:
        return say(f"{hello} {name}, welcome back." if name else f"{hello}, welcome back.")
    return say(f"{hello}.")


def _and_you(found: Found, situation: Situation) -> Reply | None:
    return say("I am running well, thank you.", "How are you?")


def _glad(found: Found, situation: Situation) -> Reply | None:
    """Take "fine" as an answer only where it is one."""
    asked = situation.last("agent")
    if len(found.clause.words) < 3 and not (asked and asked.text.endswith("How are you?")):
        return None
    return say("I am glad to hear that.")


def _bye(found: Found, situation: Situation) -> Reply | None:
    name = situation.name()
    kept = "I will remember what you told me." if situation.memories else "Come back any time."
    return say(f"Goodbye{', ' + name if name else ''}.", kept)


def _joke(found: Found, situation: Situation) -> Reply | None:
    return say(JOKES[situation.turn % len(JOKES)])


def _help(found: Found, situation: Situation) -> Reply | None:
    return say(
        "I am a small set of rules, so I can do a few things.",
        f"I can {ABILITIES[0]}, and {ABILITIES[1]}.",
        f"I can {ABILITIES[2]}, or {ABILITIES[3]}.",
        "I can also tell the time and the date, do sums, repeat, sum up what we said, and tell a joke.",
    )


def _cannot(what: str) -> Answer:
    return saying(f"I cannot {what}: I am a small set of rules, and offline.")


_GOOD = r"(?:fine|good|great|well|very well|not bad|very good|wonderful|happy|doing (?:well|fine|good|great))"
_BAD = (
    r"(?:tired|sad|sick|ill|bored|not (?:feeling |so )?(?:good|well|great)|hungry|cold|stressed|down|upset"
    r"|angry|lonely|exhausted|bad|terrible|awful|depressed|unhappy|worried|nervous|unwell)"
)
_YOU = r"(?: tenuto| there| again| everybody| my friend| computer| you)*"

RULES: list[Rule] = [
    rule(
        _greeting,
        r"(?:hello|hi|hey|howdy|greetings|hallo|good (?P<day>morning|afternoon|evening"
        rf"|day)){_YOU}",
    ),
    rule(_greeting, rf"(?:hello|hi|hey) (?:hello|hi){_YOU}"),
    rule(_greeting, r"(?:i am back|here i am(?: again)?|it is me(?: again)?)"),
    rule(
        _and_you,
        r"how are you(?: doing| feeling)?(?: today)?|how is it going|how do you do"
        r"|how have you been|what is up|are you (?:okay|well|fine)|and you|how about you",
    ),
    rule(
        saying("I am running well, thank you."), r"(?:and |what about |how about )?(?:you|yourself)"
    ),
    rule(
        _glad,
        rf"(?:i am |i feel |i am feeling )?{_GOOD}(?: today)?(?: thank you| thanks)?(?: and you|"
        r" how are you| how about you)?",
    ),
    rule(
        saying("All right: I note nothing of what you are not sure of."),
        r"(?:i am not sure|i do not (?:think|believe|know)|i doubt|maybe|perhaps)(?: (?:that|if|whether))?"
        r" (?:i|my) .+",
    ),
    rule(
        saying("I am glad to hear that."),
        r"i am not (?:tired|sad|sick|ill|bored|hungry|cold|stressed|angry|lonely|worried|afraid)"
        r"(?: any more| today)?|i feel (?:much )?better(?: now| today)?",
    ),
    rule(
        saying("I am sorry to hear that."),
        rf"(?:i am |i feel |i am feeling )(?:a (?:bit|little) |very |so |really )?{_BAD}(?:"
        r" today)?",
    ),
    rule(
        saying("Nice to meet you too."),
        r"(?:it is )?(?:nice|good|great|pleased|glad) to (?:meet|see|hear) (?:from )?you(?: too)?",
    ),
    rule(
        saying("You are welcome."),
        rf"(?:thank you|thanks|many thanks|cheers)(?: (?:very much|so much|a lot|again|for .{1, 60}"
        r"|that is all))*|thank you that is all",
    ),
    rule(
        _bye,
        r"(?:good ?bye|bye(?: bye)?|see you(?: (?:later|soon|tomorrow|again))?|good night|so long"
        r"|farewell|i have to go|talk to you later|have a nice day)(?: tenuto| for now)?",
    ),
    rule(saying("No harm done."), r"(?:i am )?(?:sorry|excuse me|my mistake|i apologize)"),
    rule(
        saying("All right."),
        r"(?:yes|yes please|yeah|yep|sure|okay|all right|alright|i see|of course|good|great|cool"
        r"|nice|perfect|very good|well done|got it|fine"
        r"|(?:i am )?not sure|maybe|perhaps|i do not know|i guess(?: so)?"
        r"|i do not want to(?: (?:say|talk about (?:it|that|this)))?)",
    ),
    rule(
        saying("All right."),
        r"(?:no|nope|no thank you|no thanks|nothing|not now|not really|i am not)",
    ),
    rule(
        saying("All right."),
        r"(?:never mind|nevermind|forget it|it does not matter|forget about it|stop(?: it|"
        r" talking)?|be quiet|quiet|silence|shut up|enough|wait|hold on|one moment|cancel)",
    ),
    rule(
        saying("Thank you, that is kind."),
        r"(?:you are|that is|that was|this is) (?:so |very |really |pretty )?(?:funny|great|good"
        r"|nice|amazing|smart|clever|helpful|kind|awesome|cool|impressive|wonderful|interesting)"
        r"|good (?:job|work|bot)|i (?:like|love) (?:you|it|this|that)",
    ),
    rule(
        saying("I am only a small set of rules.", "I am sorry that it is not enough."),
        r"(?:you are|that is) (?:so |very |really )?(?:stupid|dumb|useless|bad|boring|terrible"
        r"|annoying)|i hate you|bad bot",
    ),
    rule(
        saying(*_WHO),
        r"(?:who|what) are you|what is (?:your name|tenuto|this)"
        r"|(?:tell me )?(?:something )?about yourself|introduce yourself|do you have a name"
        r"|who (?:made|built) you|how do you work"
        r"|what is your (?:purpose|job|goal)|what are you for|why (?:are you here|do you exist)",
    ),
    rule(
        _help,
        r"(?:help|help me|what can (?:you do|i (?:say|ask|do)|you help me with)|what (?:else"
        r" )?can you do(?: for me)?|how can you help(?: me)?|what do you do|what are you (?:good"
        r" for|able to do)|commands)",
    ),
    rule(
        saying("I am a program: a small set of rules, not a person and not a language model."),
        r"are you (?:an? )?(?:human|person|robot|computer|machine|bot|ai|a i|real|alive|language"
        r" model|chat ?bot|man|woman|smart|intelligent|conscious)(?: person| human)?",
    ),
    rule(
        saying("No: I am Tenuto's built-in brain, a small set of rules."),
        r"are you (?:an? )?(?:chat ?gpt|gpt(?: \w+)?|open ?ai|claude|gemini|siri|alexa|cortana|copilot|llama|llm"
        r"|google(?: assistant)?|large language model)",
    ),
    rule(
        saying("I understand and speak English, and nothing else."),
        r"(?:can|do) you (?:speak|understand|know)(?: any)? (?:other languages?|english|german|french|spanish|italian"
        r"|russian|chinese|japanese|portuguese|dutch|polish|turkish|arabic|hindi)|what languages? do you speak",
    ),
    rule(
        saying("I go by what you have told me, and by fixed rules.", "Tell me if it is wrong."),
        r"are you (?:really |quite )?sure(?: about that)?|really|is that (?:true|right|correct)",
    ),
    rule(
        saying("I am a program on this computer.", "I have no age and no home."),
        r"how old are you|when were you born|where (?:are you|do you live)|where are you from",
    ),
    rule(
        saying("Yes, I can hear you."),
        r"(?:can|do) you (?:hear|understand) me|are you (?:there|listening|still there)"
        r"|is anybody there|hear me|test(?:ing)?(?: test(?:ing)?| one two(?: three)?)*"
        r"|am i audible",
    ),
    rule(
        _joke,
        r"(?:tell me |say |do you know |know |give me |i want (?:to hear )?)?(?:an?|another|one"
        r" more|some) (?:\w+ )?jokes?(?: please)?|make me laugh|(?:another|one more) one|joke",
    ),
    rule(
        _cannot("sing or play music"),
        r"(?:sing|sing me|play|play me)(?: (?:a|some|the|me))* (?:song|music)|sing(?: for me)?",
    ),
    rule(
        _cannot("see the weather"),
        r"(?:what is|how is|tell me) the (?:weather|forecast|temperature)(?: .+)?|(?:will it|is"
        r" it going to|is it) (?:rain|snow|be sunny|raining|snowing|cold|warm|hot|sunny)(?: .+)?"
        r"|what will the weather be(?: .+)?",
    ),
    rule(_cannot("read the news"), r"(?:what is|what are|tell me) the (?:latest )?news(?: .+)?"),
    rule(
        saying("I am a set of rules, so I have no likes and no feelings."),
        r"(?:do you have (?:any )?(?:feelings?|emotions?|friends|a soul|a body|a family)|do you (?:like|love|hate|want|enjoy"
        r"|feel|dream|sleep|eat)\b.*|what is your favorite .+|are you (?:happy|sad|tired|bored|hungry))",
    ),
]


_OF_THE_WORLD = re.compile(r"(?:what|who|where|when|why|which|how)\b(?! about\b)", re.I)


def fallback(heard: str, turn: int) -> Reply:
    """Say plainly that this is not understood, or not known, and name two things that are."""
    first = turn % len(ABILITIES)
    second = (turn + 2) % len(ABILITIES)
    why = "I cannot help with that: I am a small set of rules"
    if _OF_THE_WORLD.match(heard):
        why = "I do not know: I am a small set of rules, and know only what I am told"
    return say(
        f'I heard "{heard}", but {why}.',
        f"I can {ABILITIES[first]}, or {ABILITIES[second]}.",
    )
