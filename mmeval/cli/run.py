"""`mmeval run`."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmeval.cli.file_options import file_options
from mmeval.cli.judge_options import engine_args, judge_options
from mmeval.cli.keys import model_key
from mmeval.cli.parameter_types import FiniteRange
from mmeval.cli.place_options import cache_option, task_path_option
from mmeval.cli.ray_options import beside_ray, ray_options, ray_values
from mmeval.cli.signals import end_as_by_ctrl_c, ending, run_loop
from mmeval.cli.terminal import echo
from mmeval.core.errors import MmevalError, UsageError
from mmeval.core.memory import steady_memory
from mmeval.runs.config import RunConfig, build_config, default_output, read_config
from mmeval.runs.series import expand_series
from mmeval.tasks.file_selector import is_file_selector, split_selectors

if TYPE_CHECKING:
    from mmeval.runs.outcome import Outcome


def _split(values: tuple[str, ...]) -> list[str]:
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


@click.command(context_settings={"show_default": True})
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="MODEL",
    help="Model(s), e.g. tiny, hf:./ckpt, openai:gpt-4o, chance. Commas or several -m.",
)
@click.option(
    "-t",
    "--task",
    "tasks",
    multiple=True,
    metavar="TASK[@PROTOCOL]",
    help="Task(s), globs or suites, e.g. demo, 'synthetic/*', mathvista@official; file:PATH for any data file.",
)
@file_options()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Run folder. Default: runs/ and a name made of the options, so that the same command resumes.",
)
@click.option(
    "--condition",
    "conditions",
    multiple=True,
    metavar="NAME",
    help="What is done to samples before asking: standard, blind, blind-told, blank, noise:189, mask:0.5, two-hop …, or the set diagnose.",
)
@click.option("--repeats", type=click.IntRange(min=1), help="Ask every sample this often (avg@k, pass@k).")
@click.option(
    "--limit",
    metavar="N|SHARE",
    help="Only so many samples of each task (stratified, seeded, whole clusters): 200, 0.1 or 10%.",
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Only the I-th of N parts of the samples, into a run folder of its own; `mmeval merge` joins them.",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of sampling and of --limit.  [default: 0]")
@click.option(
    "--sampling",
    multiple=True,
    metavar="KEY=VALUE",
    help="Decoding: temperature, top_p, top_k, min_p, repetition_penalty, max_tokens, stop.",
)
@click.option(
    "--engine-arg",
    "engine_args",
    multiple=True,
    metavar="KEY=VALUE",
    help="Argument of the engine, under its own name.",
)
@click.option("--base-url", "base_urls", multiple=True, metavar="URL", help="Endpoint(s) of an openai: model.")
@click.option("--concurrency", type=click.IntRange(min=1), help="Requests in flight. Default: what the engine says.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="YAML file with these options, or the run.json of a run to repeat.",
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with data sets in their own layout.")
@task_path_option
@cache_option()
@click.option("--dry-run", is_flag=True, help="Load, render and show the first requests; ask nothing.")
@click.option("--report/--no-report", default=True, help="Write report.html into the run folder.")
@click.option("--tensor-parallel", type=click.IntRange(min=1), help="GPUs that one copy of the model is spread over.")
@click.option("--data-parallel", type=click.IntRange(min=1), help="Copies of the model that share the requests.")
@ray_options
@click.option("--engine-python", metavar="PATH", help="Python of the environment in which the engine lives.")
@click.option(
    "--model-id",
    metavar="ID",
    help="Your word for which weights an endpoint serves; its answers are then shared between runs.",
)
@click.option("--revision", metavar="R", help="Hub revision of the model.")
@click.option("--profile", metavar="NAME", help="Model profile instead of the one that its configuration suggests.")
@click.option(
    "--prompt-file", type=click.Path(path_type=Path), help="Jinja2 template that replaces the tasks' prompts."
)
@click.option("--no-media", is_flag=True, help="Do not copy images into the run folder.")
@click.option(
    "--timeout",
    "timeout_s",
    type=FiniteRange(min=0, min_open=True),
    help="Seconds that one request may take.  [default: 600]",
)
@click.option(
    "--attempts", type=click.IntRange(min=1), help="Tries per request before it becomes an error row.  [default: 5]"
)
@click.option(
    "--outage",
    "outage_s",
    type=FiniteRange(min=0),
    metavar="SECONDS",
    help="How long to wait for an endpoint that fails again and again.  [default: 60]",
)
@click.option(
    "--allow-errors",
    type=FiniteRange(0, 1),
    metavar="SHARE",
    help="Share of rows that may fail before the exit code is 6.  [default: 0]",
)
@click.option("--retriever", metavar="URL", help="Your retriever, for tasks that search documents (docs/looking.md).")
@judge_options
@click.option("--trust-remote-code", is_flag=True, help="Run code that comes with a checkpoint. Named in the manifest.")
@click.option(
    "--trace",
    "trace_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write where the time goes, for Perfetto or chrome://tracing; a summary goes into run.json.",
)
@click.option("--overwrite", is_flag=True, help="Replace a run of another configuration in the same folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the leaderboard as JSON on stdout.")
def run(
    config_file: Path | None,
    cache_file: Path | None,
    dry_run: bool,
    report: bool,
    overwrite: bool,
    as_json: bool,
    trace_file: Path | None,
    **options: Any,
) -> int:
    """Ask models, score the answers, and write a run folder with a report.

    Running the same command again resumes: only what is not yet in the cache is asked.

    \b
    Examples:
      mmeval run -m tiny -t demo
      mmeval run -m tiny,tiny-early,chance -t 'synthetic/*' --limit 200
      mmeval run -m openai:my-model --base-url http://127.0.0.1:8000/v1 -t mathvista
    """
    config = _with_files(_resolve(options, config_file), options)
    cache_path = cache_file or Path(config.cache or os.environ.get("MMEVAL_CACHE") or "cache/responses.sqlite")

    def carry_out(one: RunConfig, into: Path) -> Outcome:
        with beside_ray(one.workers):
            return run_loop(lambda: _execute(one, into, cache_path, overwrite, trace_file))

    members = expand_series(config.models)
    if members is not None and trace_file is not None:
        raise UsageError(
            "--trace is of one run, and a series is several", remedy="leave --trace out, or name one model"
        )
    if members is not None and dry_run:
        config = config.model_copy(update={"models": [member.model for member in members]})
    elif members is not None:
        from mmeval.cli.series import run_series

        return run_series(config, members, carry_out, report=report, as_json=as_json)
    folder = Path(config.output) if config.output else default_output(config)
    if dry_run:
        from mmeval.cli.dry_run import show_dry_run

        show_dry_run(config)
        return 0
    outcome = carry_out(config, folder)
    from mmeval.cli.summary import print_outcome

    return print_outcome(outcome, report=report, as_json=as_json)


def _with_files(config: RunConfig, options: dict[str, Any]) -> RunConfig:
    """Look at the data files among the tasks, and say how they are read."""
    if (
        not config.columns
        and not config.answer_kind
        and not config.answer_form
        and not any(map(is_file_selector, config.tasks))
    ):
        return config
    from mmeval.runs.file_tasks import mapping_line, with_file_tasks

    anew = bool(options["columns"] or options["answer_kind"] or options["answer_form"])
    config, cards = with_file_tasks(config, anew=anew)
    for card in cards:
        echo(mapping_line(card), err=True)
    return config


def _resolve(options: dict[str, Any], config_file: Path | None) -> RunConfig:
    from mmeval.pipeline.plan import parse_sampling
    from mmeval.tasks.limit import parse_limit
    from mmeval.tasks.sharding import parse_shard

    values = read_config(config_file) if config_file else {}
    for name in ("models", "conditions"):
        if options[name]:
            values[name] = _split(options[name])
    if options["tasks"]:
        values["tasks"] = split_selectors(options["tasks"])
    if options["columns"]:
        values["columns"] = list(options["columns"])
    for name in ("base_urls", "task_paths", "judge_base_urls"):
        if options[name]:
            values[name] = [str(value) for value in options[name]]
    if options["sampling"]:
        values["sampling"] = {**values.get("sampling", {}), **parse_sampling(options["sampling"])}
    for name in ("engine_args", "judge_engine_args"):
        if options[name]:
            values[name] = {**values.get(name, {}), **engine_args(options[name], name)}
    if options["limit"] is not None:
        try:
            values["limit"] = parse_limit(options["limit"])
        except ValueError as error:
            raise UsageError(
                f"--limit {options['limit']}: {error}", remedy="a count like 200, or a share like 0.1 or 10%"
            ) from error
    values |= ray_values(options)
    if options["no_media"]:
        values["media"] = False
    for name in ("trust_remote_code", "judge_swap"):
        if options[name]:
            values[name] = True
    if options["shard"] is not None:
        try:
            parse_shard(options["shard"])
        except ValueError as error:
            raise UsageError(
                f"--shard {options['shard']}: {error}", remedy="e.g. --shard 1/4 up to --shard 4/4"
            ) from error
    simple = (
        "shard", "answer_kind", "answer_form", "output", "repeats", "seed", "concurrency", "data_dir", "engine_python", "model_id", "revision", "profile",
        "prompt_file", "tensor_parallel", "data_parallel", "timeout_s", "attempts", "outage_s", "allow_errors",
        "retriever", "judge", "judge_model_id", "judge_engine_python", "judge_concurrency", "judge_repeats",
    )  # fmt: skip
    for name in simple:
        if options[name] is not None:
            values[name] = str(options[name]) if isinstance(options[name], Path) else options[name]
    config = build_config(values)
    if config.prompt_file and (options["prompt_file"] is not None or config.prompt is None):
        try:
            config = config.model_copy(update={"prompt": Path(config.prompt_file).read_text(encoding="utf-8")})
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"cannot read --prompt-file {config.prompt_file}: {error}", remedy="give a UTF-8 text file"
            ) from error
    if config.prompt is not None and not config.prompt.strip():
        raise UsageError(f"--prompt-file {config.prompt_file} is empty", remedy="write a Jinja2 template into it")
    return config


def _calm_collector() -> None:
    """Let Python's cycle collector look at less and less often: it would go through all that is loaded and in flight again and again.

    What modules made lives as long as the process. Rows make next to no cycles, so memory does not grow by waiting.
    """
    gc.freeze()
    gc.set_threshold(50_000, 10, 20)


async def _execute(
    config: RunConfig, folder: Path, cache_path: Path, overwrite: bool, trace_file: Path | None
) -> Outcome:
    from mmeval.cli.progress import progress_display
    from mmeval.core.secrets import command_line
    from mmeval.pipeline.trace import Trace
    from mmeval.runs.execute import execute
    from mmeval.runs.preparing import prepare_run
    from mmeval.runs.record import row_notes

    started = time.monotonic()
    stop = asyncio.Event()
    trace = None if trace_file is None else Trace(trace_file)
    prepared = await prepare_run(config, model_key(), os.environ.get("MMEVAL_JUDGE_API_KEY"))
    for note in [*prepared.notes, *row_notes(prepared)]:
        echo(note, err=True)
    loop = asyncio.get_running_loop()
    _calm_collector()
    steady_memory()

    asked = 0

    def interrupt(number: signal.Signals) -> None:
        nonlocal asked
        # A closed terminal says so twice by itself (the kernel and the shell), and a limit of CPU time every second.
        insists = number in (signal.SIGINT, signal.SIGTERM)
        asked += insists
        if insists and asked > 1:
            echo("stopping at once", err=True)
            os._exit(130)
        if not stop.is_set():
            stop.set()
            echo(
                "\nstopping: finished answers are kept; run the same command again to go on (Ctrl-C again stops at once)",
                err=True,
            )

    for name in ending():
        loop.add_signal_handler(name, interrupt, name)
    try:
        async with progress_display(started) as observe:
            return await execute(prepared, folder, cache_path, command_line(sys.argv), stop, observe, overwrite, trace)
    except BaseExceptionGroup as group:
        inner: BaseException = group
        while isinstance(inner, BaseExceptionGroup):
            inner = inner.exceptions[0]
        if isinstance(inner, MmevalError):
            raise inner from group
        raise
    finally:
        if trace is not None:
            await trace.close()
        for name in ending():
            loop.remove_signal_handler(name)
        end_as_by_ctrl_c()
