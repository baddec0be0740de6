"""Verifiers by name: those of this package, and those that installed packages add (`mmeval.verifiers`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mmeval.core.errors import UsageError, unknown
from mmeval.verifiers.base import Verifier
from mmeval.verifiers.blink import BlinkVerifier, LeadingLetterVerifier
from mmeval.verifiers.box import BoxVerifier
from mmeval.verifiers.box3d import Box3DVerifier, Caption3DVerifier
from mmeval.verifiers.boxes import BoxesVerifier
from mmeval.verifiers.checklist import ChecklistVerifier
from mmeval.verifiers.choice import ChoiceVerifier
from mmeval.verifiers.class_names import ClassNameVerifier, LabelSetVerifier
from mmeval.verifiers.counting import FirstIntegerVerifier, ReasonMapPlusRulesVerifier, ReasonMapPlusVerifier
from mmeval.verifiers.counts import CountVerifier
from mmeval.verifiers.degradation import DegradationVerifier
from mmeval.verifiers.dependency import DependencyVerifier
from mmeval.verifiers.detections import DetectionsVerifier, VTriuneVerifier
from mmeval.verifiers.dynamath import DynaMathVerifier
from mmeval.verifiers.emma import EMMAVerifier
from mmeval.verifiers.expression import ExpressionVerifier
from mmeval.verifiers.gui.place import ScreenPlaceVerifier
from mmeval.verifiers.gui.screen_qa import ScreenQAVerifier
from mmeval.verifiers.gui.step import StepVerifier
from mmeval.verifiers.gui.web import WebStepVerifier
from mmeval.verifiers.heatmap import HeatMapVerifier
from mmeval.verifiers.lists import ListVerifier
from mmeval.verifiers.logicvista import LogicVistaRulesVerifier, LogicVistaVerifier
from mmeval.verifiers.mask import MaskVerifier
from mmeval.verifiers.mathvision import MathVisionVerifier
from mmeval.verifiers.mathvista import MathVistaOfficialVerifier, MathVistaRulesVerifier
from mmeval.verifiers.mixed import MixedVerifier
from mmeval.verifiers.mmlongbench import MMLongBenchVerifier
from mmeval.verifiers.mmlu_pro import MMLUProVerifier
from mmeval.verifiers.mmmu import MMMUProVerifier, MMMUVerifier
from mmeval.verifiers.mmstar import MMStarVerifier
from mmeval.verifiers.moment import MomentVerifier
from mmeval.verifiers.number import NumberVerifier
from mmeval.verifiers.ocrbench import OCRBenchV2Verifier
from mmeval.verifiers.point import PointVerifier
from mmeval.verifiers.points import PointsVerifier
from mmeval.verifiers.pope import PopeVerifier
from mmeval.verifiers.published_letters import PublishedLetterVerifier
from mmeval.verifiers.puzzlevqa import PuzzleVQAVerifier
from mmeval.verifiers.quality_pair import QualityPairVerifier
from mmeval.verifiers.ranking import ScalarPairVerifier
from mmeval.verifiers.rating import RatingVerifier
from mmeval.verifiers.reasonmap import ReasonMapVerifier
from mmeval.verifiers.refcoco import RefCOCOVerifier
from mmeval.verifiers.scene_answer import SceneAnswerVerifier
from mmeval.verifiers.scienceqa import ScienceQAVerifier
from mmeval.verifiers.screenspot import ScreenSpotVerifier
from mmeval.verifiers.sparbench import SPARBenchVerifier
from mmeval.verifiers.spatialladder import OmniSpatialVerifier, SpatialLadderVerifier
from mmeval.verifiers.squad import SquadVerifier
from mmeval.verifiers.steps import StepVerdictVerifier
from mmeval.verifiers.text import TextVerifier
from mmeval.verifiers.transcript import TranscriptVerifier
from mmeval.verifiers.verdict import PairVerdictVerifier
from mmeval.verifiers.vicrit import ViCritVerifier
from mmeval.verifiers.vlmevalkit import (
    VLMEvalKitChoiceVerifier,
    VLMEvalKitLogicVistaVerifier,
    VLMEvalKitMMMUProVerifier,
    VLMEvalKitMMMUVerifier,
    VLMEvalKitWeMathVerifier,
    VLMEvalKitYesNoVerifier,
)
from mmeval.verifiers.vlmevalkit_math import (
    VLMEvalKitMathVerseVerifier,
    VLMEvalKitMathVisionVerifier,
    VLMEvalKitMathVistaVerifier,
)
from mmeval.verifiers.vlmevalkit_spatial import VLMEvalKitSpatialVerifier
from mmeval.verifiers.vsibench import VSIBenchVerifier
from mmeval.verifiers.wemath import WeMathVerifier
from mmeval.verifiers.yes_no import YesNoVerifier

_BUILT_IN: Mapping[str, Callable[[Mapping[str, Any] | None], Verifier]] = {
    "blink": BlinkVerifier,
    "box": BoxVerifier,
    "box3d": Box3DVerifier,
    "caption3d": Caption3DVerifier,
    "boxes": BoxesVerifier,
    "checklist": ChecklistVerifier,
    "dependency": DependencyVerifier,
    "choice": ChoiceVerifier,
    "class-name": ClassNameVerifier,
    "label-set": LabelSetVerifier,
    "detections": DetectionsVerifier,
    "dynamath": DynaMathVerifier,
    "emma": EMMAVerifier,
    "expression": ExpressionVerifier,
    "gui-step": StepVerifier,
    "web-step": WebStepVerifier,
    "screen-place": ScreenPlaceVerifier,
    "screen-qa": ScreenQAVerifier,
    "list": ListVerifier,
    "count": CountVerifier,
    "first-integer": FirstIntegerVerifier,
    "leading-letter": LeadingLetterVerifier,
    "logicvista": LogicVistaVerifier,
    "logicvista-rules": LogicVistaRulesVerifier,
    "heatmap": HeatMapVerifier,
    "mask": MaskVerifier,
    "mathvision": MathVisionVerifier,
    "mathvista": MathVistaOfficialVerifier,
    "mathvista-rules": MathVistaRulesVerifier,
    "mixed": MixedVerifier,
    "mmlu-pro": MMLUProVerifier,
    "mmmu": MMMUVerifier,
    "mmmu-pro": MMMUProVerifier,
    "mmstar": MMStarVerifier,
    "moment": MomentVerifier,
    "number": NumberVerifier,
    "ocrbench-v2": OCRBenchV2Verifier,
    "point": PointVerifier,
    "points": PointsVerifier,
    "published-letter": PublishedLetterVerifier,
    "puzzlevqa": PuzzleVQAVerifier,
    "pope": PopeVerifier,
    "rating": RatingVerifier,
    "quality-pair": QualityPairVerifier,
    "refcoco": RefCOCOVerifier,
    "scene-answer": SceneAnswerVerifier,
    "scienceqa": ScienceQAVerifier,
    "screenspot": ScreenSpotVerifier,
    "reasonmap": ReasonMapVerifier,
    "reasonmap-plus": ReasonMapPlusVerifier,
    "reasonmap-plus-rules": ReasonMapPlusRulesVerifier,
    "omnispatial": OmniSpatialVerifier,
    "spar-bench": SPARBenchVerifier,
    "spatialladder": SpatialLadderVerifier,
    "squad": SquadVerifier,
    "mmlongbench": MMLongBenchVerifier,
    "text": TextVerifier,
    "vicrit": ViCritVerifier,
    "pair-verdict": PairVerdictVerifier,
    "step-verdicts": StepVerdictVerifier,
    "scalar-pair": ScalarPairVerifier,
    "transcript": TranscriptVerifier,
    "degradation": DegradationVerifier,
    "vlmevalkit-choice": VLMEvalKitChoiceVerifier,
    "vlmevalkit-logicvista": VLMEvalKitLogicVistaVerifier,
    "vlmevalkit-mathverse": VLMEvalKitMathVerseVerifier,
    "vlmevalkit-mathvision": VLMEvalKitMathVisionVerifier,
    "vlmevalkit-mathvista": VLMEvalKitMathVistaVerifier,
    "vlmevalkit-mmmu": VLMEvalKitMMMUVerifier,
    "vlmevalkit-mmmu-pro": VLMEvalKitMMMUProVerifier,
    "vlmevalkit-spatial": VLMEvalKitSpatialVerifier,
    "vlmevalkit-wemath": VLMEvalKitWeMathVerifier,
    "vlmevalkit-yes-no": VLMEvalKitYesNoVerifier,
    "wemath": WeMathVerifier,
    "v-triune": VTriuneVerifier,
    "vsi-bench": VSIBenchVerifier,
    "yes-no": YesNoVerifier,
}
ENTRY_POINT_GROUP = "mmeval.verifiers"


def get_verifier(name: str, options: Mapping[str, Any] | None = None) -> Verifier:
    """Return the verifier `name` with a card's answer options ("yes_no" is "yes-no").

    Raises:
        UsageError: when there is no such verifier, or a package's verifier cannot be loaded.
    """
    wanted = name.replace("_", "-")
    if wanted in _BUILT_IN:
        return _BUILT_IN[wanted](options)
    installed = _installed()
    if name not in installed:
        raise unknown("verifier", name, list_verifiers())
    try:
        built: Verifier = installed[name].load()(options)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"verifier {name!r} cannot be loaded: {error}", remedy="reinstall the package that provides it"
        ) from error
    return built


def list_verifiers() -> list[str]:
    """Return all names, sorted."""
    return sorted({*_BUILT_IN, *_installed()})


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
