"""The findings of a diagnosis as tables: one per analysis, with a row (or several) for each model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from mmeval.reports.sheets import (
    NOTHING,
    Entry,
    Sheet,
    change,
    p_value,
    plain_number,
    rate,
    rate_of,
    whole,
    words,
)
from mmeval.runs.labels import ERROR_KINDS

Told: TypeAlias = Sequence[tuple[str, Mapping[str, Any]]]
"""Who (a model, or a candidate against its baseline) and the numbers of one finding, several findings of one analysis."""
TITLES = {
    "no-answer": "Answers that could not be read",
    "perception": "Perceived, and answered",
    "error-types": "Kinds of error",
    "ablation": "Without the picture, or with less of it",
    "masking": "By share of the picture that is masked",
    "shortcut": "Right without a sufficient description",
    "text-solvable": "Items that the text alone answers",
    "shuffled": "With another item’s picture",
    "regions": "Hidden regions",
    "crops": "Crops",
    "captions": "Captions instead of the picture",
    "describers": "Answers from descriptions of others",
    "hints": "Hints",
    "formats": "The same question in other forms",
    "versions": "Versions of the same problem",
    "repeats": "Several answers per item",
    "texts": "Length and second thoughts",
    "dependency": "Tokens that depend on the picture",
    "answers": "Answers: what changed",
    "perception-change": "Perception: what changed",
    "split": "The difference, split",
    "transitions": "What became of each item",
    "error-changes": "Kinds of error: what changed",
}
"""Headings, in the order of the page."""
_OF_CELLS = ("Seen, right", "Seen, wrong", "Not seen, right", "Not seen, wrong")


def sheets_of(analysis: str, told: Told) -> Iterator[Sheet]:
    """The tables of one analysis; names are unique within the analysis."""
    writers: dict[str, Callable[[Told], Iterator[Sheet]]] = {
        "no-answer": _no_answer, "perception": _perception, "error-types": _error_types, "ablation": _ablation, "masking": _masking,
        "shortcut": _shortcut, "text-solvable": _text_solvable, "repeats": _repeats, "texts": _texts, "dependency": _dependency,
        "answers": _answers, "perception-change": _answers, "split": _split, "transitions": _transitions, "error-changes": _error_changes,
        "versions": _versions,
    }  # fmt: skip
    yield from writers.get(analysis, _contrasts)(told)


def _sheet(name: str, caption: str, head: str, rows: Sequence[Sequence[Entry]], labels: int = 1) -> Sheet:
    return Sheet(name, caption, tuple(head.split(" | ")), tuple(tuple(row) for row in rows), labels)


def _no_answer(told: Told) -> Iterator[Sheet]:
    rows = [
        [
            words(who),
            whole(one["n"]),
            whole(one["no_answer"]),
            words(", ".join(f"{k} {v}" for k, v in one["reasons"].items()) or "–"),
        ]
        for who, one in told
    ]
    yield _sheet("no-answer", "Answers without a readable answer", "Model | Answers | No answer | Reasons", rows)


def _perception(told: Told) -> Iterator[Sheet]:
    rows, tables, more = [], [], []
    for who, one in told:
        place = [words(who), words(one["source"])]
        rates = [rate_of(one[name]) for name in ("p", "r", "l", "lucky", "failures_without_perception")]
        rows.append([*place, *rates, whole(one["unknown"])])
        if fixed := one.get("corrected"):
            label = words(f"{one['source']}, corrected by {fixed['labels']} labels")
            rows.append(
                [place[0], label, *(rate_of(fixed[name]) for name in ("p", "r", "l")), NOTHING, NOTHING, NOTHING]
            )
        tables.append([*place, *(whole(count) for count in one["counts"].values())])
        if reader := one.get("for_the_reader"):
            limits = (rate_of(reader), rate(reader["floor"]), rate(reader["ceiling"]))
            more.append([*place, *limits, whole(reader["n"])])
    yield _sheet(
        "rates", "p: perceived; r: right where perceived; l: right where not; lucky: share of right answers without perception; %",
        "Model | Source | p | r | l | Lucky | Failures without perception | Unknown", rows, 2,
    )  # fmt: skip
    yield _sheet("counts", "Perception by answer, items", " | ".join(("Model", "Source", *_OF_CELLS)), tables, 2)
    agreed = [(who, one, one["agreement"]) for who, one in told if one.get("agreement")]
    if agreed:
        people = [
            [
                words(who),
                words(", ".join(each["raters"])),
                rate(each["raw"]),
                plain_number(each["ac1"], 2, each["ci"]),
                whole(each["n"]),
            ]
            for who, _, each in agreed
        ]
        yield _sheet("people", "Agreement of people", "Model | People | Agreement, % | AC1 | Answers", people, 2)
    if more:
        head = "Model | Source | Described well enough | Floor: question alone | Ceiling: exact caption | Items"
        yield _sheet("reader", "Descriptions between floor and ceiling of their reader, %", head, more, 2)


def _error_types(told: Told) -> Iterator[Sheet]:
    kinds = [kind for kind in ERROR_KINDS if any(kind in one["shares"] or kind in _fixed(one) for _, one in told)]
    rows = []
    for who, one in told:
        shares = [rate_of(one["shares"].get(kind)) for kind in kinds]
        state = "people" if one["source"] == "human" else "as judged" if one["corrected"] else "uncalibrated"
        rows.append([words(who), words(one["source"]), words(state), *shares, rate_of(one["lucky"]), whole(one["failures"]), whole(one["unlabelled_failures"])])  # fmt: skip
        if one["corrected"]:
            state = f"corrected by {one['corrected']['labels']} labels" + (" (few)" if one["corrected"]["few"] else "")
            shares = [rate_of(_fixed(one).get(kind)) for kind in kinds]
            rows.append([words(who), words(one["source"]), words(state), *shares, NOTHING, NOTHING, NOTHING])
    head = " | ".join(
        [
            "Model",
            "Source",
            "Shares",
            *(kind.replace("_", " ") for kind in kinds),
            "Right with a wrong step",
            "Failures",
            "Not labelled",
        ]
    )
    yield _sheet("kinds", "First wrong step of the failures, % of labelled failures", head, rows, 3)


def _fixed(one: Mapping[str, Any]) -> Mapping[str, Any]:
    shares: Mapping[str, Any] = one["corrected"]["shares"] if one["corrected"] else {}
    return shares


def _ablation(told: Told) -> Iterator[Sheet]:
    floors = any(one.get("floor") for _, one in told)
    rows = []
    for who, one in told:
        floor = one.get("floor")
        equal = [NOTHING if floor is None else rate(floor["chance"]), NOTHING if floor is None else p_value(floor["p"])]
        rows.append(
            [
                words(who), words(one["condition"]), rate(one["standard"]), rate(one["ablated"]), change(one["delta"], one["ci"]), p_value(one["p"]),
                _mde(one), rate_of(one["prior_share"]), whole(one["n"]), rate(one["chance"]), *(equal if floors else []),
            ]
        )  # fmt: skip
    head = "Model | Condition | With the picture | Without | Gain of the picture | p | MDE | Right with it that is right without | Items | Chance"
    head += " | Best blind guess | p equivalent to it (TOST)" if floors else ""
    yield _sheet("ablation", "Accuracy with the picture and without, %; gain and MDE in points", head, rows, 2)


def _masking(told: Told) -> Iterator[Sheet]:
    doses = sorted({step["p"] for _, one in told for step in one["steps"]})
    rows = []
    for who, one in told:
        steps = {step["p"]: step for step in one["steps"]}
        cells = [rate(steps[dose]["accuracy"], steps[dose]["ci"]) if dose in steps else NOTHING for dose in doses]
        rows.append(
            [words(who), *cells, change(one["slope"], one["ci"]), p_value(one["p_value"]), _mde(one), whole(one["n"])]
        )
    head = " | ".join(["Model", *(f"{100 * dose:g} % masked" for dose in doses), "Slope", "p", "MDE", "Items"])
    yield _sheet("masking", "Accuracy by share of masked patches, %; slope in points per whole picture", head, rows)


def _shortcut(told: Told) -> Iterator[Sheet]:
    rows = [
        [words(who), rate_of(one["lsr"]), rate_of(one["of_right"]), whole(one["n"]), whole(one["not_applicable"])]
        for who, one in told
    ]
    head = "Model | Of all items (language shortcut rate) | Of right answers | Items | Not applicable"
    yield _sheet("shortcut", "Right although the own description does not suffice, %", head, rows)


def _text_solvable(told: Told) -> Iterator[Sheet]:
    rows = [
        [
            words(who),
            whole(one["n"]),
            whole(one["right_blind"]),
            rate_of(one["accuracy_of_the_rest"]),
            rate(one["chance"]),
        ]
        for who, one in told
    ]
    head = "Model | Items | Right without the picture | Accuracy on the others | Chance"
    yield _sheet("text-solvable", "Items right without the picture, and accuracy on the others in %", head, rows)


def _contrasts(told: Told) -> Iterator[Sheet]:
    rows = [
        [
            words(who), words(f"{each['second']} over {each['first']}"), rate(each["means"][each["first"]]), rate(each["means"][each["second"]]),
            change(each["delta"], each["ci"]), p_value(each["p"]), whole(each["n"]), _mde(each),
        ]
        for who, one in told
        for each in one["contrasts"]
    ]  # fmt: skip
    head = "Model | Contrast | First | Second | Difference | p | Items | MDE"
    yield _sheet("contrasts", "Accuracy in %, differences and MDE in points; the second is named first", head, rows, 2)


def _versions(told: Told) -> Iterator[Sheet]:
    rows = [
        [
            words(who), words(f"{step['first']} to {step['second']}"), rate(one["accuracy"][step["first"]]), rate(one["accuracy"][step["second"]]),
            change(step["delta"], step["ci"]), p_value(step["p"]), whole(step["n"]), _mde(step),
        ]
        for who, one in told
        for step in one["steps"]
    ]  # fmt: skip
    head = "Model | Step | Before | After | Difference | p | Problems | MDE"
    yield _sheet("versions", "Accuracy by version in %, steps within problems in points", head, rows, 2)


def _repeats(told: Told) -> Iterator[Sheet]:
    rows = [
        [
            words(who), whole(one["k"]), rate_of(one["avg"]), rate_of(one["zero_variance"]), whole(one["always_right"]),
            whole(one["never_right"]), plain_number(one["semantic_entropy"]["mean"]), whole(one["n"]),
        ]
        for who, one in told
    ]  # fmt: skip
    head = "Model | Answers per item | Average | All right or all wrong | Always right | Never right | Semantic entropy, nat | Items"
    yield _sheet("repeats", "Agreement of the answers to one item; shares in %", head, rows)
    ladder = sorted({point["k"] for _, one in told for curve in one["curves"].values() for point in curve})
    curves = []
    for who, one in told:
        for name, curve in one["curves"].items():
            points = {point["k"]: point for point in curve}
            curves.append([words(who), words(f"{name}@k"), *(rate_of(points.get(k)) for k in ladder)])
    head = " | ".join(["Model", "Curve", *(f"k = {k}" for k in ladder)])
    yield _sheet("curves", "pass@k: any of k answers is right; maj@k: the most frequent of k is; %", head, curves, 2)


def _texts(told: Told) -> Iterator[Sheet]:
    rows = [
        [
            words(who), *(plain_number(one["length"][name], 0) for name in ("all", "right", "wrong")), words(f"{one['length']['unit']}s"),
            *(rate_of(one[name]) for name in ("truncated", "reflection", "right_if_reflecting", "right_otherwise")), whole(one["n"]),
        ]
        for who, one in told
    ]  # fmt: skip
    head = "Model | Mean length | Right | Wrong | Unit | Cut off | With second thoughts | Right of those | Right of the others | Answers"
    yield _sheet("texts", "Length of the answers; shares in %", head, rows)


def _dependency(told: Told) -> Iterator[Sheet]:
    rows = []
    tokens = []
    for who, one in told:
        apart = one["right_minus_wrong"]
        rows.append(
            [
                words(who), words(one["condition"]), plain_number(one["k3"]["mean"], 3, one["k3"]["ci"]), plain_number(one["right"]),
                plain_number(one["wrong"]), NOTHING if apart is None else plain_number(apart["estimate"], 3, apart["ci"]),
                NOTHING if apart is None else p_value(apart["p"]), plain_number(one["log_ratio"]), plain_number(one["kl"]), rate(one["top_share"]),
                whole(one["n"]),
            ]
        )  # fmt: skip
        tokens += [
            [
                words(who),
                words(one["condition"]),
                words(repr(each["token"])),
                plain_number(each["k3"]),
                whole(each["n"]),
            ]
            for each in one["tokens"][:10]
        ]
    head = "Model | Condition | k3 per token | Right answers | Wrong answers | Right less wrong | p | Log-ratio | KL | Part of the top fifth, % | Answers"
    yield _sheet("dependency", "Token visual dependency", head, rows, 2)
    if tokens:
        yield _sheet("tokens", "Tokens that depend most", "Model | Condition | Token | k3 | Times", tokens, 3)


def _answers(told: Told) -> Iterator[Sheet]:
    rows = []
    for who, one in told:
        table = one["table"]
        flips = [NOTHING, NOTHING] if table is None else [whole(table[1]), whole(table[2])]
        rows.append(
            [
                words(who), words(one.get("condition", one.get("source"))), rate(one["base"]), rate(one["candidate"]),
                change(one["delta"], one["ci"]), p_value(one["p"]), p_value(one["p_holm"]), p_value(one["p_exact"]), *flips, _mde(one), whole(one["n"]),
            ]
        )  # fmt: skip
    name = "Source" if any("source" in one for _, one in told) else "Condition"
    head = f"Models | {name} | Baseline | Candidate | Difference | p | p Holm | p exact | Lost | Gained | MDE | Items"
    yield _sheet(
        "change",
        "Shares in %, difference and MDE in points; p exact: McNemar's exact test, which takes items as independent",
        head,
        rows,
        2,
    )


def _split(told: Told) -> Iterator[Sheet]:
    names = ("perception", "reasoning", "luck", "delta")
    rows = [
        [words(who), words(one["source"]), *(change(one["terms"][name]["estimate"], one["terms"][name]["ci"]) for name in names), whole(one["n"])]
        for who, one in told
    ]  # fmt: skip
    yield _sheet(
        "split", "perception + reasoning + luck = difference in accuracy, points",
        "Models | Source | Perception | Reasoning | Luck | Difference | Items", rows, 2,
    )  # fmt: skip


_SYMMETRY = {
    "bowker": "Bowker's test",
    "stuart-maxwell": "Stuart–Maxwell test",
    "bowker-swaps": "Bowker's statistic, clusters swapped",
}


def _transitions(told: Told) -> Iterator[Sheet]:
    rows, tests = [], []
    named = list(dict.fromkeys(test["test"] for _, one in told for test in one["tests"]))
    for who, one in told:
        for cell, counts in zip(_OF_CELLS, one["table"], strict=True):
            rows.append([words(who), words(one["source"]), words(cell), *(whole(count) for count in counts)])
        mended = [
            whole(one[f"{kind}_failures{end}"]) for kind in ("perception", "reasoning") for end in ("", "_mended")
        ]
        # Swaps of whole clusters stand in for Bowker's test where clusters repeat.
        known = {test["test"]: test["p"] for test in one["tests"]}
        tests.append([words(who), words(one["source"]), *mended, *(p_value(known.get(name)) for name in named)])
    after = [f"After: {cell.lower()}" for cell in _OF_CELLS]
    yield _sheet(
        "transitions", "Items by what they were before (rows) and after (columns)",
        " | ".join(("Models", "Source", "Before", *after)), rows, 3,
    )  # fmt: skip
    head = "Models | Source | Failures without perception | of them right now | Failures with perception | of them right now"
    head += "".join(f" | p, {_SYMMETRY[name]}" for name in named)
    yield _sheet("mended", "Failures of the baseline that the candidate answers rightly", head, tests, 2)


def _error_changes(told: Told) -> Iterator[Sheet]:
    rows = []
    for who, one in told:
        for row in one["changes"]:
            counts = [whole(row[name]) for name in ("before", "after", "gone", "new")]
            tests = [p_value(row["p"]), p_value(row["p_holm"])]
            mended = [whole(row["mended"]), rate(row["mended_of_errors"]), rate(row["mended_of_kind"])]
            rows.append(
                [words(who), words(one["source"]), words(row["kind"].replace("_", " ")), *counts, *tests, *mended]
            )
    head = "Models | Source | Kind | Before | After | Gone | New | p | p Holm | Right now | of all errors, % | of its kind, %"
    yield _sheet("kinds-change", "Errors of each kind before and after", head, rows, 3)
    for number, (who, one) in enumerate(told, 1):
        kinds = [kind.replace("_", " ") for kind in one["kinds"]]
        table = [
            [words(kind), *(whole(count) for count in counts)] for kind, counts in zip(kinds, one["table"], strict=True)
        ]
        caption = f"{who}, by {one['source']}: before (rows) and after (columns)"
        yield _sheet(f"kinds-table-{number}", caption, " | ".join(["Before", *kinds]), table)


def _mde(one: Mapping[str, Any]) -> Entry:
    return NOTHING if one["mde"] is None else rate(one["mde"])
