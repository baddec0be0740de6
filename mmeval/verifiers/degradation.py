"""Which degradation an image has and how severe it is, as a JSON object (Q-Insight's form)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import answer_section, merged_options

CLASSES: Mapping[str, str] = {
    "noise": "noise", "compression": "compression", "jpeg": "compression", "jpeg compression": "compression", "blur": "blur",
    "darken": "darken", "null": "null", "none": "null",
}  # fmt: skip
"""What is written -> class: the prompt says compression where the data say JPEG."""
_FORMS: Mapping[str, str] = {
    **CLASSES,
    **dict.fromkeys(("noisy", "gaussian noise"), "noise"),
    **dict.fromkeys(
        ("blurry", "blurred", "blurring", "blurriness", "gaussian blur", "motion blur", "defocus blur"), "blur"
    ),
    **dict.fromkeys(("dark", "darkened", "darkening", "darkness"), "darken"),
    **dict.fromkeys(
        ("compressed", "jpeg artifacts", "compression artifacts", "jpeg compression artifacts"), "compression"
    ),
    **dict.fromkeys(("no distortion", "no distortions"), "null"),
}
"""The classes in the word forms that models write."""
SEVERITIES = ("slight", "moderate", "obvious", "serious", "catastrophic", "null")
_VALUE = r"""[\\"'*`]{0,4}\s*[:=]\s*+[*`\[]{0,3}\s*+(?:\\?"([^"\\\n]{0,40})\\?"|'([^'\n]{0,40})'|([A-Za-z]{1,20})(?![\w ]*[A-Za-z]))(?!\s*,\s*["'][^"'\n]{0,40}["']\s*\])"""
_CLASS = re.compile(r"""\bdistortion[_ -]?class""" + _VALUE, re.IGNORECASE)
_SEVERITY = re.compile(r"""\bseverity(?:[_ -]?level)?""" + _VALUE, re.IGNORECASE)


class DegradationVerifier:
    """The answer is {"distortion_class": …, "severity": …}; the target is [class, severity], null for none.

    Scores: `class` (Deg. Acc.) and `severity` (Lev. Acc.: counts only with the right class). Primary: 0.25 for the class
    and 0.75 more for the severity, as Q-Insight weighs them. `correct`: both are right. A severity that is missing or unknown
    is wrong; no answer is read where the class is.
    """

    name = "degradation"
    version = "3"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return [class, severity]; values that differ between two objects are no answer."""
        section = answer_section(text, merged_options(self._options, context.options))
        if isinstance(section, Extraction):
            return section
        named = list(_CLASS.finditer(section.text))
        classes = {_FORMS.get(_value(one), _value(one)) for one in named}
        if not named:
            return Extraction(reason="no distortion_class")
        if len(classes) > 1:
            return Extraction(reason="several classes")
        found = _FORMS.get(classes.pop())
        if found is None:
            return Extraction(reason="unknown class")
        levels = {_value(one) for one in _SEVERITY.finditer(section.text)}
        severity = levels.pop() if len(levels) == 1 else ""
        severity = "null" if severity == "none" else severity
        return Extraction([found, severity if severity in SEVERITIES else ""], section.span(*named[-1].span()))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare class and severity.

        Raises:
            DataError: when the target is not [class, severity] of known names.
        """
        if not isinstance(target, (list, tuple)) or len(target) != 2:
            raise DataError(f"target {target!r} is not [class, severity]", remedy="correct the card's fields.answer")
        kind, severity = (str("null" if part is None else part).strip().lower() for part in target)
        if kind not in CLASSES or severity not in SEVERITIES:
            raise DataError(
                f"target {target!r}: unknown class or severity",
                remedy=f"classes: {', '.join(CLASSES)}; severities: {', '.join(SEVERITIES)}",
            )
        right = value[0] == CLASSES[kind]
        exact = right and value[1] == severity
        return Match(0.25 * right + 0.75 * exact, exact, {"class": float(right), "severity": float(exact)})


def _value(found: re.Match[str]) -> str:
    return next((group for group in found.groups() if group is not None), "").strip(" \t\n.").lower().replace("_", " ")
