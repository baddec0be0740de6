"""A heat map of where something is used or looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import merged_options
from mmeval.verifiers.heatmaps import (
    HeatMap,
    divergence,
    read_map,
    resized,
    scanpath_saliency,
    similarity,
)
from mmeval.verifiers.mask_answers import find_codes, json_values, stated_part
from mmeval.verifiers.masks import MaskError
from mmeval.verifiers.object_prompts import object_prompts

_KEYS = ("heatmap", "heat_map", "saliency", "map")


class HeatMapVerifier:
    """The target is a heat map as `heatmaps.read_map` reads it; the answer is compared at the gold map's size.

    Read are {"heatmap": rows of numbers, or a PNG as base64}, a run-length code, or else points and boxes, which are drawn under a
    Gaussian of `sigma` times the longer side of the image: an object with points by its points, another by its filled box. The
    value of the latter is {"points", "boxes"} in pixels.

    Scores: `sim` (primary), `kld` (lower is better), `nss`. A row without an answer is a flat map.
    """

    name = "heatmap"
    version = "2"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the map, or the points and boxes.

        Raises:
            DataError: when the coordinate space needs an image size that the sample lacks, or `sigma` is missing.
        """
        options = merged_options(self._options, context.options)
        made = stated_part(text, options)
        if isinstance(made, Extraction):
            return made
        content, start = made
        reason = ""
        for value, begin, end in reversed(list(json_values(content))):
            stated = _stated(value)
            if stated is None:
                continue
            try:
                read_map(stated, context.image_size, None)
            except MaskError as error:
                reason = str(error)
                continue
            return Extraction(stated, (start + begin, start + end))
        if reason:
            return Extraction(reason=reason)
        objects = object_prompts(text, context)
        points = [list(point) for entry in objects for point in entry.points]
        boxes = [list(entry.box) for entry in objects if entry.box is not None and not entry.points]
        if not objects:
            return Extraction(reason="not found")
        if context.image_size is None:
            return Extraction(reason="points need the size of the image")
        found = {"points": points, "boxes": boxes}
        try:
            read_map(found, context.image_size, _sigma(options))
        except MaskError:
            return Extraction(reason="outside the image")
        return Extraction(found, (start, start + len(content)))

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Compare the maps.

        Raises:
            DataError: when the target is no heat map, or `sigma` is missing.
        """
        options = merged_options(self._options, context.options)
        gold = _gold(target, context, options)
        size = (gold.shape[1], gold.shape[0])
        map_ = resized(read_map(value, context.image_size, _sigma(options)), size)
        scores = _scores(map_, gold)
        return Match(scores["sim"], None, scores)

    def unanswered(self, target: Any, context: AnswerContext) -> Mapping[str, float]:
        """The scores of a flat map."""
        import numpy as np

        gold = _gold(target, context, merged_options(self._options, context.options))
        return _scores(np.ones_like(gold), gold)


def _scores(map_: HeatMap, gold: HeatMap) -> dict[str, float]:
    return {"sim": similarity(map_, gold), "kld": divergence(map_, gold), "nss": scanpath_saliency(map_, gold)}


def _gold(target: Any, context: AnswerContext, options: Mapping[str, Any]) -> HeatMap:
    try:
        return read_map(target, context.image_size, _sigma(options))
    except MaskError as error:
        raise DataError(f"gold heat map: {error}", remedy="correct the row's heat map") from error


def _sigma(options: Mapping[str, Any]) -> float:
    value = options.get("sigma")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise DataError(
            f"answer option sigma: {value!r} is not in (0, 1]",
            remedy="declare the width of the Gaussian as a share of the longer side of the image",
        )
    return float(value)


def _stated(value: Any) -> Any:
    """Return the map that a JSON value states as a map, None where it states none."""
    if isinstance(value, Mapping):
        fields = {str(key).strip().lower(): entry for key, entry in value.items()}
        for key in _KEYS:
            if key in fields:
                entry = fields[key]
                return {"png": entry} if isinstance(entry, str) else entry
        if "png" in fields:
            return {"png": fields["png"]}
    codes = list(find_codes(value))
    return dict(codes[0]) if len(codes) == 1 else None
