"""The statistics of a large leaderboard: 20 models, 10,000 samples, 50 subsets, 10,000 bootstrap resamples.

    python benchmarks/statistics_at_size.py [--models M] [--samples N] [--subsets S] [--resamples B] [--clusters C]

By default every sample is a cluster of its own, which is the most work for the bootstrap. One paired cluster bootstrap gives every model's interval on every subset and every pair's difference on every subset with
its interval and p-value; the default tests of `mmeval compare` and Holm's and Benjamini and Hochberg's corrections come on
top. Prints seconds by stage (of the clock and of all cores) and the peak memory of the process.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations

import numpy as np
import numpy.typing as npt

from mmeval.stats.comparison import compare_paired
from mmeval.stats.multiplicity import adjust
from mmeval.stats.resampled_means import bootstrap_means
from mmeval.stats.resampling import Bootstrap, BootstrapPlan, Design

Scores = npt.NDArray[np.float64]


def simulated(
    models: int, samples: int, subsets: int, clusters: int
) -> tuple[Scores, npt.NDArray[np.bool_], list[int]]:
    """Scores of 0 and 1, membership in subsets (all samples, then overlapping parts) and the cluster of each sample."""
    generator = np.random.default_rng(0)
    labels = np.sort(np.arange(samples) % clusters)
    image = generator.normal(size=clusters)[labels]
    skill = np.linspace(-0.4, 0.4, models)[:, None]
    scores = (skill + image + generator.normal(size=(models, samples)) > 0).astype(np.float64)
    members = generator.random((subsets, samples)) < generator.uniform(0.02, 0.5, size=(subsets, 1))
    return scores, np.concatenate([np.ones((1, samples), dtype=bool), members]), labels.tolist()


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Measure one stage."""
    clock, cores = time.perf_counter(), time.process_time()
    yield
    print(f"{name:<42} {time.perf_counter() - clock:7.2f} s {time.process_time() - cores:7.2f} s of cores", flush=True)


def differences(bootstrap: Bootstrap, models: int, subsets: int) -> tuple[int, list[float]]:
    """Every pair on every subset; returns how many intervals there are, and the p-values on all samples."""
    intervals, p_values = 0, []
    for base, candidate in combinations(range(models), 2):
        for subset in range(subsets):
            found = bootstrap.difference((candidate, subset), (base, subset))
            intervals += found.interval is not None
            if subset == 0:
                p_values.append(1.0 if found.p_value is None else found.p_value)
    return intervals, p_values


def tests(scores: Scores, members: npt.NDArray[np.bool_], labels: list[int]) -> list[float]:
    """p-values of the default test of every model against the first, on every subset."""
    found = []
    for member in members:
        rows = np.flatnonzero(member)
        clusters = [labels[row] for row in rows.tolist()]
        for candidate in scores[1:]:
            p_value = compare_paired(scores[0][rows], candidate[rows], clusters).difference.p_value
            found.append(1.0 if p_value is None else p_value)
    return found


def main() -> int:
    """Run the stages and print what they take."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (
        ("models", 20),
        ("samples", 10_000),
        ("subsets", 50),
        ("resamples", 10_000),
        ("clusters", 10_000),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    with stage("all"):
        run(chosen)
    # Kilobytes on Linux, bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    print(f"peak memory {peak:.0f} MB")
    return 0


def run(chosen: argparse.Namespace) -> None:
    """Run every stage."""
    scores, members, labels = simulated(chosen.models, chosen.samples, chosen.subsets, chosen.clusters)
    with stage("bootstrap of every model and subset"):
        design = Design.of(chosen.samples, labels)
        bootstrap = bootstrap_means(scores, design, BootstrapPlan(resamples=chosen.resamples), members)
    with stage("intervals of every model and subset"):
        singles = [bootstrap.interval((m, s)) for m in range(chosen.models) for s in range(chosen.subsets + 1)]
    with stage("differences of every pair and subset"):
        pairs, p_values = differences(bootstrap, chosen.models, chosen.subsets + 1)
    with stage("default tests against the first model"):
        against = tests(scores, members, labels)
    with stage("Holm, Benjamini-Hochberg"):
        adjust(p_values, "holm")
        adjust(against, "benjamini-hochberg")
    print(f"{len(singles)} intervals, {pairs} intervals of differences, {len(against)} tests")


if __name__ == "__main__":
    sys.exit(main())
