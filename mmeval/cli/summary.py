"""What `mmeval run` prints at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from mmeval.cli.terminal import echo, echo_json
from mmeval.core.errors import MmevalError
from mmeval.core.memory import little_memory
from mmeval.runs.aggregates import SuiteMean, suite_means
from mmeval.runs.coordinate_hints import coordinate_hints
from mmeval.runs.folder import Run, open_run
from mmeval.runs.leaderboard import LeaderboardRow, leaderboard
from mmeval.runs.outcome import Outcome

SHOWN_FAILURES = 5
PIPE_WIDTH = 120
FEWEST = 10
"""Rows of a model and task from which on there is a hint that most of them have no answer."""


def print_outcome(outcome: Outcome, *, report: bool, as_json: bool, more: Mapping[str, Any] | None = None) -> int:
    """Print the leaderboard (stdout) and the summary (stderr), write the report, and return the exit code.

    Args:
        outcome: what the command came to.
        report: write `report.html` too.
        as_json: print JSON instead of the table.
        more: further keys of the JSON.
    """
    if outcome.manifest.shard is not None:
        return _print_shard(outcome, as_json, more or {})
    with little_memory():
        return _print_whole(outcome, report, as_json, more or {})


def _print_whole(outcome: Outcome, report: bool, as_json: bool, more: Mapping[str, Any]) -> int:
    run = open_run(outcome.folder)
    rows = leaderboard(run) if (outcome.folder / "results.parquet").exists() else []
    hints = [*answer_hints(rows), *coordinate_hints(run)] if rows else []
    path, code = None, outcome.exit_code
    existing = outcome.folder / "report.html"
    if report and outcome.unchanged and existing.is_file():
        path = existing
    elif report and (outcome.folder / "results.parquet").exists():  # an empty one says why it is empty
        path, failed = written_report([run], existing)
        code = code or failed
    if as_json:
        cells = leaderboard(run, by_subset=True, all_metrics=True) if rows else []
        record = {**summary_json(outcome, cells, str(path) if path else None), **more}
        record["suites"] = [mean_json(mean) for mean in suite_means(run)] if rows else []
        record["hints"] = hints
        record["exit_code"] = code
        echo_json(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    elif rows:
        from mmeval.reports.narrow import print_tables
        from mmeval.reports.terminal import decision_lines, leaderboard_table

        print_tables([leaderboard_table(rows)], PIPE_WIDTH)
        for mean in suite_means(run):
            echo(mean_line(mean))
        for line in decision_lines(rows):
            echo(line)
    for hint in hints:
        echo(hint, err=True)
    print_failures(outcome)
    echo(summary_line(outcome), err=True)
    if path is not None:
        echo(f"report: {path}", err=True)
    return code


def written_report(runs: Sequence[Run], path: Path) -> tuple[Path | None, int]:
    """Write the report of runs that are complete without it.

    Returns:
        where it is, and 0; or None and the exit code, when it cannot be written, which is told.
    """
    from mmeval.reports.build import build_report

    try:
        written = build_report(runs, path).path
    except MmevalError as error:
        echo(f"error: the run is kept, but has no report: {error}", err=True)
        return None, error.exit_code
    note_undrawn()
    return written, 0


def note_undrawn() -> None:
    """Say that charts were left out of a page that is written."""
    from mmeval.reports.drawing import undrawn

    if why := undrawn():
        echo(f"note: charts are left out of the report: {why}; its tables have their numbers", err=True)


def answer_hints(rows: Sequence[LeaderboardRow]) -> list[str]:
    """Return a sentence for each model and task with more rows without an answer than with one: most often the format's fault."""
    found = []
    for row in rows:
        silent, read = row.outcomes.get("no_answer", 0), row.outcomes.get("scored", 0)
        if row.condition != "standard" or row.subset is not None or silent + read < FEWEST or silent <= read:
            continue
        name = row.task if row.protocol == "default" else f"{row.task}@{row.protocol}"
        why = ", ".join(f"{reason} {count}" for reason, count in row.unread.items() if count)
        found.append(
            f"hint: {name}, {row.model}: {silent} of {silent + read} rows have no answer ({why}) and count as wrong;"
            " look at some responses before trusting this value"
        )
    return list(dict.fromkeys(found))


def _print_shard(outcome: Outcome, as_json: bool, more: Mapping[str, Any]) -> int:
    """Say what became of one shard: a part of the samples has no leaderboard and no report."""
    if as_json:
        record = {**summary_json(outcome, [], None), **more, "suites": [], "hints": []}
        echo_json(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    print_failures(outcome)
    echo(summary_line(outcome), err=True)
    shard = outcome.manifest.shard
    if shard is not None and outcome.exit_code == 0:
        echo(
            f"shard {shard.index}/{shard.count} has all its rows; no leaderboard before `mmeval merge` joins the shards",
            err=True,
        )
    return outcome.exit_code


def summary_line(outcome: Outcome) -> str:
    """One line: status, rows, coverage, what was asked and what came from the cache, seconds, folder."""
    counts = outcome.manifest.counts
    rows = sum(counts.get(name, 0) for name in ("scored", "no_answer", "unsupported", "unscored", "error"))
    answered = counts.get("scored", 0) + counts.get("no_answer", 0)
    wanted = rows + counts.get("missing", 0)
    coverage = f"{answered / wanted:.1%}" if wanted else "none"
    missing = f", {counts['missing']} not asked" if counts.get("missing") else ""
    seconds = outcome.manifest.timings.get("total")
    took = "" if seconds is None else f", {seconds:.1f} s"
    shard = outcome.manifest.shard
    part = "" if shard is None else f" (shard {shard.index}/{shard.count})"
    judge = outcome.manifest.judge
    judged = "" if judge is None else f"{judge.summary.get('calls', 0)} of the judge, "
    return (
        f"{outcome.manifest.status}{part}: {rows} row{'' if rows == 1 else 's'}{missing}, coverage {coverage}, {counts.get('asked', 0)} model call{'' if counts.get('asked') == 1 else 's'}, "
        f"{judged}{counts.get('cached', 0)} rows from cache{took} -> {outcome.folder}"
    )


def print_failures(outcome: Outcome) -> None:
    """Say on stderr why rows were not scored and what ended the run early."""
    for reason, count in list(outcome.failures.items())[:SHOWN_FAILURES]:
        echo(f"not scored, {count}×: {reason}", err=True)
    if len(outcome.failures) > SHOWN_FAILURES:
        echo(
            f"… and {len(outcome.failures) - SHOWN_FAILURES} further reasons (column error of results.parquet)",
            err=True,
        )
    if outcome.problem is not None:
        echo(f"error: {outcome.problem}", err=True)
    if outcome.exit_code == 6 and outcome.problem is None:
        echo(_advice(outcome), err=True)


def _advice(outcome: Outcome) -> str:
    """What helps against an incomplete run."""
    counts = outcome.manifest.counts
    broken = sum(counts.get(name, 0) for name in ("error", "unscored", "missing"))
    rows = f"{outcome.at_fault} rows" if outcome.at_fault != 1 else "1 row"
    hopeless = f"{rows} cannot be scored as {'they stand' if outcome.at_fault != 1 else 'it stands'}"
    if outcome.at_fault >= broken:
        return (
            f"incomplete: {hopeless}; asking again does not help, mending the data or a judge may (or --allow-errors)"
        )
    engines = {record.engine for record in outcome.manifest.models}
    if engines == {"imported"}:
        return "incomplete: not every sample has an answer that can be scored, see above"
    if engines == {"replay"}:
        return "incomplete: the file has no answer to some samples, see above; add them to it and run the same command again (or --allow-errors)"
    again = "incomplete: run the same command again to ask what is missing"
    return f"{again}; {hopeless}" if outcome.at_fault else again


def summary_json(outcome: Outcome, rows: list[LeaderboardRow], report: str | None) -> dict[str, Any]:
    """The machine-readable summary of a run."""
    shard = outcome.manifest.shard
    return {
        "schema": 1,
        "run": str(outcome.folder),
        "status": outcome.manifest.status,
        "exit_code": outcome.exit_code,
        "shard": None if shard is None else {"index": shard.index, "count": shard.count},
        "counts": outcome.manifest.counts,
        "timings": outcome.manifest.timings,
        "report": report,
        "leaderboard": [row_json(row) for row in rows if row.subset is None],
        "subsets": [row_json(row) for row in rows if row.subset is not None],
    }


def mean_line(mean: SuiteMean) -> str:
    """One line: suite, name, model, value and interval of a suite's mean, and of how many tasks it is."""
    from mmeval.reports.format import mean_text, visible_text

    where = f" ({visible_text(mean.condition)})" if mean.condition != "standard" else ""
    start = f"suite {mean.suite}, {mean.name}: {visible_text(mean.model)}{where}"
    if mean.value is None:
        return f"{start} {visible_text(mean.note)}"
    incomplete = f", coverage {mean.coverage:.1%} !" if mean.coverage < 1 else ""
    value, interval = mean_text(mean)
    return f"{start} {value} ({interval}), unweighted mean of {len(mean.tasks)} tasks{incomplete}"


def mean_json(mean: SuiteMean) -> dict[str, Any]:
    """One mean of a suite as JSON."""
    interval = mean.interval
    return {
        "suite": mean.suite,
        "name": mean.name,
        "model": mean.model,
        "condition": mean.condition,
        "value": mean.value,
        "ci": [interval.low, interval.high] if interval is not None else None,
        "ci_method": interval.method if interval is not None else None,
        "n": mean.n,
        "clusters": mean.clusters,
        "tasks": list(mean.tasks),
        "metrics": list(mean.metrics),
        "values": list(mean.values),
        "coverage": mean.coverage,
        "note": mean.note or None,
    }


def row_json(row: LeaderboardRow) -> dict[str, Any]:
    """One cell of the leaderboard as JSON."""
    estimate = row.estimate
    interval = estimate.interval
    return {
        "model": row.model,
        "task": row.task,
        "protocol": row.protocol,
        "condition": row.condition,
        "subset": list(row.subset) if row.subset else None,
        "metric": estimate.metric,
        "value": estimate.value,
        "ci": [interval.low, interval.high] if interval is not None else None,
        "ci_method": interval.method if interval is not None else None,
        "no_ci": estimate.no_interval,
        "n": estimate.n,
        "unit": estimate.unit,
        "clusters": estimate.clusters,
        "coverage": estimate.coverage,
        "chance": row.chance,
        "outcomes": dict(row.outcomes),
        "truncated": row.truncated,
        "no_answer": row.no_answer,
        "judged": row.judged,
        "rules": row.rules,
        "guessed": None if row.guesses is None else asdict(row.guesses),
        "fallbacks": row.fallbacks,
    }
