"""Caption metrics against pycocoevalcap and NLTK on drawn corpora, and the words that they count."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.stem.porter import PorterStemmer
from nltk.translate.meteor_score import meteor_score
from pycocoevalcap.bleu.bleu import Bleu as CocoBleu
from pycocoevalcap.cider.cider import Cider as CocoCider
from pycocoevalcap.rouge.rouge import Rouge as CocoRouge
from pycocoevalcap.tokenizer.ptbtokenizer import PUNCTUATIONS

from mmeval.core.errors import DataError, UsageError
from mmeval.metrics import estimate
from mmeval.metrics.caption_tokens import caption_words
from mmeval.metrics.captions import CAPTION_METRICS
from mmeval.metrics.porter import porter_stem
from mmeval.metrics.registry import get_metric
from mmeval.stats.bleu import Bleu
from mmeval.verifiers.vocabulary import words as vocabulary

_VOCABULARY = vocabulary(
    "the a brown chair chairs table tables near nearest window windows is standing stands stand left right of in front "
    "two three to sofa black wooden placed placing and next wall walls"
)
_STEMMER = PorterStemmer(mode=PorterStemmer.ORIGINAL_ALGORITHM)


class _NoSynonyms:
    """WordNet without a word in it."""

    def synsets(self, word: str) -> list[Any]:
        return []


def corpus(seed: int, size: int) -> tuple[list[str], list[list[str]]]:
    """Captions that share words with their references, some equal, some empty."""
    generator = random.Random(seed)
    captions, references = [], []
    for _ in range(size):
        base = generator.choices(_VOCABULARY, k=generator.randint(1, 12))
        golds = [
            " ".join(word if generator.random() < 0.8 else generator.choice(_VOCABULARY) for word in base)
            for _ in range(generator.randint(1, 4))
        ]
        draw = generator.random()
        said = "" if draw < 0.05 else golds[0] if draw < 0.15 else " ".join(
            word for word in base if generator.random() < 0.8
        )  # fmt: skip
        captions.append(said)
        references.append(golds)
    return captions, references


def rows(captions: list[str], references: list[list[str]], clusters: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "sample_id": str(number), "repeat": 0, "cluster": f"c{number % clusters}" if clusters else "",
            "outcome": "scored" if caption else "no_answer", "score": 0.0, "correct": False,
            "extracted": json.dumps(caption) if caption else None, "target": json.dumps(golds), "scores": {},
            "subsets": {"type": "What" if number % 2 else "Where"},
        }
        for number, (caption, golds) in enumerate(zip(captions, references, strict=True))
    ]  # fmt: skip


def coco(captions: list[str], references: list[list[str]]) -> dict[str, float]:
    said = {number: [caption] for number, caption in enumerate(captions)}
    gold = dict(enumerate(references))
    bleu, _ = CocoBleu(4).compute_score(gold, said, verbose=0)
    found = {f"bleu-{order}": value for order, value in enumerate(bleu, start=1)}
    found["cider"] = float(CocoCider().compute_score(gold, said)[0])
    found["rouge-l"] = float(CocoRouge().compute_score(gold, said)[0])
    meteors = [
        meteor_score([gold.split() for gold in golds], caption.split(), stemmer=_STEMMER, wordnet=_NoSynonyms())
        for caption, golds in zip(captions, references, strict=True)
    ]
    found["meteor-stem"] = float(np.mean(meteors))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_corpora_score_as_with_pycocoevalcap_and_nltk(seed: int) -> None:
    captions, references = corpus(seed, (2, 3, 10, 40)[seed % 4])
    wanted = coco(captions, references)
    for metric in CAPTION_METRICS:
        assert estimate(metric, rows(captions, references)).value == pytest.approx(wanted[metric], abs=1e-9), metric


def test_no_common_word_and_no_answer_at_all() -> None:
    captions, references = ["lamp"] * 5, [["brown chair"], ["two tables"], ["a sofa"], ["the wall"], ["left"]]
    wanted = coco(captions, references)
    for metric in CAPTION_METRICS:
        assert estimate(metric, rows(captions, references)).value == pytest.approx(wanted[metric], abs=1e-9)
        assert estimate(metric, rows([""] * 5, references)).value == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("metric", CAPTION_METRICS)
def test_intervals_are_over_clusters_and_hold_the_value(metric: str) -> None:
    captions, references = corpus(5, 60)
    found = estimate(metric, rows(captions, references, clusters=12))
    assert found.value is not None
    assert found.interval is not None
    assert found.interval.low < found.value < found.interval.high
    assert (found.n, found.clusters) == (60, 12)
    assert found.interval.method == ("cluster-bootstrap-bca-t" if metric.startswith("bleu") else "cr1-t")


def test_a_resample_of_bleu_is_bleu_of_the_resampled_corpus() -> None:
    captions, references = corpus(8, 30)
    from mmeval.metrics.caption_scores import bleu_counts

    counts = np.array([
        bleu_counts(tuple(caption.split()), tuple(tuple(gold.split()) for gold in golds))
        for caption, golds in zip(captions, references, strict=True)
    ])  # fmt: skip
    index = np.arange(30) % 6
    weights = np.random.default_rng(0).integers(0, 3, size=(8, 6))
    for order in (1, 2, 3, 4):
        values = Bleu(order, counts).over(index, 6)(weights.astype(np.float64))
        for weight, value in zip(weights, values.tolist(), strict=True):
            items = np.repeat(np.arange(30), weight[index]).tolist()
            drawn = coco([captions[item] for item in items], [references[item] for item in items])
            assert value == pytest.approx(drawn[f"bleu-{order}"], abs=1e-9)


def test_bleu_of_both_halves_is_bleu_of_all() -> None:
    functional = Bleu(4, np.array([[4, 3, 2, 1, 5, 4, 3, 2, 5, 6], [2, 1, 0, 0, 3, 2, 1, 0, 3, 3]], dtype=np.float64))
    halves = functional.select(np.array([0])).joined(functional.select(np.array([1])))
    assert halves.value() == functional.value()
    assert Bleu(4, np.empty((0, 10))).value() is None


def test_repeats_are_averaged_and_one_document_has_no_cider() -> None:
    captions, references = corpus(3, 10)
    once = rows(captions, references)
    twice = once + [{**row, "repeat": 1} for row in once]
    for metric in CAPTION_METRICS:
        assert estimate(metric, twice).value == pytest.approx(estimate(metric, once).value, abs=1e-12)
        assert estimate(metric, twice).n == 10
    assert estimate("cider", once[1:2]).value is None
    assert estimate("rouge-l", once[1:2]).value is not None


@pytest.mark.parametrize("metric", CAPTION_METRICS)
def test_nothing_to_count(metric: str) -> None:
    failed = [{**row, "outcome": "error", "extracted": None} for row in rows(["a chair"] * 3, [["a chair"]] * 3)]
    found = estimate(metric, failed)
    assert (found.value, found.n, found.coverage) == (None, 0, 0.0)


def test_rows_of_another_kind_are_refused() -> None:
    one = rows(["a chair"], [["a chair"]])[0]
    for broken in ({"extracted": json.dumps([1, 2])}, {"target": json.dumps({"a": 1})}, {"target": "[]"}):
        with pytest.raises(DataError, match="cider"):
            estimate("cider", [{**one, **broken}])
    assert estimate("rouge-l", [{**one, "extracted": "a chair", "target": "a chair"}]).value == 1.0


def test_macro_means_over_types_take_means_but_not_bleu() -> None:
    captions, references = corpus(4, 20)
    found = estimate("macro:type:rouge-l", rows(captions, references)).value
    halves = [coco(captions[start::2], references[start::2])["rouge-l"] for start in (0, 1)]
    assert found == pytest.approx(sum(halves) / 2, abs=1e-12)
    with pytest.raises(UsageError, match="whole corpus"):
        get_metric("macro:type:bleu-4")


TOKENISED = [
        # As Stanford's PTBTokenizer 3.4.1 with -lowerCase splits them, without the signs that pycocoevalcap drops.
        ("There's a two-story house (with a red roof), isn't it?", "there 's a two-story house -lrb- with a red roof -rrb- is n't it"),
        ("I cannot see the U.S. flag... it's 3,000.5 m away; he'll go -- can't he!", "i can not see the u.s. flag it 's 3,000.5 m away he 'll go ca n't he"),
        ("“curly” it’s and ‘so’ – dash — em", "curly it 's and so dash em"),
        ("and/or 1/2 5:30pm 10x8 e.g. this, Mr. Smith's dogs' bowl", "and/or 1/2 5:30 pm 10x8 e.g. this mr. smith 's dogs bowl"),
        ("50% of $3.50", "50 % of $ 3.50"),
        ("gonna wanna o'clock mother-in-law", "gon na wan na o'clock mother-in-law"),
        ("a*b a_b a=b +5 -5 1-2 [a]", "a * b a_b a = b +5 -5 1-2 -lsb- a -rsb-"),
        ("two windows, 3.", "two windows 3"),
        ("don't won't shan't ain't I'm you're we've they'd", "do n't wo n't sha n't ai n't i 'm you 're we 've they 'd"),
        ("1.5cm 12cm 3rd 4x4 12''", "1.5 cm 12cm 3rd 4x4 12"),
        ("The table is brown.There are chairs", "the table is brown.there are chairs"),
        ("3 ft. away, no. 5, St. John's.", "3 ft. away no. 5 st. john 's"),
        ("TV. No. \"its\" 6'2\"", "tv no its 6 2"),
        ("A. left", "a. left"),
        ("chair,table 2,300", "chair table 2,300"),
        ("椅子 café", "椅子 café"),
        ("... !", ""),
        ("", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), TOKENISED)
def test_words_are_those_of_the_penn_treebank(text: str, words: str) -> None:
    assert " ".join(caption_words(text)) == words


@pytest.mark.skipif(shutil.which("java") is None, reason="Stanford's tokenizer needs Java")
def test_words_are_those_of_the_java_tokenizer(tmp_path: Path) -> None:
    spec = find_spec("pycocoevalcap")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    (jar,) = Path(spec.submodule_search_locations[0]).glob("tokenizer/stanford-corenlp-*.jar")
    captions = [text for text, _ in TOKENISED if text.strip(" .!")]
    captions += [
        "a brown chair/desk, 4 legs: two black; two grey.",
        "The kids' room isn't \"big\"; it'll do.",
        "on top of it - a lamp",
        "room_0 at 12:30 pm",
    ]
    (tmp_path / "captions.txt").write_text("\n".join(captions) + "\n", encoding="utf-8")
    command = ["java", "-cp", str(jar), "edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase", str(tmp_path / "captions.txt")]  # fmt: skip
    lines = subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout.split("\n")
    for caption, line in zip(captions, lines, strict=False):
        assert caption_words(caption) == tuple(word for word in line.split(" ") if word and word not in PUNCTUATIONS)


@given(st.text(max_size=60))
@settings(max_examples=300)
def test_words_never_raise_and_hold_no_space(text: str) -> None:
    assert all(word and not any(character.isspace() for character in word) for word in caption_words(text))


@given(st.lists(st.sampled_from(_VOCABULARY), min_size=1, max_size=10))
def test_a_caption_that_is_its_reference_has_rouge_one(words: list[str]) -> None:
    text = " ".join(words)
    assert estimate("rouge-l", rows([text], [[text]])).value == pytest.approx(1.0)


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=12))
@settings(max_examples=500)
def test_stems_of_any_letters_are_those_of_nltk(word: str) -> None:
    assert porter_stem(word) == _STEMMER.stem(word)
    assert porter_stem(word[:2]) == word[:2]


@pytest.mark.parametrize(
    "word",
    vocabulary(
        "caresses ponies ties cats feed agreed plastered motoring sing conflated troubled sized hopping tanned falling hissing "
        "fizzed failing filing happy sky relational conditional rational digitizer conformably radically differently analogously "
        "vietnamization operator feudalism decisiveness hopefulness callousness formality sensitivity sensibility triplicate "
        "formative formalize electricity electrical hopeful goodness revival allowance inference airliner gyroscopic adjustable "
        "defensible irritant replacement adjustment dependent adoption homologou communism activate angularity homologous "
        "effective bowdlerize probate rate cease controll roll yearly crying dying seeing"
    ),
)
def test_stems_of_the_paper_s_examples_are_those_of_nltk(word: str) -> None:
    assert porter_stem(word) == _STEMMER.stem(word)
