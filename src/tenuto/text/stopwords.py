"""English words that say how something is said rather than what about. Lower case, and split as SQLite splits a text:
`don't` is `don` and `t`."""

FUNCTION = frozenset(
    "a about above after again against all also am an and any anybody anyone anything are aren as at be because been "
    "before being below between both but by can cannot could couldn d did didn do does doesn doing don down during each "
    "either else ever every everybody everyone everything few for from further had hadn has hasn have haven having he "
    "her here hers herself him himself his how i if in into is isn it its itself just ll m many may me might more most "
    "much must my myself neither no nobody nor not nothing now of off on once only or other others ought our ours "
    "ourselves out over own re s same shall she should shouldn since so some somebody someone something somewhere such t "
    "than that the their theirs them themselves then there these they this those through to too under until up upon us ve "
    "very was wasn we were weren what when where whether which while who whom whose why will with within without won "
    "would wouldn yet you your yours yourself yourselves".split()
)
"""Articles, pronouns, prepositions, conjunctions, auxiliaries, and what is left of contractions."""

FILLERS = frozenset(
    "actually ah alright anyway awesome basically bye cool cos course cuz definitely dude eh er erm fine folks gonna "
    "good goodbye gosh gotta great guess guys ha haha hello hey hi hmm huh kinda kind lol lot lots man maybe mean mhm mm "
    "nah nice nope oh ok okay oops perhaps please pretty probably quite rather really right seriously sir sort sorry "
    "stuff sure thank thanks thing things totally uh uhm um wanna well whatever wow ya yay yeah yep yes yo yup".split()
)
"""Words that fill a sentence, greet, thank or answer, and name nothing."""
