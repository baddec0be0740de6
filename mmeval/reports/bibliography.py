"""BibTeX: the works behind the methods, and those that task cards cite."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmeval import __version__
from mmeval.reports.escapes import latex_text


@dataclass(frozen=True, slots=True)
class Work:
    """One entry of a bibliography."""

    key: str
    kind: str
    """article, inproceedings, book or misc."""
    fields: tuple[tuple[str, str], ...]
    """Name and value, plain text; what stands in double braces keeps its capitals."""

    def bibtex(self) -> str:
        """The entry; every value escaped for LaTeX."""
        lines = [f"  {name} = {{{_value(name, value)}}}," for name, value in self.fields]
        return "\n".join([f"@{self.kind}{{{self.key},", *lines, "}"]) + "\n"


def _value(name: str, value: str) -> str:
    if name in ("url", "doi", "pages"):
        return re.sub(r"[{}\\%\s]", "", value)
    # BibTeX counts braces even behind a backslash.
    text = (
        latex_text(re.sub(r"\s+", " ", value)).replace(r"\{", r"\textbraceleft{}").replace(r"\}", r"\textbraceright{}")
    )
    # Authors are split at ` and `, titles lose capitals without braces.
    return f"{{{text}}}" if name == "title" else text


def _article(key: str, author: str, title: str, journal: str, where: str, year: int) -> Work:
    """`where` is VOLUME(NUMBER):PAGES."""
    volume, _, pages = where.partition(":")
    volume, _, number = volume.partition("(")
    fields = [("author", author), ("title", title), ("journal", journal), ("volume", volume)]
    fields += [("number", number.rstrip(")"))] if number else []
    return Work(key, "article", (*fields, ("pages", pages), ("year", str(year))))


def _preprint(key: str, author: str, title: str, number: str, year: int) -> Work:
    return Work(
        key,
        "misc",
        (("author", author), ("title", title), ("eprint", number), ("archiveprefix", "arXiv"), ("year", str(year))),
    )


_STATISTICS_IN_MEDICINE = "Statistics in Medicine"
WORKS: Mapping[str, Work] = {
    work.key: work
    for work in (
        Work(
            "mmeval",
            "misc",
            (
                ("key", "mmeval"),
                ("title", "mmeval: an evaluation harness and command line for vision-language models"),
                ("note", f"Version {__version__}"),
            ),
        ),
        Work(
            "kwon2023vllm",
            "inproceedings",
            (
                ("author", "Kwon, Woosuk and Li, Zhuohan and Zhuang, Siyuan and Sheng, Ying and Zheng, Lianmin and Yu, Cody Hao and Gonzalez, Joseph E. and Zhang, Hao and Stoica, Ion"),
                ("title", "Efficient Memory Management for Large Language Model Serving with PagedAttention"),
                ("booktitle", "Proceedings of the 29th Symposium on Operating Systems Principles"),
                ("year", "2023"),
            ),
        ),
        Work(
            "wolf2020transformers",
            "inproceedings",
            (
                ("author", "Wolf, Thomas and others"),
                ("title", "Transformers: State-of-the-Art Natural Language Processing"),
                ("booktitle", "Proceedings of the 2020 Conference on Empirical Methods in Natural Language Processing: System Demonstrations"),
                ("pages", "38--45"),
                ("year", "2020"),
            ),
        ),
        Work(
            "lmdeploy",
            "misc",
            (
                ("author", "LMDeploy Contributors"),
                ("title", "LMDeploy: A Toolkit for Compressing, Deploying, and Serving LLM"),
                ("url", "https://github.com/InternLM/lmdeploy"),
                ("year", "2023"),
            ),
        ),
        _article("wilson1927", "Wilson, Edwin B.", "Probable Inference, the Law of Succession, and Statistical Inference", "Journal of the American Statistical Association", "22(158):209--212", 1927),
        _article("cameron2015", "Cameron, A. Colin and Miller, Douglas L.", "A Practitioner's Guide to Cluster-Robust Inference", "Journal of Human Resources", "50(2):317--372", 2015),
        _preprint("miller2024", "Miller, Evan", "Adding Error Bars to Evals: A Statistical Approach to Language Model Evaluations", "2411.00640", 2024),
        _article("efron1987", "Efron, Bradley", "Better Bootstrap Confidence Intervals", "Journal of the American Statistical Association", "82(397):171--185", 1987),
        _article("field2007", "Field, C. A. and Welsh, A. H.", "Bootstrapping Clustered Data", "Journal of the Royal Statistical Society: Series B", "69(3):369--390", 2007),
        _article("mcnemar1947", "McNemar, Quinn", "Note on the Sampling Error of the Difference between Correlated Proportions or Percentages", "Psychometrika", "12(2):153--157", 1947),
        _article("fagerland2013", "Fagerland, Morten W. and Lydersen, Stian and Laake, Petter", "The McNemar Test for Binary Matched-Pairs Data: Mid-p and Asymptotic Are Better than Exact Conditional", "BMC Medical Research Methodology", "13:91", 2013),
        _article("tango1998", "Tango, Toshiro", "Equivalence Test and Confidence Interval for the Difference in Proportions for the Paired-Sample Design", _STATISTICS_IN_MEDICINE, "17(8):891--908", 1998),
        _article("obuchowski1998", "Obuchowski, Nancy A.", "On the Comparison of Correlated Proportions for Clustered Data", _STATISTICS_IN_MEDICINE, "17(13):1495--1507", 1998),
        _article("holm1979", "Holm, Sture", "A Simple Sequentially Rejective Multiple Test Procedure", "Scandinavian Journal of Statistics", "6(2):65--70", 1979),
        _article("benjamini1995", "Benjamini, Yoav and Hochberg, Yosef", "Controlling the False Discovery Rate: A Practical and Powerful Approach to Multiple Testing", "Journal of the Royal Statistical Society: Series B", "57(1):289--300", 1995),
        _article("connor1987", "Connor, R. J.", "Sample Size for Testing Differences in Proportions for the Paired-Sample Design", "Biometrics", "43(1):207--211", 1987),
        _article("schuirmann1987", "Schuirmann, Donald J.", "A Comparison of the Two One-Sided Tests Procedure and the Power Approach for Assessing the Equivalence of Average Bioavailability", "Journal of Pharmacokinetics and Biopharmaceutics", "15(6):657--680", 1987),
        _article("berger1982", "Berger, Roger L.", "Multiparameter Hypothesis Testing and Acceptance Sampling", "Technometrics", "24(4):295--300", 1982),
        Work("fisher1935", "book", (("author", "Fisher, Ronald A."), ("title", "The Design of Experiments"), ("publisher", "Oliver and Boyd"), ("year", "1935"))),
        Work("noreen1989", "book", (("author", "Noreen, Eric W."), ("title", "Computer-Intensive Methods for Testing Hypotheses: An Introduction"), ("publisher", "Wiley"), ("year", "1989"))),
        _preprint("chen2021passk", "Chen, Mark and others", "Evaluating Large Language Models Trained on Code", "2107.03374", 2021),
    )
}  # fmt: skip
"""What the methods section may cite."""

_NAMES = (
    r"(?P<authors>[^\W\d_a-z][\w'’-]*(?: [^\W\d_a-z][\w'’-]*)? et al\.|[^\W\d_a-z][\w'’-]* and [^\W\d_a-z][\w'’-]*)"
)
_SEGMENT = re.compile(rf"^{_NAMES}, (?P<title>.+?), (?:(?P<venue>[^,;]*?\S) )?(?P<year>(?:19|20)\d\d)(?: \(\w+\))?$")
_PREPRINT = re.compile(rf"^{_NAMES}, (?P<title>.+?), arXiv:(?P<number>\d{{4}}\.\d{{4,5}})$")
_REVISION = re.compile(r"^[\w./-]+ @[0-9a-f]{6,40}$")
_NOTE = "Surnames as on mmeval's task card; complete them from the published record"


def card_works(citation: str, title: str, dataset: Mapping[str, Any]) -> list[Work]:
    """Return the entries of what a task card cites, with keys that may still clash.

    Works are read only where the card's words have the form `NAMES, TITLE, VENUE YEAR`; any other text is kept whole
    as a title. Nothing is added to what the card says.

    Args:
        citation: the card's words; several works separated by `; `.
        title: the card's title, for a card that cites nothing.
        dataset: where the data came from; its hub id gives an address.
    """
    hub = dataset.get("id") if dataset.get("kind") == "hub" else None
    address = (
        [("url", f"https://huggingface.co/datasets/{hub}")]
        if isinstance(hub, str) and re.fullmatch(r"[\w.-]+(/[\w.-]+)?", hub)
        else []
    )
    segments = [segment.strip() for segment in citation.split("; ") if segment.strip()]
    revisions = [segment for segment in segments if _REVISION.match(segment)]
    works: list[Work] = []
    for segment in segments:
        if segment in revisions:
            continue
        own = address if not works else []
        works.append(_card_work(segment, [*own, *(("note", f"Code: {one}") for one in revisions if not works)]))
    if not works and (address or title):
        works.append(Work(_key("", "", title), "misc", (("key", title), ("title", title), *address)))
    return works


def _card_work(segment: str, more: Sequence[tuple[str, str]]) -> Work:
    found = _SEGMENT.match(segment)
    preprint = None if found else _PREPRINT.match(segment)
    match = found or preprint
    if match is None:
        return Work(_key("", "", segment), "misc", (("key", segment[:40]), ("title", segment), *more))
    names = match["authors"]
    author = f"{names.removesuffix(' et al.')} and others" if names.endswith(" et al.") else names
    fields = [("author", author), ("title", match["title"])]
    if preprint is not None:
        fields += [("eprint", preprint["number"]), ("archiveprefix", "arXiv")]
    else:
        fields += [("howpublished", match["venue"])] if match["venue"] else []
        fields += [("year", match["year"])]
    notes = "; ".join([_NOTE, *(value for name, value in more if name == "note")])
    fields += [(name, value) for name, value in more if name != "note"]
    year = "" if preprint is not None else match["year"]
    return Work(_key(names, year, match["title"]), "misc", (*fields, ("note", notes)))


def _key(authors: str, year: str, title: str) -> str:
    """First surname, year and first word of the title, as letters and digits."""
    first = re.split(r" et al\.| and ", authors)[0].split(" ")[-1] if authors else ""
    words = [_plain(word) for word in re.split(r"[^\w]+", title) if len(word) > 1 and word.lower() not in _SMALL]
    return f"{_plain(first)}{year}{next((word for word in words if word), '')}" or "work"


_SMALL = {
    "the",
    "an",
    "on",
    "of",
    "in",
    "for",
    "to",
    "and",
    "is",
    "are",
    "does",
    "how",
    "can",
    "from",
    "towards",
    "with",
}


def _plain(word: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]", "", ascii_only.lower())


class Bibliography:
    """Works in the order of their first citation; equal works once, equal keys of different works told apart."""

    def __init__(self) -> None:
        self.works: list[Work] = []

    def method(self, key: str) -> str:
        """Cite one of `WORKS`; returns its key."""
        return self.add(WORKS[key])

    def add(self, work: Work) -> str:
        """Cite a work; returns the key that it has here."""
        taken = {known.key: known for known in self.works}
        letters = ["", *"bcdefghijklmnopqrstuvwxyz"]
        for letter in letters:
            key = f"{work.key}{letter}"
            entry = Work(key, work.kind, work.fields)
            if key not in taken and not (key in WORKS and WORKS[key].fields != work.fields):
                self.works.append(entry)
                return key
            if taken.get(key) == entry:
                return key
        raise ValueError(f"too many works are called {work.key}")

    def bibtex(self) -> str:
        """The whole file."""
        return "\n".join(work.bibtex() for work in self.works)
