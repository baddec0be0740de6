"""Labels of judges and people as a diagnosis uses them: perceived or not, kinds of error, and shares corrected for the judge's errors.

A judge that labels kinds of error is wrong in a third of the cases (MMErroR, arXiv:2601.03331): its shares are corrected by the labels of
people on a random part of the rows (prediction-powered inference per class), or called uncalibrated.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mmeval.analysis.diagnose_data import TaskItems, both
from mmeval.analysis.diagnose_findings import DiagnoseOptions, Finding, limits_json, percent, share_json
from mmeval.core.errors import ComparisonError
from mmeval.runs.labels import ERROR_KINDS, HUMAN, kind_of
from mmeval.stats.agreement import gwet_ac
from mmeval.stats.categorical import bowker, clustered_symmetry, stuart_maxwell
from mmeval.stats.clustered import cluster_difference
from mmeval.stats.comparison import compare_paired
from mmeval.stats.debiasing import FEW_LABELS, JudgedSample, ppi_mean
from mmeval.stats.intervals import FloatArray, cluster_mean
from mmeval.stats.multiplicity import holm
from mmeval.stats.paired import PairedTable, mcnemar_exact, mcnemar_mid_p
from mmeval.stats.repeats import share

OK = "none"
"""Label of a response without a wrong step."""
LEAST_LABELS = 10
"""Labels of people below which nothing is corrected."""


def corrected_mean(judge: FloatArray, people: FloatArray, rows: Any, clusters: Sequence[str]) -> dict[str, Any] | None:
    """Return the mean over rows of what people would say, from a judge's labels of all and people's of some.

    Args:
        judge: 1, 0, NaN, shape (n,).
        people: the same by people; NaN where nobody labelled.
        rows: positions that count.
        clusters: of all n items.

    Returns:
        estimate, ci, method, labels of people; None below `LEAST_LABELS` of them.
    """
    known = [row for row in rows if not math.isnan(judge[row])]
    labelled = [row for row in known if not math.isnan(people[row])]
    others = [row for row in known if math.isnan(people[row])]
    if len(labelled) < LEAST_LABELS:
        return None
    sample = JudgedSample(
        people[labelled],
        judge[labelled],
        judge[others],
        [clusters[row] for row in labelled],
        [clusters[row] for row in others],
    )
    found = ppi_mean(sample)
    if found.estimate is None:
        return None
    return {
        "estimate": min(max(found.estimate, 0.0), 1.0), "error": found.standard_error, "method": found.method, "labels": len(labelled),
        "ci": None if found.interval is None else limits_json(found.interval.clip(0.0, 1.0)), "note": found.note,
    }  # fmt: skip


def corrected_rates(task: TaskItems, judge: FloatArray) -> dict[str, Any] | None:
    """Return p, r, l and the share of failures without perception, a judge's labels corrected by those of people.

    Perception is corrected among right and among wrong answers apart, because a judge errs differently on them; then p = q1 a +
    q0 (1 - a), r = q1 a / p, l = (1 - q1) a / (1 - p) with a the accuracy. Intervals by the delta method, cut to [0, 1].
    """
    people, right = task.labels, task.right["standard"]
    if people is None:
        return None
    counted = both(right, judge)
    groups = {value: counted[right[counted] == value] for value in (1.0, 0.0)}
    parts = {value: corrected_mean(judge, people, rows.tolist(), task.clusters) for value, rows in groups.items()}
    if parts[1.0] is None or parts[0.0] is None or not counted.size:
        return None
    spread = cluster_mean(right[counted], [task.clusters[row] for row in counted.tolist()])
    accuracy = float(spread.mean or 0.0)
    point = np.array([parts[1.0]["estimate"], parts[0.0]["estimate"], accuracy])
    errors = np.array(
        [
            parts[1.0]["error"] or 0.0,
            parts[0.0]["error"] or 0.0,
            spread.standard_error or math.sqrt(accuracy * (1 - accuracy) / counted.size),
        ]
    )
    formulas: dict[str, Callable[[Any], float]] = {
        "p": lambda v: v[0] * v[2] + v[1] * (1 - v[2]),
        "r": lambda v: v[0] * v[2] / max(v[0] * v[2] + v[1] * (1 - v[2]), 1e-12),
        "l": lambda v: (1 - v[0]) * v[2] / max(1 - v[0] * v[2] - v[1] * (1 - v[2]), 1e-12),
        "failures_without_perception": lambda v: 1 - v[1],
    }
    found: dict[str, Any] = {name: _delta(formula, point, errors) for name, formula in formulas.items()}
    found["labels"] = parts[1.0]["labels"] + parts[0.0]["labels"]
    found["note"] = "; ".join(
        dict.fromkeys(part["note"] for part in parts.values() if part is not None and part["note"])
    )
    return found


def _delta(formula: Callable[[Any], float], point: FloatArray, errors: FloatArray) -> dict[str, Any]:
    step = 1e-5
    slopes = np.array(
        [(formula(point + step * axis) - formula(point - step * axis)) / (2 * step) for axis in np.eye(point.size)]
    )
    value = formula(point)
    width = 1.959963984540054 * math.sqrt(float(((slopes * errors) ** 2).sum()))
    return {"estimate": min(max(value, 0.0), 1.0), "ci": [max(value - width, 0.0), min(value + width, 1.0)]}


def described(task: TaskItems) -> dict[str, Any] | None:
    """Return the share of items that the model describes well enough, with the reader's own errors taken out.

    (s - f) / (c - f): s right from the own description, f right from the question alone (blind), c right from the exact caption, by the
    same reader; a description is taken to be as good as the exact caption or as none. Interval by the delta method over clusters.
    """
    names = ("two-hop", "blind", "caption-exact")
    if any(name not in task.right for name in names):
        return None
    rows = both(*(task.right[name] for name in names))
    if rows.size < 2:
        return None
    values = np.stack([task.right[name][rows] for name in names], axis=1)
    own, floor, ceiling = values.mean(axis=0)
    if ceiling - floor <= 1e-9:
        return None
    estimate = (own - floor) / (ceiling - floor)
    # The influence of each item on the ratio; summed by cluster, because items of one cluster are dependent.
    influence = (values[:, 0] - values[:, 1] - estimate * (values[:, 2] - values[:, 1])) / (ceiling - floor)
    labels = [task.clusters[row] for row in rows.tolist()]
    found = cluster_difference(np.zeros(influence.size), influence + estimate, labels)
    ci = None if found.interval is None else [max(found.interval.low, 0.0), min(found.interval.high, 1.0)]
    return {
        "estimate": float(min(max(estimate, 0.0), 1.0)),
        "ci": ci,
        "n": int(rows.size),
        "floor": float(floor),
        "ceiling": float(ceiling),
    }


def raters_agree(task: TaskItems) -> dict[str, Any] | None:
    """Return Gwet's AC1 of several people on the answers that two or more labelled, with raw agreement; None where none did."""
    ratings = [
        [said or None for said in row] for row in zip(*task.raters.values(), strict=True) if sum(map(bool, row)) > 1
    ]
    if len(ratings) < 2:
        return None
    rows = [place for place, row in enumerate(zip(*task.raters.values(), strict=True)) if sum(map(bool, row)) > 1]
    clusters = [task.clusters[place] for place in rows]
    found = gwet_ac(ratings, clusters=clusters)
    return {
        "raters": list(task.raters), "n": len(ratings), "raw": found.observed, "ac1": found.estimate,
        "ci": limits_json(found.interval),
    }  # fmt: skip


def agreement_text(agreement: Mapping[str, Any]) -> str:
    """How far people agree, in words."""
    ac1, ci = agreement["ac1"], agreement["ci"]
    said = "unknown" if ac1 is None else f"{ac1:.2f}" + ("" if ci is None else f" [{ci[0]:.2f}, {ci[1]:.2f}]")
    return f"; {len(agreement['raters'])} people agree on {100 * agreement['raw']:.1f} % of {agreement['n']} answers, AC1 {said}"


def error_types(task: TaskItems) -> Iterator[Finding]:
    """Shares of the kinds of error among wrong answers and of lucky ones among right answers, for each source of labels."""
    task = task.answers
    right = task.right["standard"]
    people = task.errors.get(HUMAN)
    for source, labels in task.errors.items():
        kinds = [kind_of(label) for label in labels]
        labelled = np.array([bool(kind) for kind in kinds])
        wrong, good = (np.flatnonzero((right == value) & labelled) for value in (0.0, 1.0))
        if not wrong.size:
            continue
        shares = {
            kind: _share_of(kinds, wrong, task.clusters, kind)
            for kind in ERROR_KINDS
            if any(kinds[row] == kind for row in wrong)
        }
        lucky = share(
            [float(kinds[row] not in (OK, "label_suspect")) for row in good], [task.clusters[row] for row in good]
        )
        corrected = None if source == HUMAN or people is None else _corrected_shares(task, kinds, people, wrong)
        numbers: dict[str, Any] = {
            "source": source, "failures": int(wrong.size), "shares": {kind: share_json(value) for kind, value in shares.items()},
            "subkinds": dict(Counter(labels[row] for row in wrong if "/" in labels[row]).most_common()), "lucky": share_json(lucky),
            "unlabelled_failures": int((right == 0).sum()) - int(wrong.size), "corrected": corrected,
            "calibrated": source == HUMAN or corrected is not None, "agreement": raters_agree(task) if source == HUMAN else None,
        }  # fmt: skip
        listed = ", ".join(f"{kind} {percent(value)}" for kind, value in shares.items())
        says = f"by {source}: of {wrong.size} failures {listed}"
        if good.size:
            says += f"; {percent(lucky)} of {good.size} right answers have a wrong step"
        if numbers["agreement"]:
            says += agreement_text(numbers["agreement"])
        if corrected is not None:
            fixed = ", ".join(f"{kind} {100 * value['estimate']:.1f} %" for kind, value in corrected["shares"].items())
            says += f"; corrected by {corrected['labels']} labels of people: {fixed}"
        yield Finding("error-types", task.record.name, numbers, says, _limits(source, corrected is not None))


def _share_of(kinds: Sequence[str], rows: Any, clusters: Sequence[str], kind: str) -> Any:
    return share([float(kinds[row] == kind) for row in rows], [clusters[row] for row in rows])


def _corrected_shares(
    task: TaskItems, kinds: Sequence[str], people: Sequence[str], wrong: Any
) -> dict[str, Any] | None:
    told = [kind_of(label) for label in people]
    shares = {}
    labels = 0
    for kind in ERROR_KINDS:
        judge = np.array([float(one == kind) if one else math.nan for one in kinds])
        human = np.array([float(one == kind) if one else math.nan for one in told])
        if not (judge[wrong] == 1).any() and not (human[wrong] == 1).any():
            continue
        found = corrected_mean(judge, human, wrong.tolist(), task.clusters)
        if found is None:
            return None
        labels = found["labels"]
        shares[kind] = {name: found[name] for name in ("estimate", "ci", "method", "note")}
    rows = [row for row in wrong.tolist() if told[row]]
    table = Counter((kinds[row], told[row]) for row in rows)
    confusion = [{"judge": first, "people": second, "n": count} for (first, second), count in sorted(table.items())]
    return {"shares": shares, "labels": labels, "confusion": confusion, "few": labels < FEW_LABELS}


def _limits(source: str, corrected: bool) -> str:
    if source == HUMAN:
        return "labels of people: how they were drawn and how far two people agree decides what they are worth"
    if corrected:
        return "the correction holds where people labelled a random part of these very rows"
    return (
        "uncalibrated: a judge's kinds of error are wrong in a third of the cases; label a random part by hand "
        "(mmeval judge label RUN --human FILE) and the shares are corrected"
    )


def error_changes(base: TaskItems, candidate: TaskItems, options: DiagnoseOptions) -> Iterator[Finding]:
    """What became of every kind of error: the full table of kinds before and after, McNemar per kind, fixes as PAPO counts them."""
    for source, before in base.errors.items():
        after = candidate.errors.get(source)
        if after is None:
            continue
        first, second = (_outcomes(task, labels) for task, labels in ((base, before), (candidate, after)))
        rows = [row for row in range(len(first)) if first[row] and second[row]]
        if not rows:
            continue
        clusters = [base.clusters[row] for row in rows]
        yield _change(base.record.name, source, [(first[row], second[row]) for row in rows], clusters)


def _outcomes(task: TaskItems, labels: Sequence[str]) -> list[str]:
    """`right` for a right answer, the kind of error of a wrong one, empty where it is not known."""
    found = []
    for value, label in zip(task.right["standard"], labels, strict=True):
        if value == 1:
            found.append("right")
        else:
            found.append(kind_of(label) if value == 0 else "")
    return found


def _change(task: str, source: str, pairs: Sequence[tuple[str, str]], clusters: Sequence[str]) -> Finding:
    kinds = ["right", *sorted({kind for pair in pairs for kind in pair} - {"right"}, key=_place)]
    table = np.zeros((len(kinds), len(kinds)), dtype=np.int64)
    for first, second in pairs:
        table[kinds.index(first), kinds.index(second)] += 1
    errors = len(pairs) - int(table[0].sum())
    rows: list[dict[str, Any]] = []
    p_values: list[float] = []
    for place, kind in enumerate(kinds[1:], 1):
        lost, gained = int(table[place].sum() - table[place, place]), int(table[:, place].sum() - table[place, place])
        counts = PairedTable(
            int(table[place, place]), lost, gained, len(pairs) - int(table[place, place]) - lost - gained
        )
        total, fixed = int(table[place].sum()), int(table[place, 0])
        sides = [[float(pair[side] == kind) for pair in pairs] for side in (0, 1)]
        tested = compare_paired(sides[0], sides[1], clusters).difference
        p_values.append(1.0 if tested.p_value is None else tested.p_value)
        rows.append(
            {
                "kind": kind, "before": total, "after": int(table[:, place].sum()), "gone": lost, "new": gained,
                "p": p_values[-1], "test": tested.method, "p_exact": mcnemar_exact(counts).p_value,
                "p_mid": mcnemar_mid_p(counts).p_value, "mended": fixed,
                "mended_of_errors": fixed / errors if errors else None, "mended_of_kind": fixed / total if total else None,
            }
        )  # fmt: skip
    for row, value in zip(rows, holm(p_values).tolist() if p_values else [], strict=True):
        row["p_holm"] = float(value)
    numbers: dict[str, Any] = {
        "source": source, "n": len(pairs), "kinds": kinds, "table": table.tolist(), "changes": rows,
        "tests": symmetry(table, [kinds.index(first) for first, _ in pairs], [kinds.index(second) for _, second in pairs], clusters) if len(kinds) > 1 else [],
        "errors": errors,
    }  # fmt: skip
    listed = "; ".join(_told(row) for row in rows)
    return Finding(
        "error-changes", task, numbers, f"by {source}: {listed}",
        "what was mended leaves out what broke: the table has both; labels of one judge on two models may err differently on each",
    )  # fmt: skip


def symmetry(table: Any, before: Any, after: Any, clusters: Sequence[str]) -> list[dict[str, Any]]:
    """Tests of whether moves between outcomes go as often one way as the other; by swaps of whole clusters where those repeat."""
    if len(set(clusters)) < len(clusters):
        tests = [clustered_symmetry(before, after, clusters)]
    else:
        tests = [bowker(table), stuart_maxwell(table)]
    return [{"test": test.method, "p": test.p_value} for test in tests]


def _told(row: Mapping[str, Any]) -> str:
    text = f"{row['kind']} {row['before']} to {row['after']} ({row['gone']} gone, {row['new']} new, p = {row['p']:.2g}, Holm {row['p_holm']:.2g})"
    if row["mended"]:
        text += f", {row['mended']} right now = {100 * row['mended_of_errors']:.1f} points of all errors, {100 * row['mended_of_kind']:.1f} % of its own"
    return text


def _place(kind: str) -> tuple[int, str]:
    return (ERROR_KINDS.index(kind) if kind in ERROR_KINDS else len(ERROR_KINDS), kind)


def same_cards(base: TaskItems, candidate: TaskItems) -> None:
    """Refuse to compare labels that two different judges or two versions of a card gave.

    Raises:
        ComparisonError: naming the source.
    """
    for source, identity in base.judges.items():
        other = candidate.judges.get(source)
        if other is not None and other != identity:
            raise ComparisonError(
                f"task {base.record.name}: the two runs were labelled by different judges or versions of {source} ({identity}; {other})",
                remedy="label both runs with the same judge and card",
            )
