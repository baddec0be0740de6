"""A Ray cluster of several nodes on this machine, in a process of its own that takes commands as JSON lines.

`{"add": {"cpus": 1, "env": {…}}}` adds a node whose workers see these variables and answers its number; `{"kill": N}` kills everything of a node
at once, as a power cut would; `{"busy": true}` answers how many cores of living nodes are taken. The first line that it prints is the address.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MEMORY = 80 << 20
"""Bytes of every node's object store; the least that Ray takes is 75 MB."""


class TestCluster:
    """The parent's handle.

    Args:
        log: where the cluster's own words go.
    """

    __test__ = False

    def __init__(self, log: Path) -> None:
        self._log = log.open("wb")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("MMEVAL_", "SERVICE_"))}
        # All ports on loopback.
        kept |= {
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=kept,
            text=True,
        )
        self.address: str = self._said()["address"]
        self.alive: list[int] = []

    def _said(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the cluster ended: {Path(self._log.name).read_text(errors='replace')[-2000:]}"
        return json.loads(line)

    def _do(self, command: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._said()

    def add(self, cpus: int = 1, env: Mapping[str, str] | None = None) -> int:
        """Add a node; returns its number."""
        number: int = self._do({"add": {"cpus": cpus, "env": dict(env or {})}})
        self.alive.append(number)
        return number

    def kill(self, number: int) -> None:
        """Kill a node."""
        self._do({"kill": number})
        self.alive.remove(number)

    def clear(self) -> None:
        """Kill all nodes but the head, which holds no replica."""
        for number in list(self.alive):
            self.kill(number)

    def busy(self) -> float:
        """Cores that are taken."""
        return float(self._do({"busy": True}))

    def idle_within(self, seconds: float) -> bool:
        """Whether everything is released in time."""
        limit = time.monotonic() + seconds
        while self.busy() > 0:
            if time.monotonic() > limit:
                return False
            time.sleep(0.3)
        return True

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._log.close()


def main() -> None:
    """Serve the commands of standard input until it ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray prints
    import ray
    from ray.cluster_utils import Cluster

    def say(value: Any) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": MEMORY},
    )
    ray.init(address=cluster.address, log_to_driver=False)
    nodes: list[Any] = []
    say({"address": cluster.address})
    for line in sys.stdin:
        command = json.loads(line)
        if "add" in command:
            before = dict(os.environ)
            os.environ.update(command["add"]["env"])
            nodes.append(cluster.add_node(num_cpus=command["add"]["cpus"], object_store_memory=MEMORY))
            os.environ.clear()
            os.environ.update(before)
            say(len(nodes) - 1)
        elif "kill" in command:
            nodes[command["kill"]].kill_all_processes(check_alive=False, allow_graceful=False)
            cluster.worker_nodes.discard(nodes[command["kill"]])
            say(True)
        else:
            say(ray.cluster_resources().get("CPU", 0.0) - ray.available_resources().get("CPU", 0.0))
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main()
