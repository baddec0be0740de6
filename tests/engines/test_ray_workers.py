"""What surrounds the replicas: what a node must have, what a replica is told and compares, and the errors of the command line."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from mmeval.core.errors import EngineError
from mmeval.engines.base import EngineInfo, ModelSpec, RaySettings
from mmeval.engines.hf import HfEngine
from mmeval.engines.ray_actor import ReplicaActor
from mmeval.engines.ray_cluster import Needs, RayCluster
from mmeval.engines.ray_workers import _load_order, _pieces
from mmeval.engines.registry import CHECKPOINT_DIR, parse_model
from mmeval.engines.worker.wire import head_of, unpack
from tests.cli.conftest import environment

DOUBLE = Path(__file__).resolve().parents[1] / "on_ray" / "service_time.py"


def cluster(*nodes: dict[str, float]) -> RayCluster:
    listed = [{"Alive": True, "Resources": node} for node in nodes]
    return RayCluster(SimpleNamespace(nodes=lambda: [*listed, {"Alive": False, "Resources": {"GPU": 99.0}}]), "auto")


class TestNeeds:
    def test_a_gpu_takes_one_core_and_a_node_without_gpus_is_one_replica(self) -> None:
        two_kinds = cluster({"CPU": 64.0, "GPU": 8.0}, {"CPU": 16.0, "GPU": 4.0}, {"memory": 1.0})
        needs = two_kinds.needs(2, None)
        assert needs == Needs(2, 2)
        assert two_kinds.room(needs) == 6
        assert needs.bundle == {"CPU": 2.0, "GPU": 2.0}
        no_gpu = cluster({"CPU": 16.0}, {"CPU": 16.0}, {"CPU": 40.0}, {"object_store_memory": 1.0})
        assert no_gpu.needs(0, None) == Needs(16, 0)
        assert no_gpu.room(Needs(16, 0)) == 4
        assert no_gpu.room(no_gpu.needs(0, 8)) == 9

    def test_what_no_node_can_hold_is_refused(self) -> None:
        with pytest.raises(
            EngineError, match="needs 8 GPUs and 8 CPUs on one node, and the largest of auto have 4 GPUs"
        ) as found:
            cluster({"CPU": 64.0, "GPU": 4.0}, {"CPU": 64.0, "GPU": 4.0}).needs(8, None)
        assert "--tensor-parallel" in found.value.remedy

    def test_dead_nodes_do_not_count(self) -> None:
        assert not cluster({"CPU": 4.0}).has_gpu()
        assert cluster({"CPU": 4.0, "GPU": 1.0}).has_gpu()


class TestWhatAReplicaIsTold:
    def described(self, spec: ModelSpec) -> EngineInfo:
        return asyncio.run(HfEngine(spec).describe())

    def order(self, model: ModelSpec, **changes: Any) -> bytes:
        found = orjson.loads(_load_order(model, self.described(model)))
        return orjson.dumps({**found, **changes})

    def test_shipped_checkpoints_go_by_name_and_folders_by_their_full_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        info = self.described(parse_model("tiny"))
        shipped = orjson.loads(_load_order(parse_model("tiny"), info))
        assert (shipped["spec"]["target"], shipped["shipped"]) == ("tiny", True)
        (tmp_path / "mine").symlink_to(CHECKPOINT_DIR / "tiny")
        monkeypatch.chdir(tmp_path)
        own = orjson.loads(_load_order(parse_model("hf:mine", api_key="secret"), info))
        assert (own["spec"]["target"], own["shipped"]) == (str(tmp_path / "mine"), False)
        assert "secret" not in str(own)

    def test_a_node_answers_like_the_worker_of_this_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MMEVAL_WORKER_PRELOAD", str(DOUBLE))
        monkeypatch.setenv("SERVICE_S", "0")
        blobs = [b"a" * 250_000, b"", b"c"]
        header = {"messages": [{"role": "user", "content": [{"text": "lone \ud800 half"}]}], "sampling": {"seed": 1}}

        async def go() -> tuple[dict[str, Any], dict[str, Any]]:
            actor = ReplicaActor()
            assert orjson.loads(await actor.hello())["pid"] == os.getpid()
            loaded = orjson.loads(await actor.load(order))
            answer = unpack(await actor.ask(head_of({**header, "type": "ask"}, blobs), *_pieces(blobs)), b"")[0]
            await actor.close()
            return loaded, answer

        order = self.order(parse_model("tiny"))
        loaded, answer = asyncio.run(go())
        assert loaded["facts"]["device"] == "none"
        assert answer["status"] == "ok"

    def test_another_checkpoint_engine_or_setting_is_named(self) -> None:
        spec = parse_model("tiny")
        info = self.described(spec)

        def said(**changes: Any) -> dict[str, Any]:
            found: dict[str, Any] = orjson.loads(asyncio.run(ReplicaActor().load(self.order(spec, **changes))))
            return found

        assert f"version ({info.version} instead of 0.1)" in said(version="0.1")["differs"]
        files = {**info.identity["checkpoint"]["files"], "config.json": "0"}
        other = {**info.identity, "checkpoint": {**info.identity["checkpoint"], "files": files}}
        assert "config.json" in said(identity=other)["differs"]
        arguments = {**info.identity["arguments"], "dtype": "bfloat16"}
        assert (
            "dtype: float32 instead of bfloat16" in said(identity={**info.identity, "arguments": arguments})["differs"]
        )
        absent = {"backend": "hf", "target": "/no/such/folder"}
        assert "/no/such/folder" in said(spec=absent, shipped=False)["failed"]


def command(folder: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    script = f"{before}\nimport sys; sys.argv = ['mmeval', *{arguments!r}]\nfrom mmeval.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-m", "chance", "--workers", "ray"], "no model of this run is loaded by mmeval"),
        (["-m", "tiny", "--replicas", "2"], "--replicas needs --workers ray"),
        (["-m", "tiny", "--workers", "ray", "--replicas", "many"], "a number or auto"),
        (["-m", "tiny", "--workers", "ray", "--replicas", "0"], "at least 1"),
        (["-m", "tiny", "--workers", "ray"], "pip install 'mmeval-harness[ray]'"),
    ],
)
def test_what_cannot_work_is_said_before_anything_starts(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = command(
        tmp_path,
        "run",
        *arguments,
        "-t",
        "synthetic/count",
        "--limit",
        "2",
        before="import sys; sys.modules['ray'] = None",
    )
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_nobody_at_the_address(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    for address in ("127.0.0.1:9", "ray://127.0.0.1:9"):
        with pytest.raises(EngineError, match=r"no Ray cluster answers at .*127\.0\.0\.1:9"):
            RayCluster.connect(address)


def test_lmdeploys_own_ray_does_not_go_inside_a_replica() -> None:
    from mmeval.engines.lmdeploy import LmdeployEngine

    with pytest.raises(EngineError, match="Ray of its own"):
        LmdeployEngine(ModelSpec("lmdeploy", "x", data_parallel=2, ray=RaySettings()))
