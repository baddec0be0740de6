"""`mmeval doctor`: what works here, what does not, and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import click
import orjson

from mmeval import __version__
from mmeval.cli.place_options import cache_option
from mmeval.cli.terminal import echo, echo_json
from mmeval.core.errors import MmevalError

GOOD, MISSING, BROKEN = "works", "missing", "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: str
    """`works`, `missing` (optional and absent), or `broken` (should work and does not)."""
    detail: str
    remedy: str = ""


@click.command()
@cache_option()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def doctor(cache_file: Path | None, as_json: bool) -> int:
    """Look at engines, GPUs, cards, hub access and the cache; exit code 2 when something is broken.

    \b
    Example:
      mmeval doctor
    """
    findings = [_python(), *_engines(), _embedded(), _gpu(), _cards(), _hub(), _cache(cache_file)]
    broken = [finding for finding in findings if finding.state == BROKEN]
    if as_json:
        record = {"schema": 1, "findings": [asdict(finding) for finding in findings]}
        echo_json(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    else:
        for finding in findings:
            echo(f"{finding.state:8} {finding.name:24} {finding.detail}")
            if finding.remedy:
                echo(f"{'':8} {'':24} -> {finding.remedy}")
    missing = sum(finding.state == MISSING for finding in findings)
    echo(f"{len(findings) - missing - len(broken)} work, {missing} missing, {len(broken)} broken", err=True)
    return 2 if broken else 0


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _python() -> Finding:
    found = sys.version_info
    text = f"Python {found.major}.{found.minor}.{found.micro}, mmeval {__version__}"
    if found >= (3, 11):
        return Finding("python", GOOD, text)
    return Finding("python", BROKEN, text, "use Python 3.11 or newer")


def _engines() -> list[Finding]:
    torch, transformers = _version("torch"), _version("transformers")
    if torch and transformers:
        hf = Finding("engine hf", GOOD, f"torch {torch}, transformers {transformers}")
    else:
        hf = Finding("engine hf", MISSING, "torch or transformers is not installed", "pip install 'mmeval-harness[hf]'")
    found = [hf]
    for name, serve in (("vllm", "vllm serve MODEL"), ("lmdeploy", "lmdeploy serve api_server MODEL")):
        version = _version(name) or _version(f"{name}-cpu")
        detail = f"{name} {version} is installed" if version else f"{name} is not installed here"
        state = GOOD if version else MISSING
        found.append(
            Finding(
                f"engine {name}",
                state,
                detail,
                f"pip install {name} in an environment of its own and name its Python with --engine-python, or start"
                f" `{serve}` and use -m {name}:NAME --base-url URL/v1",
            )
        )
    ray = _version("ray")
    found.append(
        Finding(
            "ray",
            GOOD if ray else MISSING,
            f"ray {ray} (--workers ray)" if ray else "ray is not installed; one machine works without it",
            "" if ray else "pip install 'mmeval-harness[ray]' on every node of the cluster",
        )
    )
    found.append(
        Finding(
            "engine openai",
            GOOD,
            "any OpenAI-compatible endpoint (--base-url; key in MMEVAL_API_KEY or OPENAI_API_KEY)",
        )
    )
    return found


def _embedded() -> Finding:
    from mmeval.engines.registry import CHECKPOINT_DIR, SHIPPED_CHECKPOINTS

    there = [name for name in SHIPPED_CHECKPOINTS if (CHECKPOINT_DIR / name / "config.json").is_file()]
    if len(there) == len(SHIPPED_CHECKPOINTS):
        return Finding("embedded models", GOOD, ", ".join(there))
    absent = sorted(set(SHIPPED_CHECKPOINTS) - set(there))
    return Finding("embedded models", BROKEN, f"{', '.join(absent)} not in the package", "install mmeval-harness again")


def _gpu() -> Finding:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Finding("gpu", MISSING, "no NVIDIA driver here; models run on the CPU")
    try:
        query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("gpu", BROKEN, f"nvidia-smi fails: {error}", "check the driver")
    return Finding("gpu", GOOD, "; ".join(done.stdout.strip().splitlines()))


def _cards() -> Finding:
    from mmeval.tasks.registry import Registry

    try:
        registry = Registry()
        return Finding("task cards", GOOD, f"{len(registry.cards)} tasks, {len(registry.suites)} suites")
    except MmevalError as error:
        return Finding("task cards", BROKEN, error.message, "install mmeval-harness again")


def _hub() -> Finding:
    offline = [name for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE") if os.environ.get(name) == "1"]
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cached = f"local cache {'at ' + str(home) if home.exists() else 'empty'}"
    if offline:
        return Finding("hugging face hub", GOOD, f"offline by {', '.join(offline)}; {cached}")
    import socket

    try:
        socket.create_connection(("huggingface.co", 443), timeout=3).close()
    except OSError:
        return Finding(
            "hugging face hub",
            MISSING,
            f"not reachable; {cached}",
            "give data sets with --data-dir and models as folders",
        )
    return Finding("hugging face hub", GOOD, f"reachable; {cached}")


def _cache(cache_file: Path | None) -> Finding:
    from mmeval.pipeline.cache import ResponseCache

    path = cache_file or Path(os.environ.get("MMEVAL_CACHE") or "cache/responses.sqlite")
    if not path.exists():
        parent = next(folder for folder in (path.parent, *path.parent.parents) if folder.exists())
        if os.access(parent, os.W_OK):
            return Finding("response cache", GOOD, f"{path} will be made by the first run")
        return Finding("response cache", BROKEN, f"{parent} cannot be written", "give another file with --cache")
    try:
        with ResponseCache(path) as opened:
            return Finding("response cache", GOOD, f"{path}: {opened.stats().responses} answers")
    except MmevalError as error:
        return Finding("response cache", BROKEN, error.message, error.remedy)
