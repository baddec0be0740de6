"""The formats that `mmeval import` reads, by name. Readers are imported only when they are used."""

from __future__ import annotations

from mmeval.core.errors import unknown
from mmeval.runs.importers.jsonl import KEYS
from mmeval.runs.importers.predictions import Format, Reader

_ANSWER_ROLES = {
    "id": "the sample's id",
    "response": "the model's text",
    "verdict": "the file's own verdict",
}


def _jsonl() -> Reader:
    from mmeval.runs.importers.jsonl import read

    return read


def _mathvista() -> Reader:
    from mmeval.runs.importers.mathvista import read

    return read


def _mathvision() -> Reader:
    from mmeval.runs.importers.mathvision import read

    return read


def _mmmu() -> Reader:
    from mmeval.runs.importers.mmmu import read

    return read


def _megabench() -> Reader:
    from mmeval.runs.importers.megabench import read

    return read


def _mmvet() -> Reader:
    from mmeval.runs.importers.mmvet import read

    return read


def _dynamath() -> Reader:
    from mmeval.runs.importers.dynamath import read

    return read


def _screenspot_pro() -> Reader:
    from mmeval.runs.importers.screenspot_pro import read

    return read


def _vlmevalkit() -> Reader:
    from mmeval.runs.importers.vlmevalkit import read

    return read


def _lmms_eval() -> Reader:
    from mmeval.runs.importers.lmms_eval import read

    return read


def _inspect() -> Reader:
    from mmeval.runs.importers.inspect_log import read

    return read


def _coco() -> Reader:
    from mmeval.runs.importers.coco import read

    return read


def _masks() -> Reader:
    from mmeval.runs.importers.masks import read

    return read


FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format(
            "jsonl",
            "one object per line: id and response, or a ready score (also JSON, CSV, TSV, parquet)",
            _jsonl,
            dict.fromkeys(sorted(KEYS), "as in docs/import.md"),
            ad_hoc=True,
        ),
        Format("mathvista", "output_*.json of MathVista's scripts", _mathvista),
        Format(
            "mathvision", "outputs/*.jsonl of MATH-Vision's scripts (id, response, model_answer, correct)", _mathvision
        ),
        Format("mmmu", "MMMU's <Subject>/output.json or total_val_output.json; MMMU-Pro's output/*.jsonl", _mmmu),
        Format(
            "megabench",
            "task_results.json of MEGA-Bench's scripts, with all_task_meta.json as another PATH",
            _megabench,
        ),
        Format("mmvet", "*-grade-*runs.json of MM-Vet's evaluator, with the answers as another PATH", _mmvet),
        Format(
            "screenspot-pro", "results of ScreenSpot-Pro's script: details with the point of each row", _screenspot_pro
        ),
        Format("dynamath", "*-result.csv of DynaMath: a verdict per question and variant", _dynamath),
        Format(
            "vlmevalkit",
            "prediction and result files of VLMEvalKit: xlsx, tsv, json",
            _vlmevalkit,
            {
                **_ANSWER_ROLES,
                "question": "the question",
                "choices": "a list of options, where they have no columns A, B, C …",
                "answer": "the gold answer",
                "extraction": "what its judge extracted",
                "log": "its judge's log",
            },
            ad_hoc=True,
        ),
        Format(
            "lmms-eval",
            "*_samples_*.jsonl of lmms-eval, with the results file beside it",
            _lmms_eval,
            {
                **_ANSWER_ROLES,
                "question": "the question, a key of doc",
                "choices": "the options, a key of doc",
                "answer": "the gold answer, a key of doc",
            },
            ad_hoc=True,
        ),
        Format(
            "inspect",
            ".eval (or .json) logs of Inspect",
            _inspect,
            {"verdict": "the scorer whose verdicts are the log's own"},
            ad_hoc=True,
        ),
        Format("masks", "masks by sample id: run-length codes, polygons (JSON lines, COCO results), pictures", _masks),
        Format(
            "coco",
            "COCO results (image_id, category_id, bbox, score), with the annotations as another PATH",
            _coco,
            ad_hoc=True,
        ),
    )
}


def get_format(name: str) -> Format:
    """Return a format by its name.

    Raises:
        UsageError: when there is none.
    """
    if name not in FORMATS:
        raise unknown("import format", name, FORMATS, listing="mmeval import --help")
    return FORMATS[name]
