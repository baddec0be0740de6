"""The process that compares expressions by math-verify: JSON lines in, JSON lines out.

Run as a file, so that it imports nothing of mmeval's: only the standard library, sympy and math-verify. Trees
(`formula_tree`) arrive as JSON lists and become sympy objects node by node; no text is parsed here. Sympy can need any
amount of time and memory: a timer of CPU time that this process does not catch ends it, and so does the memory limit.

Request: {"gold": tree, "answer": tree}; answer: {"equal": bool} or {"error": text}. First line out: {"ready": true}.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any


def main() -> None:
    """Answer until the input ends. Arguments: seconds of CPU time per comparison, MiB of address space."""
    seconds, memory = float(sys.argv[1]), int(sys.argv[2])
    logging.disable(logging.CRITICAL)
    compare = load()
    limit_memory(memory)
    _say({"ready": True})
    # Nobody reads warnings from here on; a full pipe would stop the process.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for line in sys.stdin:
        request = json.loads(line)
        # The default action of this signal ends the process, also inside C code.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        _say(answer(compare, request))
        signal.setitimer(signal.ITIMER_PROF, 0)


def load() -> Callable[[Any, Any], bool]:
    """Import math-verify and return its comparison, gold first."""
    from math_verify.grader import verify

    def compare(gold: Any, given: Any) -> bool:
        # The time limit is this process's own; math-verify's needs the main thread's signals and does not end C code.
        return bool(verify(gold, given, timeout_seconds=None, raise_on_error=True))

    return compare


def limit_memory(mebibytes: int) -> None:
    """Limit the address space, where the system can (not on macOS)."""
    import resource

    try:
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))
    except (ValueError, OSError):
        return


def answer(compare: Callable[[Any, Any], bool], request: dict[str, Any]) -> dict[str, Any]:
    """Compare the two trees of a request."""
    try:
        return {"equal": compare(build(request["gold"]), build(request["answer"]))}
    except MemoryError:
        return {"error": "ran out of memory"}
    except RecursionError:
        return {"error": "nested too deeply"}
    except Exception as error:  # sympy may fail in any way; the row is undecided then, and says so
        return {"error": f"failed: {type(error).__name__}"}


def build(tree: list[Any]) -> Any:
    """Return the sympy object of a tree.

    Raises:
        KeyError: for a node that is no part of an expression or relation.
    """
    import sympy

    kind = tree[0]
    if kind == "int":
        return sympy.Integer(int(tree[1]))
    if kind == "dec":
        from fractions import Fraction

        value = Fraction(tree[1])
        return sympy.Rational(value.numerator, value.denominator)
    if kind == "sym":
        return sympy.Symbol(tree[1], real=True)
    if kind == "const":
        return {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "oo": sympy.oo}[tree[1]]
    if kind == "rel":
        return _relation(tree)
    parts = [build(part) for part in tree[1:] if isinstance(part, list)]
    if kind == "fn":
        return _functions()[tree[1]](parts[0])
    return _operations()[kind](*parts)


def _relation(tree: list[Any]) -> Any:
    import sympy
    from latex2sympy2_extended.logic import And

    names = {"=": sympy.Eq, "<": sympy.StrictLessThan, ">": sympy.StrictGreaterThan}
    names |= {"<=": sympy.LessThan, ">=": sympy.GreaterThan}
    sides = [build(part) for part in tree[1::2]]
    links = [
        names[sign](left, right, evaluate=False)
        for left, sign, right in zip(sides, tree[2::2], sides[1:], strict=False)
    ]
    return links[0] if len(links) == 1 else And(*links)


def _operations() -> dict[str, Callable[..., Any]]:
    import sympy

    return {
        "add": lambda a, b: a + b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "pow": lambda a, b: sympy.Pow(a, b),
        "neg": lambda a: -a,
        "root": lambda n, a: sympy.Pow(a, 1 / n),
        "log": lambda base, a: sympy.log(a, base),
        "abs": sympy.Abs,
        "fact": sympy.factorial,
        "binom": sympy.binomial,
        "pct": lambda a: a / 100,
        "deg": lambda a: a * sympy.pi / 180,
        "unit": lambda a: a,
    }


def _functions() -> dict[str, Callable[..., Any]]:
    import sympy

    names = {name: getattr(sympy, name) for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh")}
    names |= {"arc" + name: getattr(sympy, "a" + name) for name in ("sin", "cos", "tan", "cot")}
    return {**names, "floor": sympy.floor, "ceil": sympy.ceiling}


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
