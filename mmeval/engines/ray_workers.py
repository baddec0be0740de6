"""Replicas of a checkpoint's engine as Ray actors, each in a placement group of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mmeval.core.errors import EngineError
from mmeval.core.user_paths import user_path
from mmeval.engines.base import EngineInfo, ModelSpec
from mmeval.engines.ray_actor import FORWARDED, ReplicaActor, own_version
from mmeval.engines.ray_cluster import Needs, RayCluster
from mmeval.engines.registry import CHECKPOINT_DIR
from mmeval.engines.replicas import ReplicaPool
from mmeval.engines.seats import MismatchError, ReplicaLost
from mmeval.engines.worker.wire import head_of

_LOG = logging.getLogger(__name__)

PIECE = 90_000
"""Longest argument in bytes. Ray sends arguments below 100 kB inside the call, and larger ones through its object store at three
times the cost."""
CLOSE_TIMEOUT_S = 6.0
"""How long a replica may take to end its worker before it is killed."""
INSTALL = "install the same mmeval-harness (and the engine) on every node, in the environment in which Ray runs there"


@dataclass(frozen=True, slots=True)
class Order:
    """What every replica of a model is told."""

    cluster: RayCluster
    needs: Needs
    slots: int
    name: str
    load: bytes
    """The argument of `ReplicaActor.load`."""


def ray_pool(spec: ModelSpec, info: EngineInfo, gpus: int, slots: int) -> ReplicaPool:
    """The replicas of a described model, none of them started.

    Args:
        spec: the model, whose `ray` is set.
        info: how the driver describes it; a node that describes it otherwise is refused.
        gpus: per replica.
        slots: requests that one replica works on at once.

    Raises:
        EngineError: no cluster, or no node large enough.
    """
    settings = spec.ray
    assert settings is not None
    cluster = RayCluster.connect(settings.address)
    needs = cluster.needs(gpus, settings.cpus)
    order = Order(cluster, needs, slots, info.engine, _load_order(spec, info))

    def wanted() -> int:
        return settings.replicas if settings.replicas is not None else cluster.room(needs)

    return ReplicaPool(info.engine, lambda: RayReplica(order), wanted, slots, settings.patience_s)


def _load_order(spec: ModelSpec, info: EngineInfo) -> bytes:
    told = {name: getattr(spec, name) for name in FORWARDED}
    folder = user_path(spec.target)
    shipped = folder.parent == CHECKPOINT_DIR
    if shipped:
        told["target"] = folder.name
    elif folder.is_dir():
        told["target"] = str(folder.absolute())
    told["revision"] = info.details.get("revision") or spec.revision
    told["engine_args"] = _absolute(spec.engine_args)
    order = {"spec": told, "shipped": shipped, "identity": info.identity, "version": info.version}
    return orjson.dumps(order, default=str)


def _absolute(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments for another working directory: an adapter's folder by its full path."""
    adapter = arguments.get("adapter")
    if adapter is None:
        return dict(arguments)
    return {**arguments, "adapter": str(user_path(str(adapter)).absolute())}


class RayReplica:
    """One actor and its placement group; see `replicas.Replica`."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._ray = order.cluster.ray
        self._group: Any = None
        self._actor: Any = None
        self._host = ""

    async def place(self) -> None:
        """See `Replica.place`: Ray waits for a node with room."""
        from ray.util.placement_group import placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        needs = self._order.needs
        with _ray_errors(self._order.name):
            self._group = placement_group([needs.bundle], strategy="STRICT_PACK")
            options = {
                "num_cpus": needs.cpus,
                "num_gpus": needs.gpus,
                "max_restarts": 0,
                "max_task_retries": 0,
                "max_concurrency": self._order.slots + 16,
                "scheduling_strategy": PlacementGroupSchedulingStrategy(self._group, 0),
            }
            self._actor = self._ray.remote(ReplicaActor).options(**options).remote()
            said = orjson.loads(await self._actor.hello.remote())
        self._host = said["host"]
        if said["mmeval"] != own_version():
            raise MismatchError(
                f"node {self._host} has mmeval {said['mmeval']}, and this is {own_version()}", remedy=INSTALL
            )

    async def load(self) -> dict[str, Any]:
        """See `Replica.load`."""
        with _ray_errors(self._order.name):
            answer = orjson.loads(await self._actor.load.remote(self._order.load))
        if "differs" in answer:
            raise MismatchError(
                f"node {self._host} has another model under this name: {answer['differs']}",
                remedy="give every node the same checkpoint at the same path and the same engine, or name the engine's Python"
                " with --engine-python",
            )
        if "failed" in answer:
            raise EngineError(f"node {self._host}: {answer['failed']}", remedy=answer["remedy"])
        facts: dict[str, Any] = answer["facts"]
        return facts

    async def ask(self, header: dict[str, Any], blobs: Sequence[bytes]) -> dict[str, Any]:
        """See `Replica.ask`."""
        with _ray_errors(self._order.name):
            reference = self._actor.ask.remote(head_of(header, blobs), *_pieces(blobs))
            try:
                said: bytes = await reference
            except asyncio.CancelledError:
                self._ray.cancel(reference)
                raise
        answer: dict[str, Any] = orjson.loads(said)
        if "dead" in answer:
            raise ReplicaLost(f"on {self._host}: {answer['dead']}")
        return answer

    async def close(self) -> None:
        """See `Replica.close`."""
        actor, group, self._actor, self._group = self._actor, self._group, None, None
        try:
            if actor is not None:
                with contextlib.suppress(ReplicaLost, TimeoutError), _ray_errors(self._order.name):
                    if self._host:
                        await asyncio.wait_for(actor.close.remote(), CLOSE_TIMEOUT_S)
                self._ray.kill(actor)
            if group is not None:
                from ray.util.placement_group import remove_placement_group

                remove_placement_group(group)
        except Exception as error:  # the cluster is gone, and with it what was to be released
            _LOG.debug("a replica could not be released: %r", error)


def _pieces(blobs: Sequence[bytes]) -> Iterator[bytes]:
    for blob in blobs:
        if len(blob) <= PIECE:
            yield blob
        else:
            yield from (blob[start : start + PIECE] for start in range(0, len(blob), PIECE))


@contextlib.contextmanager
def _ray_errors(name: str) -> Iterator[None]:
    """Turn Ray's errors into `ReplicaLost`, and a node without mmeval into an `EngineError`."""
    from ray import exceptions

    try:
        yield
    except (exceptions.RayActorError, exceptions.WorkerCrashedError, exceptions.NodeDiedError) as error:
        text = str(error)
        if "ModuleNotFoundError" in text or "ImportError" in text:
            cause = next((line.strip() for line in reversed(text.splitlines()) if "Error: " in line), "")
            raise MismatchError(f"a node cannot start a {name} replica: {cause}", remedy=INSTALL) from error
        raise ReplicaLost(_short(text), node_died=_node_died(error, text)) from error
    except exceptions.TaskCancelledError as error:
        raise ReplicaLost("its call was cancelled by Ray") from error
    except exceptions.RayError as error:
        raise ReplicaLost(f"{type(error).__name__}: {_short(str(error))}") from error


def _node_died(error: Exception, text: str) -> bool:
    """Whether a whole node went; where Ray does not know yet, its connection is gone with the node's Ray."""
    return "node" in text.lower() and "died" in text.lower() and "worker process has died" not in text


def _short(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return " ".join(lines)[:300] if lines else "no reason given"
