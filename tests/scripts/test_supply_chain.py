"""Licences that may be used, and what an audit says."""

from __future__ import annotations

import pytest

from scripts.supply_chain import Package, packages, refusal, unaudited


@pytest.mark.parametrize(
    "licence",
    [
        "MIT", "(MIT) AND (BSD-3-Clause)", "GPL-3.0-only OR MIT", "MPL-2.0 AND (Apache-2.0 OR MIT)", "(GPL-2.0-only OR MIT) AND ISC",
        "Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSL-1.0",
    ],
)  # fmt: skip
def test_allowed(licence: str) -> None:
    assert refusal(Package("one", "1.0", licence)) is None


@pytest.mark.parametrize(
    "licence",
    ["GPL-3.0-only", "MIT AND GPL-3.0-or-later", "LGPL-2.1-only OR AGPL-3.0-only", "(UNKNOWN)", "All rights reserved", "", "MIT AND"],
)  # fmt: skip
def test_refused(licence: str) -> None:
    said = refusal(Package("one", "1.0", licence))
    assert said is not None
    assert said.startswith("one 1.0: ")


def test_words_of_the_metadata_become_identifiers() -> None:
    listed = [
        {"Name": "a", "Version": "1", "License": "Apache Software License; MIT License"},
        {"Name": "pycocoevalcap", "Version": "1.2", "License": "UNKNOWN"},
        {"Name": "b", "Version": "2", "License": "GNU General Public License v3 (GPLv3)"},
    ]
    found = packages(listed)
    assert [package.licence for package in found[:2]] == ["(Apache-2.0) AND (MIT)", "(BSD-2-Clause)"]
    assert [refusal(package) is None for package in found] == [True, True, False]


def test_what_the_audit_found_and_could_not_look_up() -> None:
    report = {
        "dependencies": [
            {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}, {"id": "PYSEC-2", "fix_versions": []}]},
            {"name": "b", "skip_reason": "not found"},
            {"name": "c", "version": "3", "vulns": []},
        ]
    }  # fmt: skip
    known, missing, total = unaudited(report)
    assert known == ["a 1: PYSEC-1, fixed in 2", "a 1: PYSEC-2, fixed in no version"]
    assert (missing, total) == (["b"], 3)
