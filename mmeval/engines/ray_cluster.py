"""The connection to a Ray cluster: joining or starting one, what its nodes have, and how many replicas they can hold."""

from __future__ import annotations

import importlib
import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from mmeval.core.errors import EngineError

LOOPBACK = ("127.0.0.1:", "localhost:")
OWN = "a cluster of its own on this machine"
REMEDIES = (
    "run mmeval on a node of the cluster (ray start --address=HEAD:6379), or hand it in with `ray job submit`;"
    " from outside name ray://HEAD:10001 (pip install 'ray[client]')"
)


KNOCK_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Needs:
    """What one replica takes of a node."""

    cpus: int
    gpus: int

    @property
    def bundle(self) -> dict[str, float]:
        """As a bundle of a placement group."""
        return {"CPU": float(self.cpus), **({"GPU": float(self.gpus)} if self.gpus else {})}

    def fits(self, resources: Mapping[str, float]) -> int:
        """How many replicas a node with these resources holds."""
        return min(int(resources.get(name, 0.0) // amount) for name, amount in self.bundle.items())

    def __str__(self) -> str:
        gpus = f"{self.gpus} GPU{'s' if self.gpus > 1 else ''} and " if self.gpus else ""
        return f"{gpus}{self.cpus} CPU{'s' if self.cpus > 1 else ''}"


class RayCluster:
    """The cluster that this process has joined; Ray allows one per process."""

    _joined: ClassVar[RayCluster | None] = None

    def __init__(self, ray: Any, address: str | None) -> None:
        self.ray = ray
        self.address = address

    @classmethod
    def connect(cls, address: str | None) -> RayCluster:
        """Join the cluster, once per process.

        Args:
            address: see `RaySettings.address`.

        Raises:
            EngineError: Ray is missing, or there is no such cluster.
        """
        if cls._joined is None or not cls._joined.ray.is_initialized():
            cls._joined = None
            found = cls(_load_ray(address or os.environ.get("RAY_ADDRESS")), address)
            found._join()
            cls._joined = found
        elif cls._joined.address != address:
            raise EngineError(
                f"this process has joined {cls._joined.name} already, and cannot join {address or OWN} too",
                remedy="give one --ray-address",
            )
        return cls._joined

    @classmethod
    def leave(cls) -> None:
        """Leave the cluster, and end it where this process started it; safe without one."""
        if cls._joined is not None:
            cls._joined.ray.shutdown()
            cls._joined = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.address or os.environ.get("RAY_ADDRESS") or OWN

    def _join(self) -> None:
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        address = self.address or os.environ.get("RAY_ADDRESS")
        if address is None:
            quiet |= {"address": "local", "include_dashboard": False}
        else:
            self._knock(address)
            quiet["address"] = address
        try:
            self.ray.init(**quiet)
        except (ConnectionError, RuntimeError, ValueError, ImportError, OSError, TimeoutError) as error:
            first = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise EngineError(f"the Ray cluster {self.name} cannot be joined: {first}", remedy=REMEDIES) from error

    def _knock(self, address: str) -> None:
        """Find out at once whether anybody listens there; Ray itself asks for minutes."""
        host, colon, port = address.removeprefix("ray://").rpartition(":")
        if not colon or not port.isdecimal():
            return  # `auto`, or another word of Ray's
        try:
            socket.create_connection((host.strip("[]"), int(port)), KNOCK_TIMEOUT_S).close()
        except (OSError, OverflowError) as error:
            raise EngineError(f"no Ray cluster answers at {address}: {error}", remedy=REMEDIES) from error

    def nodes(self) -> list[dict[str, float]]:
        """Resources of every living node.

        Raises:
            EngineError: the cluster does not answer.
        """
        try:
            return [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        except Exception as error:  # Ray names many kinds, of which few are public
            raise EngineError(f"the Ray cluster {self.name} does not answer: {error}", remedy=REMEDIES) from error

    def has_gpu(self) -> bool:
        """Whether any node has one."""
        return any(node.get("GPU", 0.0) >= 1.0 for node in self.nodes())

    def needs(self, gpus: int, cpus: int | None) -> Needs:
        """What a replica takes.

        Args:
            gpus: per replica.
            cpus: the user's word; None takes one per GPU, and without GPUs as many as the smallest node has.

        Raises:
            EngineError: no node is large enough.
        """
        nodes = self.nodes()
        if cpus is None:
            cores = [int(node["CPU"]) for node in nodes if node.get("CPU", 0.0) >= 1.0]
            cpus = gpus or min(cores, default=1)
        needs = Needs(cpus, gpus)
        if not any(needs.fits(node) for node in nodes):
            most = max((int(node.get("GPU", 0.0)) for node in nodes), default=0)
            cores_there = max((int(node.get("CPU", 0.0)) for node in nodes), default=0)
            raise EngineError(
                f"a replica needs {needs} on one node, and the largest of {self.name} have {most} GPUs and {cores_there} CPUs",
                remedy="lower --tensor-parallel or --replica-cpus, add nodes, or serve a model that spans nodes and name it"
                " with --base-url",
            )
        return needs

    def room(self, needs: Needs) -> int:
        """How many replicas the living nodes could hold, taken or not."""
        return sum(needs.fits(node) for node in self.nodes())


def _load_ray(address: str | None) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address is None or address.startswith(LOOPBACK):
        # Where Ray is told not to form clusters of machines, all its ports are on loopback; read when it is imported.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise EngineError(
            f"--workers ray needs the package ray: {error}", remedy="pip install 'mmeval-harness[ray]'"
        ) from error
