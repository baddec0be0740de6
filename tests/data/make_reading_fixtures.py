"""Writes the parquet fixtures of the benchmarks of reading and knowledge: own rows in the data sets' schemas (see make_fixtures.py).

python tests/data/make_reading_fixtures.py [NAME …]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from datasets import List, Value
from make_fixtures import picture, write
from make_reasoning_fixtures import configs

TEXTS = List(Value("string"))
TEST = "data/test-00000-of-00001.parquet"


def mmlu_pro() -> None:
    """Ten, four and three options, one of them not applicable."""
    rows = [
        {"question_id": number, "question": question, "options": options, "answer": answer, "answer_index": "ABCDEFGHIJ".index(answer),
         "cot_content": "", "category": category, "src": "own"}
        for number, (category, question, options, answer) in enumerate(
            (
                ("math", "What is 2 + 3?", [str(value) for value in range(10)], "F"),
                ("law", "Who signs a will?", ["the witness", "the testator", "the heir", "N/A"], "B"),
                ("computer science", "Which is a sort?", ["heap", "heapsort", "hash"], "B"),
            ),
            70,
        )
    ]  # fmt: skip
    write(f"mmlu-pro/{TEST}", rows, question_id=Value("int64"), options=TEXTS, answer_index=Value("int64"))


def scienceqa() -> None:
    """With a picture, with a hint, with neither; and the rows with pictures in a configuration of their own."""
    rows = [
        {"image": image, "question": question, "choices": choices, "answer": answer, "hint": hint, "task": "closed choice",
         "grade": grade, "subject": subject, "topic": "own", "category": "own", "skill": "own", "lecture": "", "solution": ""}
        for image, question, choices, answer, hint, grade, subject in (
            (picture("map"), "Which town lies furthest north?", ["Aville", "Beton", "Cebury"], 2, "", "grade2", "social science"),
            (None, "Which is a liquid?", ["stone", "milk"], 1, "Think of what can be poured.", "grade8", "natural science"),
            (None, "Which word rhymes with hat?", ["cat", "hut"], 0, "", "grade1", "language science"),
        )
    ]  # fmt: skip
    write("scienceqa/ScienceQA-FULL/test-00000-of-00001.parquet", rows, ["image"], choices=TEXTS, answer=Value("int8"))
    write(
        "scienceqa/ScienceQA-IMG/test-00000-of-00001.parquet", rows[:1], ["image"], choices=TEXTS, answer=Value("int8")
    )
    configs("scienceqa", {name: ("test", f"{name}/test-*") for name in ("ScienceQA-FULL", "ScienceQA-IMG")})


def realworldqa() -> None:
    """Multiple choice, a number, yes, a word."""
    direct = "Please answer directly with only the letter of the correct option and nothing else."
    short = "Please answer directly with a single word or number."
    rows = [
        {"image": picture(str(number)), "image_path": f"{number}.webp", "question": question, "answer": answer}
        for number, (question, answer) in enumerate(
            (
                (f"Where is the sign?\n\nA. To the left\nB. To the right\nC. Ahead\n{direct}", "B"),
                (f"How many cars are in front of us? {short}", "3"),
                (f"Is the light red? {short}", "Yes"),
                (f"Which way does the road bend? {short}", "Left"),
            )
        )
    ]
    write(f"realworldqa/{TEST}", rows, ["image"])


def docvqa() -> None:
    """One and several accepted answers; the test split has none."""
    rows: list[dict[str, Any]] = [
        {"questionId": str(number), "question": question, "question_types": types, "image": picture("page"), "docId": number,
         "ucsf_document_id": "abcd0227", "ucsf_document_page_no": str(number), "answers": answers, "data_split": "val"}
        for number, (question, types, answers) in enumerate(
            (
                ("What is the date?", ["handwritten", "form"], ["3 May 1994", "May 3, 1994"]),
                ("Who signed?", ["free_text"], ["R. Miller"]),
            )
        )
    ]  # fmt: skip
    kinds = {"question_types": TEXTS, "docId": Value("int64"), "answers": TEXTS}
    write("docvqa/DocVQA/validation-00000-of-00001.parquet", rows, ["image"], **kinds)
    write(
        "docvqa/DocVQA/test-00000-of-00001.parquet",
        [row | {"answers": None, "data_split": "test"} for row in rows],
        ["image"],
        **kinds,
    )
    configs("docvqa", {"DocVQA": ("validation", "DocVQA/validation-*")})
    _second_split("docvqa", "DocVQA")


def infovqa() -> None:
    """A number and a name; the test split has no answers."""
    rows = [
        {"questionId": str(number), "question": question, "answers": answers, "answer_type": ["single span"], "image": picture("chart"),
         "image_url": f"https://example.org/{number}.png", "operation/reasoning": reasoning, "ocr": "{}", "data_split": "val"}
        for number, (question, answers, reasoning) in enumerate(
            (
                ("What share uses the bus?", ["40%", "40 %"], []),
                ("Which of the two is larger, and by how much?", ["tea, 5"], ["comparison", "arithmetic"]),
            )
        )
    ]  # fmt: skip
    kinds = {"answers": TEXTS, "answer_type": TEXTS, "operation/reasoning": TEXTS}
    write("infovqa/InfographicVQA/validation-00000-of-00001.parquet", rows, ["image"], **kinds)
    write(
        "infovqa/InfographicVQA/test-00000-of-00001.parquet",
        [row | {"answers": None} for row in rows],
        ["image"],
        **kinds,
    )
    configs("infovqa", {"InfographicVQA": ("validation", "InfographicVQA/validation-*")})
    _second_split("infovqa", "InfographicVQA")


def _second_split(folder: str, name: str) -> None:
    from make_fixtures import HERE

    readme = HERE / folder / "README.md"
    text = readme.read_text(encoding="utf-8").rstrip().removesuffix("---")
    readme.write_text(f'{text}  - split: test\n    path: "{name}/test-*"\n---\n', encoding="utf-8")


def textvqa() -> None:
    """Ten answers that agree, and ten that half do; the test split has none."""
    rows = [
        {"image_id": f"own{number}", "question_id": 34600 + number, "question": question, "question_tokens": question.split(),
         "image": picture(text), "image_width": 64, "image_height": 48, "flickr_original_url": "", "flickr_300k_url": "",
         "answers": answers, "image_classes": ["Sign"], "set_name": "val", "ocr_tokens": [text]}
        for number, (question, text, answers) in enumerate(
            (
                ("what does the sign say?", "STOP", ["stop"] * 10),
                ("which number is on the bus?", "12", ["12"] * 5 + ["twelve"] * 3 + ["bus 12", "21"]),
            ),
            2,
        )
    ]  # fmt: skip
    kinds = dict.fromkeys(("question_tokens", "answers", "image_classes", "ocr_tokens"), TEXTS)
    kinds |= {name: Value("int32") for name in ("question_id", "image_width", "image_height")}
    write("textvqa/data/validation-00000-of-00001.parquet", rows, ["image"], **kinds)
    write(f"textvqa/{TEST}", [row | {"answers": [], "set_name": "test"} for row in rows], ["image"], **kinds)


def chartqa() -> None:
    """A name, a number and a percentage, human and augmented."""
    rows = [
        {"type": kind, "question": question, "answer": answer, "image": picture(answer)}
        for kind, question, answer in (
            ("human_test", "Which country has the highest bar?", "Norway"),
            ("human_test", "What is the sum of the two bars?", "41.5"),
            ("augmented_test", "What was the share in 2015?", "63%"),
        )
    ]
    write(f"chartqa/{TEST}", rows, ["image"])


def charxiv(folder: str) -> None:
    """Charts with one subplot, a grid and named subplots; numbers, names and what is not there."""
    rows = []
    for number, (location, row_number, column, descriptive, question, answer, kind) in enumerate(
        (
            (None, 0, 0, ((1, "Not Applicable"), (7, "60"), (11, "Yes"), (18, "1 by 1")), "Which model declines most?", "Model B", 1),
            (None, 1, 2, ((2, "Epoch"), (13, "train, test"), (17, "12"), (19, "2")), "Where do the curves end?", "40,000", 3),
            ("the inner subplot", 0, 0, ((9, "0.5"), (10, "2"), (15, "1.0"), (16, "increases")), "By how much do they differ?", "0.14", 4),
            (None, 2, 1, ((3, "Accuracy (%)"), (4, "-1"), (12, "3"), (14, "10")), "Is there a trend?", "Yes", 2),
        )
    ):  # fmt: skip
        row = {"image": picture(str(number)), "figure_path": f"images/{number}.jpg", "category": "cs", "year": "20",
               "original_id": f"2000.0000{number}", "num_subplots": 1 if number == 0 else 2, "subplot_row": row_number,
               "subplot_col": column, "subplot_loc": location}  # fmt: skip
        for place, (template, gold) in enumerate(descriptive, 1):
            row |= {f"descriptive_q{place}": template, f"descriptive_a{place}": gold}
        rows.append(
            row | {"reasoning_q": question, "reasoning_a": answer, "reasoning_q_source": 1, "reasoning_a_type": kind}
        )
    whole = ["num_subplots", "subplot_row", "subplot_col", "reasoning_q_source", "reasoning_a_type"]
    kinds = {name: Value("int64") for name in [*whole, *(f"descriptive_q{place}" for place in range(1, 5))]}
    write(f"{folder}/val.parquet", rows, ["image"], **kinds)
    configs(folder, {"default": ("validation", "val.parquet")})


def ocrbench() -> None:
    """Words, a question, a handwritten formula."""
    rows = [
        {"dataset": dataset, "question": question, "question_type": kind, "answer": answer, "image": picture(answer[0])}
        for dataset, question, kind, answer in (
            ("IIIT5K", "what is written in the image?", "Regular Text Recognition", ["CENTRE"]),
            ("docVQA", "What is the date?", "Doc-oriented VQA", ["3 May", "May 3"]),
            ("HME100k", "Please write out the expression of the formula in the image using LaTeX format.",
             "Handwritten Mathematical Expression Recognition", ["x ^ { 2 } + 1"]),
        )
    ]  # fmt: skip
    write(f"ocrbench/{TEST}", rows, ["image"], answer=TEXTS)


def ocrbench_v2() -> None:
    """A row of each kind of rule, and one whose rule is not reproduced."""
    rows = [
        {"id": number, "dataset_name": "own", "question": question, "type": kind, "answers": answers, "image": picture(str(number)),
         "eval": how, "bbox": None, "bbox_list": None, "content": None}
        for number, (kind, how, question, answers) in enumerate(
            (
                ("text recognition en", None, "What is written?", ["centre"]),
                ("text recognition en", "case sensitive", "What is written?", ["Centre"]),
                ("math QA en", "multiple choice", "Which?\nA. 1\nB. 2", ["B"]),
                ("cognition VQA cn", None, "这是什么颜色？", ["红色"]),
                ("text counting en", "regression", "How many words?", ["12"]),
                ("text grounding en", None, "Where is the word?", ["10", "20", "300", "40"]),
                ("table parsing en", None, "Convert to HTML.", ["<table></table>"]),
            )
        )
    ]  # fmt: skip
    whole = List(Value("int32"))
    write(
        f"ocrbench-v2/{TEST}",
        rows,
        ["image"],
        id=Value("int32"),
        answers=TEXTS,
        bbox=whole,
        bbox_list=List(whole),
        content=TEXTS,
    )


FIXTURES: dict[str, Callable[[], None]] = {
    "mmlu-pro": mmlu_pro,
    "scienceqa": scienceqa,
    "realworldqa": realworldqa,
    "docvqa": docvqa,
    "infovqa": infovqa,
    "textvqa": textvqa,
    "chartqa": chartqa,
    "charxiv-reasoning": lambda: charxiv("charxiv-reasoning"),
    "charxiv-descriptive": lambda: charxiv("charxiv-descriptive"),
    "ocrbench": ocrbench,
    "ocrbench-v2": ocrbench_v2,
}


if __name__ == "__main__":
    for fixture in sys.argv[1:] or FIXTURES:
        FIXTURES[fixture]()
