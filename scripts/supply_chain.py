"""What mmeval stands on: a bill of materials, the licences of every installed package, and known vulnerabilities.

`make supply-chain` runs it with pip-licenses, cyclonedx-bom and pip-audit in an environment of their own, on the environment of the project.
Exit code 1: a licence that is not allowed, or a known vulnerability. Where no vulnerability service can be reached, the audit says so; with
`--strict` that is a failure too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

ALLOWED = frozenset({
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python",
    "ISC", "MIT", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib",
})  # fmt: skip
"""SPDX identifiers. MPL-2.0 binds changes of its own files only."""

SPOKEN = {
    "3-Clause BSD License": "BSD-3-Clause", "Apache 2.0": "Apache-2.0", "Apache 2.0 License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0", "Apache Software License": "Apache-2.0", "BSD": "BSD-3-Clause", "BSD License": "BSD-3-Clause",
    "FreeBSD": "BSD-2-Clause", "ISC License (ISCL)": "ISC", "MIT License": "MIT", "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0", "The Unlicense (Unlicense)": "Unlicense",
}  # fmt: skip
"""What packages write instead of an identifier. "BSD" leaves the number of clauses open; all of them are allowed."""

STATED = {
    "atheris": ("Apache-2.0", "LICENSE of its repository; used by `make fuzz` only"),
    "axe-playwright-python": ("MIT", "its LICENSE file; the axe-core in it is MPL-2.0; used by tests only"),
    "faster-coco-eval": ("Apache-2.0", "its LICENSE file; the metadata has no licence field"),
    "pycocoevalcap": ("BSD-2-Clause", "license.txt of its repository; used by tests only"),
}
"""Packages whose metadata say nothing: licence, and where it stands."""


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package."""

    name: str
    version: str
    licence: str
    """An SPDX expression, or what the metadata say."""


def alternatives(expression: str) -> list[list[str]]:
    """Return the ways to comply with an SPDX expression: any one of the lists, all licences of it.

    Raises:
        ValueError: when it is no SPDX expression of known licences.
    """
    from license_expression import ExpressionError, LicenseWithExceptionSymbol, get_spdx_licensing

    licensing = get_spdx_licensing()
    try:
        parsed = licensing.parse(expression, validate=True)
    except ExpressionError as error:
        raise ValueError(f"{expression!r} is no SPDX expression") from error
    if parsed is None:
        raise ValueError("no licence")
    normal = licensing.dnf(parsed)
    ways = normal.args if isinstance(normal, licensing.OR) else (normal,)
    return [
        sorted(
            symbol.render("{symbol.key}")
            if not isinstance(symbol, LicenseWithExceptionSymbol)
            else f"{symbol.license_symbol.key} WITH {symbol.exception_symbol.key}"
            for symbol in (way.args if isinstance(way, licensing.AND) else (way,))
        )
        for way in ways
    ]


def refusal(package: Package) -> str | None:
    """Say why a package may not be used, or None."""
    try:
        ways = alternatives(package.licence)
    except ValueError as error:
        return f"{package.name} {package.version}: {error}"
    if any(set(way) <= ALLOWED for way in ways):
        return None
    return f"{package.name} {package.version}: {package.licence} is not allowed"


def packages(listed: Sequence[Mapping[str, str]]) -> list[Package]:
    """Read the JSON of pip-licenses; words become identifiers."""
    found = []
    for entry in listed:
        name, said = entry["Name"], entry["License"]
        if said == "UNKNOWN" and name in STATED:
            said = STATED[name][0]
        # Several classifiers are joined by semicolons: all of them are taken to hold.
        parts = [SPOKEN.get(part.strip(), part.strip()) for part in said.split(";")]
        found.append(Package(name, entry["Version"], " AND ".join(f"({part})" for part in parts)))
    return found


def unaudited(report: Mapping[str, object]) -> tuple[list[str], list[str], int]:
    """Read the JSON of pip-audit: known vulnerabilities, names that could not be looked up, and the number of packages."""
    entries = report["dependencies"]
    assert isinstance(entries, list)
    known = [
        f"{entry['name']} {entry['version']}: {found['id']}, fixed in {', '.join(found['fix_versions']) or 'no version'}"
        for entry in entries
        for found in entry.get("vulns", ())
    ]
    return known, [entry["name"] for entry in entries if "skip_reason" in entry], len(entries)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the bill of materials and check; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--python", type=Path, default=ROOT / ".venv/bin/python", help="interpreter of the environment to look at"
    )
    parser.add_argument("--lock", type=Path, default=ROOT / "requirements.lock")
    parser.add_argument("--sbom", type=Path, default=ROOT / "build/sbom.cdx.json", help="CycloneDX file to write")
    parser.add_argument("--strict", action="store_true", help="fail when the vulnerability service cannot be reached")
    chosen = parser.parse_args(arguments)
    tools = Path(sys.executable).parent

    chosen.sbom.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [str(tools / "cyclonedx-py"), "environment", "--output-reproducible", "-o", str(chosen.sbom), str(chosen.python)], check=True
    )  # fmt: skip
    print(f"bill of materials: {len(json.loads(chosen.sbom.read_text())['components'])} components in {chosen.sbom}")

    listed = subprocess.run(
        [str(tools / "pip-licenses"), "--python", str(chosen.python), "--from=mixed", "--format=json"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    installed = [package for package in packages(json.loads(listed.stdout)) if package.name != "mmeval-harness"]
    refused = [said for package in installed if (said := refusal(package))]
    for said in refused:
        print(f"licence: {said}", file=sys.stderr)
    print(f"licences: {len(installed) - len(refused)} of {len(installed)} packages allowed")

    audit = subprocess.run(
        [str(tools / "pip-audit"), "-r", str(chosen.lock), "--no-deps", "--disable-pip", "-f", "json", "--progress-spinner", "off"],
        capture_output=True, text=True,
    )  # fmt: skip
    try:
        known, missing, total = unaudited(json.loads(audit.stdout))
    except json.JSONDecodeError:
        lines = audit.stderr.strip().splitlines()
        print(f"vulnerabilities: not audited: {lines[-1] if lines else 'pip-audit said nothing'}", file=sys.stderr)
        return 1 if refused or chosen.strict else 0
    for said in known:
        print(f"vulnerability: {said}", file=sys.stderr)
    if missing:
        print(
            f"vulnerabilities: {len(missing)} of {total} packages could not be looked up: {', '.join(missing[:5])} …",
            file=sys.stderr,
        )
    print(f"vulnerabilities: {len(known)} known in {total - len(missing)} packages looked up")
    return 1 if refused or known or (missing and chosen.strict) else 0


if __name__ == "__main__":
    sys.exit(main())
