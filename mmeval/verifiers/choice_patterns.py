"""How answers to multiple-choice questions are phrased: the patterns behind the option parser."""

from __future__ import annotations

import re

from mmeval.verifiers.letters import BRACKETED

EDGE = " \t\r\n.,:;!?()[]{}\"'$*#>~|-–—"
DECORATION = re.compile(r"[$*\"#“”]")
FILL = re.compile(
    r"(?:[\s:=>→'-]|\b(?:is|be|also|then|the|correct|right|best|option|choice|letter|answer|probably|likely|most"
    r"|clearly|definitely|therefore|thus|indeed|simply|obviously|either)\b|选项?)*",
    re.IGNORECASE,
)
BE = r"(?:is|was|are|(?:would|will|should|must|could|has\s+to)\s+be|seems\s+to\s+be|appears\s+to\s+be)"
A_LETTER = r"(?:(?-i:[(\[]?[A-Z])|[(\[]\s*[a-z]\s*[)\]])"
BEFORE_STRONG = re.compile(
    rf"\b(?:(?:correct|right|best)\s+(?:option|choice|letter|one)(?:\s+letter)?|(?<!each\s)(?<!every\s)(?:option|choice|letter)"
    rf"(?:\s+(?:that\s+is\s+|which\s+is\s+)?correct)?)\s*(?:{BE}\b|[:=])\s*"
    rf"|\banswer\s+(?={A_LETTER}[)\].]?\s*(?:$|[\n.,;]))"
    r"|(?:故选|应选|所以选|因此选|正确的?选项[是为]|选择?)\s*[:]?\s*",
    re.IGNORECASE,
)
BEFORE_LETTER = re.compile(
    rf"\b(?:answer|option|choice|one|match|letter|statement|image|picture|figure|point|box|conclusion|value|result|closest"
    rf"|best|correct)\b[^.:\n]{{0,90}}?\b{BE}\b\s*+:?\s*+(?:(?:option|choice|answer)\b)?\s*+(?={A_LETTER}[)\].:]?(?:\s|$))"
    rf"|\b(?:{BE}|to|matches|with|corresponds?\s+to|related\s+to)\s+(?:option|choice)\s+(?={A_LETTER})",
    re.IGNORECASE,
)
"""Phrases with words between them and a letter; only a letter that a boundary or its own text follows counts."""
AFTER_STRONG = re.compile(
    rf"(?P<text>[^.\n]{{0,80}}?)(?<!\w){BE}\s+(?:therefore\s+|thus\s+|clearly\s+)?(?:the\s+)?(?:only\s+|most\s+)?"
    r"(?:correct|right|best|true|answer)\b(?!\s+(?:to\s+say|that|angle|triangle|side|hand))"
    r"|\s{0,4}[)\]]?\s{0,4}(?:选项|項)?\s{0,4}(?:是)?(?:正确|对的)",
    re.IGNORECASE,
)
WEAK = re.compile(
    r"\b(?:(?:go|going|went)\s+(?:with|for)|choos(?:e|ing)|chose|select(?:ed|ing)?|pick(?:ed|ing)?|opt\s+for|guess|say"
    r"|vote\s+for|(?:corresponds?|refers?)\s+to|match(?:es)?|(?:it|that|this)(?:\s+is|'s|\s+must\s+be)"
    r"|therefore|hence|thus|so|conclude)\b[\s,:]*|应该?[是为选]\s{0,4}",
    re.IGNORECASE,
)
CORRECTED = re.compile(
    r"\b(?:wait|actually|correction|on\s+second\s+thought|scratch\s+that|i\s+mean|sorry|let\s+me\s+(?:correct|revise)[^.:\n]{0,30}"
    r"|i\s+made\s+a\s+mistake)\b[\s,:;.!-]*(?:no\b[\s,:;.-]*)?(?:(?:it|that|the\s+answer)(?:\s+is|'s|\s+should\s+be)\s+)?",
    re.IGNORECASE,
)
RECONSIDERS = re.compile(
    r"(?:[.!?…\n。][*\s)]{0,40}|\s[—–-]+\s{0,40})(?:(?:hmm+|oh|but|no|sorry|um)\W{1,4})?"
    r"(?:wait|hold\s+on|actually|on\s+second\s+thought|scratch\s+that|correction|let\s+me\s+(?:re-?check|reconsider|re-?think|double[- ]check))\b"
    r"|[,;]\s(?:no|oh)[, ]{1,2}wait\b|[。！？，,.!?…\n]\s{0,4}(?:等等|等一下|不对|更正|纠正一下|我再看看|重新(?:数|看|检查)一[下遍])(?=[\s，,。.…!！：:])",
    re.IGNORECASE,
)
"""How a writer takes back what stands before."""
BOUNDARY = re.compile(r"\s*(?:$|[\n.,;:)\]]|[-–—]\s|\(|(?:because|since|as|which|due|given|for|with|and\s+not|not)\b)")
ALSO = re.compile(
    rf"\s*(?:\b(?:and|or)\b|[/&或和、]|,\s*(?:and|or)\b|,(?=\s*[(\[]?[A-Z][)\]]?\s*(?:[,.;\n\])}}]|$|and\b|or\b))|(?=[(\[][A-Z][)\]]))"
    r"\s*(?:\b(?:maybe|perhaps|possibly|probably|even|else|also|option)\b\s*)?"
    rf"(?:{BRACKETED}|(?P<bare>[A-Z])(?![A-Za-z0-9'_^-]))"
)
SECOND = re.compile(r"(?:,|\band\b|\bor\b)\s+(?:[(\[][A-Z][)\]]|[A-Z](?=[.):]|\s*\(|\s*$))")
BUT = re.compile(
    r"[^.\n]{0,60}?\bbut\s+(?:(?:i|we|it|more|most|probably|likely|rather|would|think|choose|go|say|with|is|'s|'d|the|answer|,)\s*)*",
    re.IGNORECASE,
)
LISTED = re.compile(r"(?<![A-Za-z])[(\[]?[A-Z][)\]]?\s*(?:,|/|&|[-–—]|\band\b|\bor\b|\bto\b|\bthrough\b)\s*$")
"""Another letter right before a letter: "A and B are correct", "which of A-F is correct"."""
LABEL_BEFORE = re.compile(r"(?:[(\[][A-Za-z][)\]]|\b[A-Z][.):])\s*$")
CONTRACTED = re.compile(r"n't\s+(?:be\s+)?$")
REFUTED = re.compile(
    r"\s*[)\]]?[^.,;\n]{0,40}?(?:\b(?:is|are)\s+(?:not|incorrect|wrong|false)\b|(?:isn't|aren't|不正确|错误|不对)"
    r"|\b(?:does|do|did|can)\s*(?:not|n't)\b|\bcannot\b)",
    re.IGNORECASE,
)
REJECTED = re.compile(
    r"\s{0,4}[)\]]?\s{0,4}(?:(?:is|was|does|can|could|would|should|must)\s*(?:not|n[’']t)\b|can(?:not|[’']t)\b"
    r"|(?:is|was|would\s+be|must\s+be|can\s+be)\s+(?:also\s+)?(?:incorrect|wrong|false|irrelevant|ruled\s+out|excluded|eliminated|out)\b)",
    re.IGNORECASE,
)
"""Right behind a letter: the sentence says of this option that it is none."""
LIST_ITEM = re.compile(r"\s{0,12}[)\]]?\s{0,4}(?::|[-–—]\s)")
"""Behind the text that opens a line: the line is about this option."""
RIVAL = re.compile(r"\b(?:than|unlike|compared|rather|instead|whereas|while|not)\b", re.IGNORECASE)
OTHER = re.compile(
    r"\b(?:on\s+the\s+other\s+hand|however|less|least|lacks?|not|n't|other|incorrect|wrong)\b", re.IGNORECASE
)
"""What makes an unmarked last sentence one about the options that are not the answer."""
VERDICT = re.compile(
    r"\b(?:best|most|correct|right|likely|closest|match(?:es)?|correspond(?:s|ing)?|fits?|answer|choose|select|suggest|lean"
    r"|conclude[sd]?|belongs?)\b",
    re.IGNORECASE,
)
UNFINISHED = re.compile(r"\s*(?:[√^/*×+]|\\(?:sqrt|frac|pi)\b|[a-z]\b(?=\s*(?:[+=^-])))")
"""Behind a number that is only part of a term."""
FORCED = re.compile(
    r"\bif\s+(?:(?:i|we)\s+(?:must|ha(?:d|ve)\s+to|were\s+to)|forced\s+to)\s+(?:choose|pick|select|guess|answer|make)\b",
    re.IGNORECASE,
)
PREDICATE = re.compile(
    r"(?<!\bit )(?<!\bthis )(?<!\bthat )(?<!\bthere )(?<!\bthese )(?<!\bthey )\b(?:is|was|are|were)\s+(?:(?:actually|likely|most\s+likely|probably|called|named)\s+)?(?:(?:the|an?)\s+)?(?=\S)",
    re.IGNORECASE,
)
PREFERS = re.compile(r"\b(?:best|most|more|better|correct|closest|closer|matches|corresponds|fits)\b", re.IGNORECASE)
SETS_OUT = re.compile(r"\W*(?:to|in\s+order|let|we|i|which|looking|sure)\b", re.IGNORECASE)
"""How a first sentence opens that says what will be done."""
AMBIGUOUS = "ambiguous"
REACH = 400
"""Characters behind an answer phrase in which the option's text must stand."""
