"""How models write their verdicts on the steps of a solution."""

from __future__ import annotations

import re

GOOD = frozenset({"+", "correct", "right", "yes", "true", "valid", "sound", "accurate", "good", "1", "+1", "正确", "✓", "✔", "✅", "☑"})  # fmt: skip
BAD = frozenset(
    {
        "-", "−", "–", "—", "incorrect", "wrong", "no", "false", "invalid", "unsound", "flawed", "inaccurate", "bad", "error",
        "erroneous", "-1", "错误", "不正确", "✗", "✘", "❌", "✖", "not correct", "not right", "not valid", "not sound", "not accurate",
    }
)  # fmt: skip
WORDS = sorted((GOOD | BAD | {"neutral"}) - {"1", "-1", "+1"}, key=len, reverse=True)
VERDICT = rf"(?P<verdict>(?:-1|\+?1|0)(?!\.?[0-9])|{'|'.join(re.escape(word).replace(chr(92) + ' ', '[ ]+') for word in WORDS)})(?![A-Za-z0-9+])"
WORD = rf"(?P<verdict>{'|'.join(word.replace(' ', '[ ]+') for word in WORDS if word[0].isalpha())})(?![A-Za-z0-9+])"
SEPARATED = r"[\s*)\]\"':：.=→–—|-]{0,24}?"
IS = r"(?:is|was|seems|looks)\s+"
OPENED = r"[\s*\"'`(\[{]{0,12}"
GOES_ON = (
    r"(?=\s{0,4}(?:\Z|\n|[.,;:!)\]}\"'*`|–—(/。，；：！（<✓✔✅☑✗✘❌✖]|-\s)"
    r"|\s+(?:because|since|as|and|but|so|step|reasoning|application|identification|calculation|computation|use|usage|reading|interpretation|observation"
    r"|conclusion|deduction|logic|inference|statement)\b)"
)
"""Behind a word that is a verdict by itself: "Right triangle ABC" and "No change" are none."""
DIRECT_WORD = re.compile(
    rf"{SEPARATED}(?:{IS}{OPENED}{WORD}|{OPENED}{WORD.replace('<verdict>', '<alone>')}{GOES_ON})", re.IGNORECASE
)
DIRECT = re.compile(rf"{SEPARATED}(?:{IS})?{OPENED}{VERDICT}", re.IGNORECASE)
DASH = re.compile(r"[-−–—]")
GOING_WORD = re.compile(r"[A-Za-z]")
FAULTLESS = re.compile(
    rf"{SEPARATED}{OPENED}(?:there\s+(?:is|are)\s+)?no\s+(?:errors?|mistakes?|issues?|problems?|flaws?)\b|{SEPARATED}{OPENED}error-free\b",
    re.IGNORECASE,
)
FAULTY = re.compile(
    rf"{SEPARATED}{OPENED}(?:(?:this|the)\s+step\s+)?(?:there\s+(?:is|are)|contains?|has)\s+(?:an?\s+|some\s+)?(?:[a-z]+\s+)?(?:errors?|mistakes?)\b",
    re.IGNORECASE,
)
TITLE = re.compile(r"\s*\(([^()\n]{1,80})\)(?=[\s*]*(?:[:：]|(?:is|was)\s))")
"""What a step is about, behind its number: "Step 1 (reading the graph): correct"."""
ALL = re.compile(
    rf"(?<!not\s)\b(?:all|each|every)\s+(?:(?:of\s+)?the\s+)?(?:[0-9]+\s+|[a-z]+\s+)?steps?\s+(?:is|are)\s+{WORD}(?=\s*(?:[.!\n]|\Z))",
    re.IGNORECASE,
)
GROUP = re.compile(
    rf"\bsteps\s+((?:[0-9]{{1,3}}\s*(?:,\s*and|,|and|&|-|–|to|through)\s*){{1,40}}[0-9]{{1,3}})\s+are\s+(?:all\s+|both\s+)?{WORD}(?=\s*(?:[.,;!\n]|\Z))",
    re.IGNORECASE,
)
"""Several steps at once: "Steps 1-3 are correct"."""
LABELLED = re.compile(
    rf"\b(?:verdict|judge?ment|label|assessment|evaluation|correctness|rating|(?:this|the)\s+step\s+is)\b[\s*\"'`:=]{{0,12}}(?:is\s{{1,4}})?[\s*\"'`(\[]{{0,12}}{VERDICT}"
    rf"|\bthe\s+(?:calculation|computation|arithmetic|reasoning|logic|identification|reading|interpretation|application)\b[^.\n]{{0,60}}\bis\s+{WORD.replace('<verdict>', '<about>')}{GOES_ON}"
    rf"|\b(?:conclusion|result|this\s+is)\b[\s*\"'`:=]{{0,12}}(?:is\s{{1,4}})?[\s*\"'`(\[]{{0,12}}{WORD.replace('<verdict>', '<word>')}{GOES_ON}",
    re.IGNORECASE,
)  # fmt: skip
BOXED = re.compile(rf"\\boxed\s*\{{\s*+(?:\\text\s*+\{{)?\s*+{VERDICT}", re.IGNORECASE)
CLOSING = re.compile(rf"[(\[]\s{{0,8}}{VERDICT}\s{{0,8}}[)\]][\s.*]{{0,24}}\Z", re.IGNORECASE)
LAST_WORD = re.compile(
    rf"[.!?](?:[ \t*]{{1,8}}(?P<sign>[✓✔✅✗✘❌✖])|[\s*]{{1,8}}{WORD})[\s.*!]{{0,24}}\Z", re.IGNORECASE
)
"""A sentence of its own at the end: "It reads the axis. Correct."."""
STEP = r"(?:step[\s_]*#?|步骤\s*|第\s*(?=[0-9]+\s*步))([0-9]{1,3})(?![0-9])(?:\s*步)?"
STEP_HEAD = re.compile(
    rf"^[ \t>*#•(\[{{\"'|-]{{0,24}}{STEP}|(?<=[.,;。，；|\"'])[ \t*]{{0,8}}{STEP}(?={SEPARATED}(?:{IS})?{OPENED}{VERDICT.replace('?P<verdict>', '?:')})"
    rf"|[ \t]{STEP}(?=\**[:：→]{SEPARATED}{OPENED}{VERDICT.replace('?P<verdict>', '?:')})",
    re.IGNORECASE | re.MULTILINE,
)
"""At the start of a line; inside of one where a verdict follows at once ("Step 1: +, Step 2: -")."""
NUMBER_HEAD = re.compile(
    r"^[ \t>*#(|]{0,24}([0-9]{1,3})(?=[ \t]*[.):：=→|]|[ \t]+[+✓✔✅✗✘❌-])|(?<=[,;])[ \t]*([0-9]{1,3})(?=[ \t]*[:=→][ \t]*(?:[+✓✔✅✗✘❌-]|(?:in)?correct\b|right\b|wrong\b))",
    re.MULTILINE | re.IGNORECASE,
)
LAST_CELL = re.compile(rf"\|\s{{0,8}}{VERDICT}\s{{0,8}}\|?\s{{0,24}}\Z", re.IGNORECASE)
NUMERIC = re.compile(r"[0-9]")
ARROW = re.compile(r"[-=]{1,2}>")
ANSWER_TAG = re.compile(r"</?answer>", re.IGNORECASE)
BOX = re.compile(r"\\boxed\s*\{([^{}]*)\}")
SEQUENCE = re.compile(r"[\s`*]{0,12}[\[(]?\s{0,8}[+−-](?:[\s,;|]{0,8}[+−-])*\s{0,8}[\])]?[\s`*.]{0,12}")
KEYS = ("correct", "is_correct", "correctness", "label", "verdict", "judgment", "judgement", "judge", "rating", "score", "result")  # fmt: skip
PARTS = (
    ("visual_ok", "visual_alignment", "image_alignment", "visual_correct"),
    ("logic_ok", "logical_soundness", "logic", "logical_correct", "logic_correct"),
)
"""Keys of the two judgements that critics like GM-PRM give of a step; it is right when both are."""
LISTS = ("steps", "verdicts", "judgments", "judgements", "labels", "process_correctness", "step_verdicts", "results", "answer")  # fmt: skip
