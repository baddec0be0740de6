"""Word lists that tell prose from formulas."""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


SEPARATING = frozenset({"and", "or", "和", "或", "与", "或者"})
"""Words between several answers."""

ENGLISH = frozenset(
    words(
        "a an the is it its in on at to of by be as if so no not yes are was all any but for has had one two six ten our out"
        " per she he his her him can may did get got how let new now off old say see too use way who why you your they them"
        " this that with from than then none both each area side time only more less left base top end set sum day box car"
        " dog cat man men red big via due etc odd row up do go we us me my am pm ok oh non tank sing sink cost logs cups east"
        " west"
    )
)
"""Short words that are no products of letters."""

RUNNING = frozenset(
    words(
        "is are was were be has have not if so because then which when where that the this than and or to from between at for"
        " a an by it we i you there therefore thus since but both none no yes answer equals equal approximately about"
    )
)
"""Words that go on with a sentence: what holds one is no unit."""

GREEK = words(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi omega"
)
GREEK_CAPITALS = words("Delta Theta Lambda Sigma Omega Phi Psi Gamma phi epsilon ell")
