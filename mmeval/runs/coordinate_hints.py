"""A hint where boxes or points are well formed and nearly all lie elsewhere: probably another space of coordinates.

It changes no score: the space of a model is declared (its profile, `--coordinates` of an import, `frame` of a card) and never
fitted to the gold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import orjson

from mmeval.core.arrow import code_cells, mask_array
from mmeval.core.errors import DataError
from mmeval.core.labelled_boxes import read_gold_objects, read_predicted_objects
from mmeval.runs.folder import Run, column_batches
from mmeval.stats.detection_matching import overlaps
from mmeval.stats.intervals import FloatArray

if TYPE_CHECKING:
    import pyarrow as pa

BOX_VERIFIERS = frozenset({"box", "boxes", "detections", "v-triune", "refcoco"})
POINT_VERIFIERS = frozenset({"point", "screenspot"})
FEWEST = 20
"""Rows with boxes or points from which on there is a hint."""
NEAR = 0.1
"""IoU from which on a box is somewhere near a gold box, whatever its class."""
FAR_SHARE = 0.95
"""Share of rows without a box near a gold box, or without a hit, that gives the hint."""
_PART = ["model", "task", "protocol", "condition"]
_COLUMNS = [*_PART, "outcome", "verifier", "extracted", "target"]


def coordinate_hints(run: Run) -> list[str]:
    """Return a sentence for each model, task and condition whose boxes or points nearly all lie elsewhere; a guess has no space."""
    guessers = {model.name for model in run.manifest.models if model.engine == "chance"}
    seen: dict[tuple[str, ...], _Seen] = {}
    path = run.path / "results.parquet"
    # Most runs have no such row, and their answers need not be read.
    if not any(_of_places(batch["verifier"]).any() for batch in column_batches(path, ["verifier"], run.model)):
        return []
    for batch in column_batches(path, _COLUMNS, run.model):
        chosen = _rows(batch["outcome"], lambda outcome: outcome == "scored") & _of_places(batch["verifier"])
        if not chosen.any():
            continue
        for cells in zip(*(batch[name].filter(mask_array(chosen)).to_pylist() for name in _COLUMNS), strict=True):
            row = dict(zip(_COLUMNS, cells, strict=True))
            if row["extracted"] is None or row["target"] is None or row["model"] in guessers:
                continue
            part = seen.setdefault(tuple(row[name] for name in _PART), _Seen(str(row["verifier"]).partition("/")[0]))
            part.add(_json(row["extracted"]), _json(row["target"]))
    found = []
    for (model, task, protocol, condition), part in seen.items():
        if text := part.hint():
            where = f" ({condition})" if condition != "standard" else ""
            name = task if protocol == "default" else f"{task}@{protocol}"
            found.append(f"hint: {name}, {model}{where}: {text}")
    return found


def _of_places(verifiers: pa.Array) -> npt.NDArray[np.bool_]:
    names = BOX_VERIFIERS | POINT_VERIFIERS
    return _rows(verifiers, lambda verifier: str(verifier).partition("/")[0] in names)


def _rows(column: pa.Array, wanted: Callable[[str | None], bool]) -> npt.NDArray[np.bool_]:
    """Which cells of a column of few different texts are wanted."""
    encoded = column.dictionary_encode()
    kept = np.array([*map(wanted, encoded.dictionary.to_pylist()), wanted(None)], dtype=bool)
    found: npt.NDArray[np.bool_] = kept[code_cells(encoded.indices, kept.size - 1)]
    return found


class _Seen:
    """What the rows of one model and task say.

    Args:
        verifier: of the first of them; it says whether the answers are boxes or points.
    """

    def __init__(self, verifier: str) -> None:
        self.boxes = verifier in BOX_VERIFIERS
        self.rows = 0
        self.far = 0
        self.noun = "boxes"
        self.reach = np.zeros(2)
        """Largest x and y of the answers, in pixels as converted."""
        self.gold_reach = np.zeros(2)

    def add(self, extracted: Any, target: Any) -> None:
        """Count a row that has boxes, or a point, on both sides; others say nothing."""
        golds = _gold_boxes(target)
        corners = _answered(extracted) if self.boxes else _point(extracted)
        if golds is None or corners is None or not len(golds) or not len(corners):
            return
        self.rows += 1
        self.noun = "boxes" if self.boxes else "points"
        if self.boxes:
            self.far += bool(overlaps(corners, golds).max() < NEAR)
        else:
            x, y = corners[0, 0], corners[0, 1]
            inside = (golds[:, 0] <= x) & (x <= golds[:, 2]) & (golds[:, 1] <= y) & (y <= golds[:, 3])
            self.far += not bool(inside.any())
        self.reach = np.maximum(self.reach, corners[:, 2:].max(axis=0))
        self.gold_reach = np.maximum(self.gold_reach, golds[:, 2:].max(axis=0))

    def hint(self) -> str:
        """Return the sentence, empty where there is nothing to say."""
        if self.rows < FEWEST or self.far < FAR_SHARE * self.rows:
            return ""
        missed = f"overlap no gold box (IoU < {NEAR:g})" if self.noun == "boxes" else "lie in no gold box"
        reach, gold = (f"({x:.4g}, {y:.4g})" for x, y in (self.reach, self.gold_reach))
        return (
            f"the {self.noun} of {self.far} of {self.rows} rows are well formed and {missed}; they reach to {reach}, the gold boxes to"
            f" {gold}. Probably the model answers in another space of coordinates than is declared (docs/profiles.md)"
        )


def _answered(value: Any) -> FloatArray | None:
    """Return the boxes of an extracted answer, shape (N, 4); None where it is no boxes."""
    if isinstance(value, list) and len(value) == 4 and all(isinstance(entry, (int, float)) for entry in value):
        value = [value]
    try:
        return _array(one.box for one in read_predicted_objects(value))
    except DataError:
        return None


def _point(value: Any) -> FloatArray | None:
    """Return a point as a box without extent, shape (1, 4)."""
    if isinstance(value, list) and len(value) == 2 and all(isinstance(entry, (int, float)) for entry in value):
        return np.array([[*value, *value]], dtype=np.float64)
    return None


def _gold_boxes(target: Any) -> FloatArray | None:
    if (isinstance(target, Mapping) and set(target) == {"box"}) or (
        isinstance(target, list) and len(target) == 4 and all(isinstance(entry, (int, float)) for entry in target)
    ):
        target = [target]
    try:
        return _array(one.box for one in read_gold_objects(target).objects if not one.crowd)
    except DataError:
        return None


def _array(boxes: Iterable[Sequence[float]]) -> FloatArray:
    return np.array(list(boxes), dtype=np.float64).reshape(-1, 4)


def _json(cell: Any) -> Any:
    try:
        return orjson.loads(cell)
    except (orjson.JSONDecodeError, TypeError):
        return None
