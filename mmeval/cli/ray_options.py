"""The options of `--workers ray` that several commands share, and keeping stdout free of what Ray prints."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from mmeval.core.errors import UsageError

RAY_KEYS = ("workers", "ray_address", "replicas", "replica_cpus")


def ray_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; their names are keys of a run's configuration."""
    options = [
        click.option(
            "--workers",
            type=click.Choice(["local", "ray"]),
            help="Where models are loaded: on this machine, or as replicas on a Ray cluster.  [default: local]",
        ),
        click.option(
            "--ray-address",
            metavar="auto|HOST:PORT|ray://HOST:PORT",
            help="The Ray cluster. Default: $RAY_ADDRESS, else a cluster of its own on this machine.",
        ),
        click.option(
            "--replicas",
            metavar="N|auto",
            help="Copies of a model on Ray; auto fills the cluster and what joins it.  [default: auto]",
        ),
        click.option("--replica-cpus", type=click.IntRange(min=1), help="Cores that one replica takes."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def ray_values(options: dict[str, Any]) -> dict[str, Any]:
    """Take these options out of a command's, as keys of a run's configuration; those not given are left out.

    Raises:
        UsageError: `--replicas` is neither a number nor auto.
    """
    given = {name: options.pop(name) for name in RAY_KEYS}
    text = given["replicas"]
    if text is not None and text != "auto":
        try:
            given["replicas"] = int(text)
        except ValueError as error:
            raise UsageError(f"--replicas {text}: a number or auto is expected", remedy="e.g. --replicas 8") from error
    return {name: value for name, value in given.items() if value is not None}


@contextlib.contextmanager
def beside_ray(workers: str | None) -> Iterator[None]:
    """While a command may use Ray: Ray prints what happens to its nodes, and stdout is for results. Leaves the cluster at the end."""
    if workers != "ray":
        yield
        return
    from mmeval.engines.ray_cluster import RayCluster

    with contextlib.redirect_stdout(sys.stderr):
        try:
            yield
        finally:
            RayCluster.leave()
