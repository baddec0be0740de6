"""Verifiers by name: those of this package, and those that installed packages add (`mmeval.verifiers`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pkgutil import resolve_name
from typing import Any

from mmeval.core.errors import UsageError, unknown
from mmeval.verifiers.base import Verifier

# Modules are imported when a task first asks for them: their patterns take a third of a start otherwise.
_BUILT_IN: Mapping[str, str] = {
    "blink": "blink:BlinkVerifier",
    "box": "box:BoxVerifier",
    "box3d": "box3d:Box3DVerifier",
    "boxes": "boxes:BoxesVerifier",
    "caption3d": "box3d:Caption3DVerifier",
    "checklist": "checklist:ChecklistVerifier",
    "choice": "choice:ChoiceVerifier",
    "class-name": "class_names:ClassNameVerifier",
    "count": "counts:CountVerifier",
    "degradation": "degradation:DegradationVerifier",
    "dependency": "dependency:DependencyVerifier",
    "detections": "detections:DetectionsVerifier",
    "dynamath": "dynamath:DynaMathVerifier",
    "emma": "emma:EMMAVerifier",
    "expression": "expression:ExpressionVerifier",
    "first-integer": "counting:FirstIntegerVerifier",
    "gui-step": "gui.step:StepVerifier",
    "heatmap": "heatmap:HeatMapVerifier",
    "label-set": "class_names:LabelSetVerifier",
    "leading-letter": "blink:LeadingLetterVerifier",
    "list": "lists:ListVerifier",
    "logicvista": "logicvista:LogicVistaVerifier",
    "logicvista-rules": "logicvista:LogicVistaRulesVerifier",
    "mask": "mask:MaskVerifier",
    "mathvision": "mathvision:MathVisionVerifier",
    "mathvista": "mathvista:MathVistaOfficialVerifier",
    "mathvista-rules": "mathvista:MathVistaRulesVerifier",
    "mixed": "mixed:MixedVerifier",
    "mmlongbench": "mmlongbench:MMLongBenchVerifier",
    "mmlu-pro": "mmlu_pro:MMLUProVerifier",
    "mmmu": "mmmu:MMMUVerifier",
    "mmmu-pro": "mmmu:MMMUProVerifier",
    "mmstar": "mmstar:MMStarVerifier",
    "moment": "moment:MomentVerifier",
    "number": "number:NumberVerifier",
    "ocrbench-v2": "ocrbench:OCRBenchV2Verifier",
    "omnispatial": "spatialladder:OmniSpatialVerifier",
    "pair-verdict": "verdict:PairVerdictVerifier",
    "point": "point:PointVerifier",
    "points": "points:PointsVerifier",
    "pope": "pope:PopeVerifier",
    "published-letter": "published_letters:PublishedLetterVerifier",
    "puzzlevqa": "puzzlevqa:PuzzleVQAVerifier",
    "quality-pair": "quality_pair:QualityPairVerifier",
    "rating": "rating:RatingVerifier",
    "reasonmap": "reasonmap:ReasonMapVerifier",
    "reasonmap-plus": "counting:ReasonMapPlusVerifier",
    "reasonmap-plus-rules": "counting:ReasonMapPlusRulesVerifier",
    "refcoco": "refcoco:RefCOCOVerifier",
    "scalar-pair": "ranking:ScalarPairVerifier",
    "scene-answer": "scene_answer:SceneAnswerVerifier",
    "scienceqa": "scienceqa:ScienceQAVerifier",
    "screen-place": "gui.place:ScreenPlaceVerifier",
    "screen-qa": "gui.screen_qa:ScreenQAVerifier",
    "screenspot": "screenspot:ScreenSpotVerifier",
    "spar-bench": "sparbench:SPARBenchVerifier",
    "spatialladder": "spatialladder:SpatialLadderVerifier",
    "squad": "squad:SquadVerifier",
    "step-verdicts": "steps:StepVerdictVerifier",
    "text": "text:TextVerifier",
    "transcript": "transcript:TranscriptVerifier",
    "v-triune": "detections:VTriuneVerifier",
    "vicrit": "vicrit:ViCritVerifier",
    "vlmevalkit-choice": "vlmevalkit:VLMEvalKitChoiceVerifier",
    "vlmevalkit-logicvista": "vlmevalkit:VLMEvalKitLogicVistaVerifier",
    "vlmevalkit-mathverse": "vlmevalkit_math:VLMEvalKitMathVerseVerifier",
    "vlmevalkit-mathvision": "vlmevalkit_math:VLMEvalKitMathVisionVerifier",
    "vlmevalkit-mathvista": "vlmevalkit_math:VLMEvalKitMathVistaVerifier",
    "vlmevalkit-mmmu": "vlmevalkit:VLMEvalKitMMMUVerifier",
    "vlmevalkit-mmmu-pro": "vlmevalkit:VLMEvalKitMMMUProVerifier",
    "vlmevalkit-spatial": "vlmevalkit_spatial:VLMEvalKitSpatialVerifier",
    "vlmevalkit-wemath": "vlmevalkit:VLMEvalKitWeMathVerifier",
    "vlmevalkit-yes-no": "vlmevalkit:VLMEvalKitYesNoVerifier",
    "vsi-bench": "vsibench:VSIBenchVerifier",
    "web-step": "gui.web:WebStepVerifier",
    "wemath": "wemath:WeMathVerifier",
    "yes-no": "yes_no:YesNoVerifier",
}
ENTRY_POINT_GROUP = "mmeval.verifiers"


def get_verifier(name: str, options: Mapping[str, Any] | None = None) -> Verifier:
    """Return the verifier `name` with a card's answer options ("yes_no" is "yes-no").

    Raises:
        UsageError: when there is no such verifier, or a package's verifier cannot be loaded.
    """
    wanted = name.replace("_", "-")
    if wanted in _BUILT_IN:
        make: Callable[[Mapping[str, Any] | None], Verifier] = resolve_name(f"mmeval.verifiers.{_BUILT_IN[wanted]}")
        return make(options)
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
