"""LipNet's published transcripts of GRID: the error rates are those of jiwer on all checkpoints."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import jiwer
import pytest

from mmeval.core.types import AnswerContext
from mmeval.metrics import estimate
from mmeval.verifiers.registry import get_verifier
from tests.conformance.support import expectations, table_row


@pytest.mark.realdata
def test_error_rates_of_all_checkpoints(published: Callable[[str], Path]) -> None:
    folder = published("grid_lipnet")
    expected = expectations(folder)
    assert len(expected) == 25
    verifier = get_verifier("transcript")
    for name, entry in expected.items():
        with (folder / name).open(encoding="utf-8", newline="") as handle:
            pairs = [(row["Truth"], row["Decoded"]) for row in csv.DictReader(handle)]
        rows = [
            table_row(verifier, str(place), decoded, truth, AnswerContext())
            for place, (truth, decoded) in enumerate(pairs)
        ]
        truths, decoded = [truth for truth, _ in pairs], [text for _, text in pairs]
        assert estimate("wer", rows).value == pytest.approx(entry["recomputed"]["WER"], abs=1e-12), name
        assert estimate("cer", rows).value == pytest.approx(entry["recomputed"]["CER"], abs=1e-12), name
        assert estimate("wer", rows).value == pytest.approx(jiwer.wer(truths, decoded), abs=1e-12)
        assert estimate("cer", rows).value == pytest.approx(jiwer.cer(truths, decoded), abs=1e-12)
        assert estimate("word-accuracy", rows).value == pytest.approx(1 - jiwer.wer(truths, decoded), abs=1e-12)
