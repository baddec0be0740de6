"""`mmeval gate`."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmeval.cli.terminal import echo, echo_json
from mmeval.core.errors import UsageError

if TYPE_CHECKING:
    from mmeval.analysis.gate import GateReport
    from mmeval.analysis.gate_calibrate import Calibration
    from mmeval.analysis.gate_plan import Plan
    from mmeval.analysis.gate_policy import Policy

PIPE_WIDTH = 160


@click.command(context_settings={"show_default": True})
@click.option("--baseline", metavar="RUN", help="The reference: FOLDER or FOLDER#MODEL.")
@click.option("--candidate", metavar="RUN", help="What is to be judged.")
@click.option("--policy", "policy_file", metavar="FILE", type=click.Path(), help="The rules, see docs/gate.md.")
@click.option("--out", metavar="DIR", type=click.Path(), help="Folder for gate.json, junit.xml and gate.md.")
@click.option("--report", is_flag=True, help="Write report.html into --out too: both runs with the verdicts on top.")
@click.option(
    "--plan", is_flag=True, help="Say what every rule can find out, from the baseline alone; refuse hopeless ones."
)
@click.option(
    "--calibrate", metavar="RUN", help="Measure the A/A noise from the repeats of RUN (with --baseline: two runs)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def gate(
    baseline: str | None,
    candidate: str | None,
    policy_file: str | None,
    out: str | None,
    report: bool,
    plan: bool,
    calibrate: str | None,
    as_json: bool,
) -> int:
    """Decide by a policy whether a candidate may replace the baseline.

    Exit codes: 0 every rule passed or warned, 2 usage or policy, 3 a rule failed, 4 inconclusive and the policy says
    that this fails, 5 an invalid comparison, 6 too many failed rows: run again.

    \b
    Examples:
      mmeval gate --baseline runs/main --candidate runs/pr --policy gate.yaml --out gate/
      mmeval gate --baseline runs/main --policy gate.yaml --plan
      mmeval gate --calibrate runs/main-repeats --out gate/
    """
    if report and (out is None or plan or calibrate is not None):
        raise UsageError(
            "--report needs --out, and verdicts to show", remedy="give --out DIR without --plan and --calibrate"
        )
    if calibrate is not None:
        if plan or candidate is not None or policy_file is not None:
            raise UsageError("--calibrate takes no --plan, --candidate or --policy", remedy="leave them out")
        return _calibrate([calibrate, *([baseline] if baseline else [])], out, as_json)
    if policy_file is None or baseline is None:
        missing = "--policy" if policy_file is None else "--baseline"
        raise UsageError(f"{missing} is missing", remedy="see `mmeval gate --help`")
    from mmeval.analysis.gate_policy import load_policy

    policy = load_policy(Path(policy_file))
    calibration = _calibration(policy, Path(policy_file))
    if plan:
        if candidate is not None:
            raise UsageError("--plan needs no candidate", remedy="leave out --candidate")
        return _plan(baseline, policy, calibration, out, as_json)
    if candidate is None:
        raise UsageError("--candidate is missing", remedy="give a run, or --plan to see what the policy can find out")
    return _gate((baseline, candidate), policy, calibration, (out, report), as_json)


def _calibration(policy: Policy, place: Path) -> Calibration | None:
    if policy.calibration is None:
        return None
    from mmeval.analysis.gate_calibrate import load_calibration

    return load_calibration(place.parent / policy.calibration)


def _gate(
    addresses: tuple[str, str],
    policy: Policy,
    calibration: Calibration | None,
    written: tuple[str | None, bool],
    as_json: bool,
) -> int:
    from mmeval.analysis.gate import run_gate
    from mmeval.analysis.gate_json import gate_json
    from mmeval.analysis.pairing import open_sides
    from mmeval.reports import gate_files as files

    baseline, candidate = open_sides(addresses)
    today = datetime.datetime.now(datetime.UTC).date()
    report = run_gate(baseline, candidate, policy, today, calibration)
    out, with_page = written
    if out is not None:
        files.write_gate(report, Path(out))
        if with_page:
            _write_page(report, Path(out) / "report.html")
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary and (problem := files.append_summary(files.markdown(report), summary)):
        echo(f"warning: {problem}", err=True)
    if as_json:
        echo_json(files.json_bytes(gate_json(report)), nl=False)
    else:
        _print(report)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in files.github_annotations(report):
            echo(line, err=as_json)
    echo(f"gate: {report.verdict} (exit code {report.exit_code}): {report.reason}", err=True)
    return report.exit_code


def _write_page(report: GateReport, path: Path) -> None:
    from mmeval.analysis.gate_json import gate_json
    from mmeval.cli.summary import note_undrawn
    from mmeval.reports.build import build_report
    from mmeval.reports.gate_record import GateRecord, ShownGate
    from mmeval.reports.names import name_runs
    from mmeval.runs.folder import Run

    runs = [Run(side.run.path, side.run.manifest, side.model) for side in (report.baseline, report.candidate)]
    base, candidate = (entry.models[entry.run.models[0]] for entry in name_runs(runs))
    record = GateRecord.of(gate_json(report))
    summary = build_report(runs, path, gate=ShownGate(record, (base, candidate)))
    note_undrawn()
    echo(f"wrote {summary.path} ({summary.bytes / 1e6:.1f} MB)", err=True)


def _print(report: GateReport) -> None:
    from mmeval.reports.gate_files import terminal_table, worst_first
    from mmeval.reports.narrow import print_tables

    print_tables([terminal_table(report)], PIPE_WIDTH)
    for one in worst_first(report):
        if one.verdict != "PASS" or one.notes:
            said = "; ".join(part for part in (one.message, *one.notes) if part)
            echo(f"{one.verdict} {one.check.id}, {one.check.target.place}: {said}")


def _plan(baseline: str, policy: Policy, calibration: Calibration | None, out: str | None, as_json: bool) -> int:
    from mmeval.analysis.gate_json import plan_json
    from mmeval.analysis.gate_plan import plan_gate
    from mmeval.analysis.pairing import open_sides
    from mmeval.reports.gate_files import json_bytes, write_file

    (side,) = open_sides([baseline])
    plan = plan_gate(side, policy, calibration)
    content = json_bytes(plan_json(plan))
    if out is not None:
        write_file(Path(out) / "plan.json", content)
    if as_json:
        echo_json(content, nl=False)
    else:
        _print_plan(plan)
    told = (
        f"{len(plan.refused)} of {len(plan.rules)} rules refused"
        if plan.refused
        else f"{len(plan.rules)} rules can work"
    )
    echo(f"gate --plan: {told}", err=True)
    return 2 if plan.refused else 0


def _print_plan(plan: Plan) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from mmeval.reports.format import visible_text
    from mmeval.reports.narrow import print_tables

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("rule", "task", "kind", "n", "differing", "passes if equal", "drop", "detects", ""):
        table.add_column(name, justify="left" if name in ("rule", "task", "kind", "") else "right")
    for one in plan.rules:
        for each in one.scenarios:
            drop = "–" if one.drop is None else f"{one.drop:.4g}"
            cells = [one.check.id, one.check.target.place.removeprefix("task "), one.check.rule.kind]
            cells += [str(one.n) if one.n == one.clusters else f"{one.n} ({one.clusters} clusters)"]
            cells += ["–" if each.discordance is None else f"{each.discordance:.1%}", f"{each.passes:.0%}", drop]
            cells += ["–" if each.detects is None else f"{each.detects:.0%}", one.problem]
            table.add_row(*(Text(visible_text(cell), style="red" if one.problem else "") for cell in cells))
    print_tables([table], PIPE_WIDTH)


def _calibrate(addresses: list[str], out: str | None, as_json: bool) -> int:
    from mmeval.analysis.gate_calibrate import calibrate
    from mmeval.analysis.gate_data import Source
    from mmeval.analysis.pairing import open_sides
    from mmeval.reports.gate_files import json_bytes, write_file

    found = calibrate([Source(side) for side in open_sides(addresses)])
    content = json_bytes(found.model_dump(mode="json"))
    if out is not None:
        write_file(Path(out) / "calibration.json", content)
    if as_json:
        echo_json(content, nl=False)
    else:
        for one in found.entries:
            echo(
                f"{one.task}, {one.condition}, {one.metric}: {one.items} items, flips {one.flip_rate:.2%},"
                f" noise floor {one.floor:.4f}"
            )
        for note in found.notes:
            echo(f"note: {note}")
    where = f" -> {Path(out) / 'calibration.json'}" if out is not None else ""
    echo(f"gate --calibrate: {len(found.entries)} entries{where}", err=True)
    return 0
