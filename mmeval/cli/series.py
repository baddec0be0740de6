"""`mmeval run -m 'vllm:./ckpt/step-*'`: one run per checkpoint, one after another, and one table over all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from mmeval.cli.terminal import echo, echo_json
from mmeval.core.errors import MmevalError, UsageError
from mmeval.runs.config import RunConfig, default_output
from mmeval.runs.series import Member

if TYPE_CHECKING:
    from mmeval.runs.outcome import Outcome

INTERRUPTED = 130


def run_series(
    config: RunConfig,
    members: Sequence[Member],
    carry_out: Callable[[RunConfig, Path], Outcome],
    *,
    report: bool,
    as_json: bool,
) -> int:
    """Run every member into a folder of its own; the same command resumes, and adds checkpoints that are new.

    A checkpoint that cannot be run does not stop the others. Each engine is closed before the next one starts.

    Args:
        config: of the whole series.
        members: in the order in which they run and appear in the table.
        carry_out: runs one configuration into a folder.
        report: write `report.html` of all members into the series' folder.
        as_json: print one JSON object instead of the table.

    Returns:
        The exit code of the first member that did not end with 0; 130 ends the series.
    """
    base = Path(config.output) if config.output else default_output(config.model_copy(update={"output": None}))
    if (base / "run.json").exists():
        raise UsageError(f"{base} holds a run of another kind", remedy="give another folder for the series with -o")
    code = 0
    folders: list[Path] = []
    records: list[dict[str, Any]] = []
    for number, member in enumerate(members, 1):
        folder = base / member.folder
        echo(f"[{number}/{len(members)}] {member.model} -> {folder}", err=True)
        one = config.model_copy(update={"models": [member.model], "output": str(folder)})
        try:
            outcome = carry_out(one, folder)
        except MmevalError as error:
            echo(f"error: {member.model}: {error}", err=True)
            code = code or error.exit_code
            records.append({"model": member.model, "run": str(folder), "exit_code": error.exit_code})
            continue
        record, failed = _finish(outcome, member, report)
        records.append(record)
        if (folder / "results.parquet").exists() and config.shard is None:
            folders.append(folder)
        code = code or outcome.exit_code or failed
        if outcome.exit_code == INTERRUPTED:
            code = INTERRUPTED
            break
    return _show(base, folders, records, report, as_json, code)


def _finish(outcome: Outcome, member: Member, report: bool) -> tuple[dict[str, Any], int]:
    """Write one member's own report and say how it ended; returns the exit code of the report too."""
    from mmeval.cli.summary import mean_json, print_failures, summary_json, summary_line, written_report
    from mmeval.runs.aggregates import suite_means
    from mmeval.runs.folder import open_run
    from mmeval.runs.leaderboard import leaderboard

    rows = []
    means: list[dict[str, Any]] = []
    path, failed = None, 0
    if (outcome.folder / "results.parquet").exists() and outcome.manifest.shard is None:
        run = open_run(outcome.folder)
        rows = leaderboard(run, by_subset=True, all_metrics=True)
        means = [mean_json(mean) for mean in suite_means(run)]
        if report and rows:
            path, failed = written_report([run], outcome.folder / "report.html")
    print_failures(outcome)
    echo(summary_line(outcome), err=True)
    summary = summary_json(outcome, rows, str(path) if path else None)
    code = outcome.exit_code or failed
    return {"model": member.model, **summary, "suites": means, "exit_code": code}, failed


def _show(
    base: Path, folders: Sequence[Path], records: list[dict[str, Any]], report: bool, as_json: bool, code: int
) -> int:
    """Print what the series came to, write its report, and return its exit code."""
    from mmeval.cli.summary import PIPE_WIDTH, mean_line, written_report
    from mmeval.runs.aggregates import suite_means
    from mmeval.runs.folder import open_run
    from mmeval.runs.leaderboard import leaderboard

    runs = [open_run(folder) for folder in folders]
    path = None
    if report and runs:
        path, failed = written_report(runs, base / "report.html")
        code = code or failed
    if as_json:
        record = {"schema": 1, "series": records, "exit_code": code, "report": str(path) if path else None}
        echo_json(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    elif runs:
        from mmeval.reports.narrow import print_tables
        from mmeval.reports.terminal import decision_lines, leaderboard_table

        rows = [row for run in runs for row in leaderboard(run)]
        order = {name: place for place, name in enumerate(dict.fromkeys(row.task for row in rows))}
        rows.sort(key=lambda row: order[row.task])  # stable: within a task the steps stay in their order
        print_tables([leaderboard_table(rows)], PIPE_WIDTH)
        for mean in (mean for run in runs for mean in suite_means(run)):
            echo(mean_line(mean))
        for line in decision_lines(rows):
            echo(line)
    if path is not None:
        echo(f"report of the series: {path}", err=True)
    return code
