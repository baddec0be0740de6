"""Metrics by name."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Literal

from mmeval.core.errors import UsageError, unknown
from mmeval.metrics.captions import BLEU, CAPTION_METRICS, CaptionScore
from mmeval.metrics.collect import collect
from mmeval.metrics.correlations import ErrorRate, RatingAssociation, Vote
from mmeval.metrics.definition import Estimate, Form, Metric, Rows
from mmeval.metrics.detection import BoxPrecision, detection_metric
from mmeval.metrics.forms import AllRight, Macro, Robustness, Weighted, YesNo
from mmeval.metrics.masks import CaptionWhereFound, CumulativeOverlap, ScoreOfAll, WhereFound
from mmeval.metrics.selection import Answered, Best, Consistent, Majority, VoteAt
from mmeval.metrics.step_scores import StepF1
from mmeval.metrics.summary import summarise
from mmeval.metrics.wemath import PARTS, WeMath
from mmeval.stats.correlation_functionals import Measure
from mmeval.stats.logistic_mapping import Parameters

_MEASURES: tuple[tuple[str, Measure, Parameters | None], ...] = (
    ("plcc", "plcc", None),
    ("srcc", "srcc", None),
    ("krcc", "krcc", None),
    ("rmse", "rmse", None),
    ("plcc-logistic4", "plcc", 4),
    ("plcc-logistic5", "plcc", 5),
)
_ASSOCIATIONS: dict[str, RatingAssociation] = {
    f"{name}{suffix}": RatingAssociation(measure, mapping, answered)
    for name, measure, mapping in _MEASURES
    for suffix, answered in (("", False), (":answered", True))
}


def _association(name: str) -> Metric:
    form = _ASSOCIATIONS[name]
    if form.measure == "rmse":
        return Metric(name, "score", bounds=None, form=form, better="lower")
    return Metric(name, "score", bounds=(-1.0, 1.0), form=form)


def _error_rate(name: str, form: ErrorRate) -> Metric:
    return Metric(name, "score", bounds=None, form=form, better="lower")


def _caption(name: str) -> Metric:
    return Metric(name, "score", bounds=(0.0, 10.0 if name == "cider" else 1.0), form=CaptionScore(name))


_NAMED: dict[str, Callable[[], Metric]] = {
    "accuracy": lambda: Metric("accuracy", "correct"),
    "mean": lambda: Metric("mean", "score", bounds=None),
    "win-rate": lambda: Metric("win-rate", "score"),
    "mra": lambda: Metric("mra", "scores", key="mra"),
    "iou": lambda: Metric("iou", "scores", key="iou"),
    "f1": lambda: Metric("f1", "correct", form=YesNo("f1")),
    "precision": lambda: Metric("precision", "correct", form=YesNo("precision")),
    "recall": lambda: Metric("recall", "correct", form=YesNo("recall")),
    "yes_rate": lambda: Metric("yes_rate", "correct", form=YesNo("yes_rate")),
    **{name: partial(_association, name) for name in _ASSOCIATIONS},
    "wer": lambda: _error_rate("wer", ErrorRate("word_errors", "words")),
    "cer": lambda: _error_rate("cer", ErrorRate("character_errors", "characters")),
    "viseme-error-rate": lambda: _error_rate("viseme-error-rate", ErrorRate("viseme_errors", "visemes")),
    "word-accuracy": lambda: Metric(
        "word-accuracy", "score", bounds=None, form=ErrorRate("word_errors", "words", complement=True)
    ),
    **{name: partial(_caption, name) for name in CAPTION_METRICS},
    "giou": lambda: Metric("giou", "scores", key="iou"),
    "ciou": lambda: Metric("ciou", "scores", key="iou", form=CumulativeOverlap()),
    # With 1e-12 added to the map, no divergence is beyond log(1e12) = 27.6.
    "kld": lambda: Metric("kld", "score", bounds=(0.0, 28.0), form=ScoreOfAll("kld"), better="lower"),
    "sim": lambda: Metric("sim", "score", form=ScoreOfAll("sim")),
    "nss": lambda: Metric("nss", "score", bounds=None, form=ScoreOfAll("nss")),
    "p@50-95": lambda: Metric("p@50-95", "scores", key="p@50-95"),
    "answered-f1": lambda: Metric("answered-f1", "score", bounds=None, form=ErrorRate("f1_matched", "f1_total")),
    "vote": lambda: Metric("vote", "correct", form=Vote(), version="2"),
    "vote:answered": lambda: Metric("vote:answered", "correct", form=Vote(answered=True), version="2"),
    "step-f1": lambda: Metric("step-f1", "score", form=StepF1()),
    "step-f1-correct": lambda: Metric("step-f1-correct", "score", form=StepF1(("correct",))),
    "step-f1-incorrect": lambda: Metric("step-f1-incorrect", "score", form=StepF1(("incorrect",))),
    "majority": lambda: Metric("majority", "correct", form=Majority(), version="2"),
    "accuracy:answered": lambda: Metric("accuracy:answered", "correct", form=Answered()),
}
_FORMS: dict[str, str] = {
    "iou@T": "share with IoU >= T",
    "p@NN": "share with IoU > NN / 100",
    "found@T:SCORE": "mean of a named score that counts 0 where IoU < T; a caption metric in which such captions are empty",
    "ap": "COCO's average precision; ap50, ap75, ap_small, ap_medium, ap_large, ap@N with at most N boxes, nms-ap (OVDEval)",
    "ar@N": "COCO's average recall with at most N boxes; ar (100), ar_small, ar_medium, ar_large",
    "f1@T": "F1 of boxes matched one to one at IoU >= T; precision@T, recall@T",
    "mean:SCORE": "mean of a named score",
    "mean:SCORE:answered": "the same over rows that have an answer",
    "pass@K": "unbiased, from repeats",
    "vote@K": "more than half of K repeats right, over all subsets of K",
    "majority@K": "the most frequent of K answers is right, over all subsets of K",
    "best:SCORE": "the answer with the highest score of all repeats; best@K:SCORE of K of them",
    "consistent:COLUMN": "share of groups all of whose rows have an answer and the same score",
    "macro:COLUMN:step-f1": "mean over the labels of a column of the mean F1 of right and wrong steps",
    "macro:COLUMN": "mean over the labels of a column; COLUMN/COLUMN nests, :METRIC takes another metric than the score",
    "all:COLUMN": "share of groups whose rows are all right",
    "robustness:COLUMN": "all:COLUMN over the mean accuracy of the same groups",
    "looked:SCORE": "mean of a score of the way to an answer (turns, box_iou, ndcg), with the rows that have no answer",
    "weighted:SCORE:WEIGHT": "sum(weight * score) / sum(weight)",
    "wemath:PART:CRITERION": "We-Math's score, or share IK, IG, CM, RM of it; strict or loose",
}
_IOU_AT = re.compile(r"iou@(0?\.[0-9]+|1(?:\.0)?)")
_ABOVE = re.compile(r"p@([1-9][0-9])")
_FOUND = re.compile(r"found@(0?\.[0-9]+|1(?:\.0)?):(\S+)")
_PASS_AT = re.compile(r"pass@([1-9][0-9]{0,3})")
_MEAN_OF = re.compile(r"mean:(\S+)")
_REPEATS = re.compile(r"(vote|majority)@([1-9][0-9]{0,3})")
_BEST = re.compile(r"best(?:@([1-9][0-9]{0,3}))?:([^\s:]+)")
_LOOKED = re.compile(r"looked:(\S+)")
_WEMATH = re.compile(rf"wemath:(?:({'|'.join(PARTS)}):)?(strict|loose)")
_COLUMN = re.compile(r"[^\s:/][^:/]*")


def way_weight(score: str) -> str:
    """The score that says which rows have a score of the way to an answer: those with a gold box, with gold pages, or all."""
    if score.startswith("box_"):
        return "with_box"
    if score in ("ndcg", "mrr", "pages_seen") or score.startswith(("recall@", "ndcg@")):
        return "with_pages"
    return "conversation"


def get_metric(name: str) -> Metric:
    """Return the metric `name`.

    `accuracy` (share of right answers), `mean` (mean primary score), `mean:SCORE` (mean of a named score), `mra`
    (Mean Relative Accuracy), `iou` (mean IoU), `iou@T` (share with IoU >= T), `pass@K` (unbiased, from repeats), `f1`,
    `precision`, `recall` and `yes_rate` of the answer yes, `plcc`, `srcc`, `krcc`, `rmse`, `plcc-logistic4`, `plcc-logistic5` of
    ratings, `wer`, `cer`, `viseme-error-rate`, `word-accuracy` of transcripts, `cider`, `bleu-1` … `bleu-4`, `rouge-l`, `meteor-stem` of captions, `vote`, `majority`, `best:SCORE` over repeats, `consistent:COLUMN`, `accuracy:answered`, and the forms `macro:`, `all:`, `robustness:`, `weighted:` and
    `wemath:` (docs/cards.md).

    Raises:
        UsageError: when there is no such metric.
    """
    found = _parsed(name)
    if found is None:
        raise unknown("metric", name, list_metrics())
    if isinstance(found, UsageError):
        raise found
    return found


@lru_cache(maxsize=512)
def _parsed(name: str) -> Metric | UsageError | None:
    if name in _NAMED:
        return _NAMED[name]()
    if (found := _IOU_AT.fullmatch(name)) and float(found.group(1)) > 0:
        return Metric(name, "scores", key="iou", threshold=float(found.group(1)))
    if found := _ABOVE.fullmatch(name):
        # Strictly above: the threshold itself does not count.
        return Metric(name, "scores", key="iou", threshold=math.nextafter(int(found.group(1)) / 100, 1.0))
    if (found := _FOUND.fullmatch(name)) and float(found.group(1)) > 0:
        if found.group(2) in CAPTION_METRICS:
            return replace(
                _caption(found.group(2)), name=name, form=CaptionWhereFound(found.group(2), float(found.group(1)))
            )
        return Metric(name, "scores", key=found.group(2), bounds=None, form=WhereFound(float(found.group(1))))
    if found := _PASS_AT.fullmatch(name):
        return Metric(name, "correct", k=int(found.group(1)))
    if found := _MEAN_OF.fullmatch(name):
        key, answered = found.group(1).removesuffix(":answered"), found.group(1).endswith(":answered")
        return Metric(name, "scores", key=key, bounds=None, form=Answered() if answered else None)
    if found := _REPEATS.fullmatch(name):
        k = int(found.group(2))
        return Metric(name, "correct", form=VoteAt(k) if found.group(1) == "vote" else Majority(k))
    if found := _BEST.fullmatch(name):
        return Metric(
            name, "correct", form=Best(found.group(2), int(found.group(1)) if found.group(1) else None), version="2"
        )
    if found := _LOOKED.fullmatch(name):
        score = found.group(1)
        better: Literal["higher", "lower"] = "lower" if score in ("turns", "tool_errors") else "higher"
        return Metric(name, "score", bounds=None, form=ErrorRate(score, way_weight(score)), better=better)
    if found := _WEMATH.fullmatch(name):
        part = next(one for one in PARTS if one == (found.group(1) or "score"))
        form = WeMath(part, found.group(2) == "strict")
        return Metric(name, "correct", form=form, better="higher" if part in ("score", "CM") else "lower")
    if (found_boxes := detection_metric(name)) is not None:
        return found_boxes
    prefix, _, rest = name.partition(":")
    builders: dict[str, Callable[[str, str], Metric | UsageError | None]] = {
        "macro": _macro, "all": _all_right, "robustness": _robustness, "weighted": _weighted, "consistent": _consistent,
    }  # fmt: skip
    return builders[prefix](name, rest) if prefix in builders and rest else None


def _macro(name: str, rest: str) -> Metric | UsageError | None:
    columns, _, inner = rest.partition(":")
    levels = tuple(columns.split("/"))
    if not _are_columns(levels):
        return None
    base: Metric | UsageError | None = Metric(name, "score") if not inner else _parsed(inner)
    if base is None or isinstance(base, UsageError):
        return base
    if isinstance(base.form, BoxPrecision) and len(levels) == 1:
        return replace(base, name=name, form=replace(base.form, by=levels[0]))
    if isinstance(base.form, StepF1) and len(levels) == 1:
        return replace(base, name=name, form=replace(base.form, column=levels[0]))
    if isinstance(base.form, CaptionScore) and base.form.measure in BLEU:
        return UsageError(
            f"metric {name!r}: {inner!r} is a number of the whole corpus and no mean over samples",
            remedy="take cider, rouge-l or meteor-stem",
        )
    if base.form is not None and not isinstance(
        base.form, (Weighted, YesNo, ErrorRate, Vote, CaptionScore, Answered, VoteAt, Majority, Best, CumulativeOverlap)
    ):
        return UsageError(
            f"metric {name!r}: {inner!r} is made of groups, which have no labels of {columns!r} of their own",
            remedy="take a metric of samples: accuracy, mean, mean:SCORE, mra, iou, iou@T, pass@K, f1, weighted:SCORE:WEIGHT",
        )
    return replace(base, name=name, form=Macro(levels, base))


def _all_right(name: str, rest: str) -> Metric | UsageError | None:
    return _of_groups(name, rest, AllRight)


def _robustness(name: str, rest: str) -> Metric | UsageError | None:
    return _of_groups(name, rest, Robustness)


def _consistent(name: str, rest: str) -> Metric | UsageError | None:
    return Metric(name, "score", form=Consistent(rest)) if _are_columns((rest,)) else None


def _of_groups(name: str, rest: str, form: Callable[[str], Form]) -> Metric | UsageError | None:
    column, _, inner = rest.partition(":")
    if not _are_columns((column,)):
        return None
    base = _parsed(inner or "accuracy")
    if base is None or isinstance(base, UsageError):
        return base
    if not base.binary or base.form is not None or base.k is not None:
        return UsageError(
            f"metric {name!r}: {inner!r} does not say right or wrong of a row", remedy="take accuracy or iou@T"
        )
    return replace(base, name=name, form=form(column))


def _weighted(name: str, rest: str) -> Metric | UsageError | None:
    score, _, weight = rest.partition(":")
    if not _are_columns((score, weight)):
        return None
    if score in ("accuracy", "mra", "iou"):
        return replace(_NAMED[score](), name=name, form=Weighted(weight))
    if score == "score":
        return Metric(name, "score", bounds=None, form=Weighted(weight))
    return Metric(name, "scores", key=score, bounds=None, form=Weighted(weight))


def _are_columns(names: Sequence[str]) -> bool:
    return all(_COLUMN.fullmatch(name) for name in names)


def row_metric(name: str) -> str:
    """Return the metric of single rows that a metric is built on: itself, where it is their mean.

    Raises:
        UsageError: for an unknown metric.
    """
    metric = get_metric(name)
    if metric.form is None:
        return name
    if metric.threshold is not None:
        return f"{metric.key}@{metric.threshold:g}"
    if metric.source == "scores":
        return metric.key if metric.key in _NAMED else f"mean:{metric.key}"
    return "accuracy" if metric.source == "correct" else "mean"


def list_metrics() -> list[str]:
    """Return the names and forms of all metrics."""
    return [*_NAMED, *_FORMS]


def estimate(metric: str, rows: Rows, level: float = 0.95) -> Estimate:
    """Return a metric over rows of the results table (of one model, task and condition).

    Args:
        metric: its name.
        rows: a sequence of rows, or a mapping of columns.
        level: confidence level of the interval.

    Raises:
        UsageError: for an unknown metric.
        DataError: when the rows lack what the metric needs.
    """
    chosen = get_metric(metric)
    return summarise(chosen, collect(chosen, rows), level)
