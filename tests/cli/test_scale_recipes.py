"""The recipes of docs/scale.md are run as they stand there, with the scheduler's variables set by hand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from mmeval.runs.manifest import read_manifest
from tests.cli.conftest import environment

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")


def blocks(kind: str, heading: str) -> list[str]:
    """The code blocks of one section."""
    (section,) = re.findall(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##+ )", PAGE, re.DOTALL | re.MULTILINE)
    return re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL)


def shell(folder: Path, arguments: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script with an `mmeval` on the path that is this one."""
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    command = tools / "mmeval"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m mmeval "$@"\n')
    command.chmod(0o755)
    given = environment(folder) | {"MODEL": "fake", "TASKS": "synthetic/count", "RUN": "runs/r"} | variables
    given["PATH"] = f"{tools}{os.pathsep}{given['PATH']}"
    return subprocess.run(arguments, cwd=folder, env=given, capture_output=True, text=True, timeout=300, check=False)


def test_the_slurm_array(tmp_path: Path) -> None:
    script, submit = blocks("bash", "Slurm")
    assert "SHARDS=8" in script
    (tmp_path / "eval.sbatch").write_text(script.replace("SHARDS=8", "SHARDS=2"))
    for index in ("1", "2"):
        done = shell(tmp_path, ["bash", "eval.sbatch"], SLURM_ARRAY_TASK_ID=index, SLURM_ARRAY_TASK_COUNT="1")
        assert done.returncode == 0, done.stderr
    again = shell(tmp_path, ["bash", "eval.sbatch"], SLURM_ARRAY_TASK_ID="2")
    assert "0 model calls" in again.stderr
    (wrapped,) = re.findall(r'--wrap "(.*)"', submit)
    done = shell(tmp_path, ["bash", "-c", wrapped])
    assert done.returncode == 0, done.stderr
    merged = read_manifest(tmp_path / "runs" / "r" / "whole")
    assert (merged.status, merged.shard, merged.tasks[0].samples) == ("complete", None, merged.tasks[0].available)


def test_the_slurm_script_names_what_is_not_set(tmp_path: Path) -> None:
    (tmp_path / "eval.sbatch").write_text(blocks("bash", "Slurm")[0])
    done = shell(tmp_path, ["bash", "eval.sbatch"])
    assert done.returncode != 0
    assert "SLURM_ARRAY_TASK_ID" in done.stderr


def test_the_kubernetes_job(tmp_path: Path) -> None:
    (text,) = blocks("yaml", "Kubernetes")
    job: dict[str, Any] = yaml.safe_load(text)
    spec = job["spec"]
    assert (job["kind"], spec["completionMode"]) == ("Job", "Indexed")
    assert spec["completions"] == spec["parallelism"]
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never", "podFailurePolicy asks for it"
    (container,) = pod["containers"]
    named = {entry["name"] for entry in container["env"]}
    (command,) = container["args"]
    assert f"$shard/{spec['completions']}" in command
    assert set(re.findall(r"\$([A-Z]+)", command)) <= named
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in pod["volumes"]}
    done = shell(tmp_path, [*container["command"], command], JOB_COMPLETION_INDEX="7", TASKS="synthetic/spatial")
    assert done.returncode == 0, done.stderr
    shard = read_manifest(tmp_path / "runs" / "r" / "shard-8").shard
    assert shard is not None
    assert (shard.index, shard.count) == (8, 8)


def test_the_ray_job(tmp_path: Path) -> None:
    (text,) = blocks("yaml", "Ray on Kubernetes (KubeRay)")
    spec: dict[str, Any] = yaml.safe_load(text)["spec"]
    for group in (spec["rayClusterSpec"]["headGroupSpec"], *spec["rayClusterSpec"]["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert set(mounts) == {volume["name"] for volume in pod["volumes"]}
        assert mounts["models"] == "/models"
    assert options_are_known(spec["entrypoint"])


def test_ray_inside_a_slurm_job(tmp_path: Path) -> None:
    (script,) = blocks("bash", "Ray inside a Slurm job")
    (tmp_path / "ray.sbatch").write_text(script)
    assert shell(tmp_path, ["bash", "-n", "ray.sbatch"]).returncode == 0
    (command,) = re.findall(r"^mmeval run .*?[^\\]$", script, re.DOTALL | re.MULTILINE)
    assert options_are_known(command.replace("\\\n", " ").removesuffix("&"))


def options_are_known(command: str) -> bool:
    """Whether every option of a command line is one of `mmeval run`."""
    from mmeval.cli.run import run

    known = {name for parameter in run.params for name in parameter.opts}
    return set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", command)) <= known
