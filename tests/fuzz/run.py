"""Fuzz every target with coverage feedback (atheris): `python -m tests.fuzz.run --inputs 10000000`.

Each target runs in a process of its own, which libFuzzer ends at the first defect and whose input it keeps. The table at the end counts the inputs.
Needs `pip install atheris` (Linux).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.targets import ALL, PIECES

SHARES = {
    "answers": 25, "golds": 5, "endpoint": 20, "judge": 12, "steps": 12, "frames": 14, "pictures": 1, "pages": 4, "cards": 1, "predictions": 1,
    "archives": 1, "forms": 4,
}  # fmt: skip
"""Percent of the inputs; slow targets get fewer."""
SECONDS_PER_INPUT = 20
MEMORY_MB = 3000
LONGEST = 2048
"""Bytes of an input."""
ROOT = Path(__file__).resolve().parents[2]
REPLIES = (
    b'{"choices": [{"message": {"content": "B", "reasoning_content": "r"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}',
    b'{"choices": [{"message": {"content": [{"type": "text", "text": "B"}], "refusal": null}, "finish_reason": "length"}], "usage": null}',
    b'{"error": {"message": "maximum context length is 4096", "type": "invalid_request_error", "code": "context_length_exceeded", "param": null}}',
    b"Wed, 21 Oct 2026 07:28:00 GMT", b"120", b"<html><body>502</body></html>",
)  # fmt: skip


def fuzz_one(name: str, arguments: Sequence[str]) -> None:
    """Hand this process to libFuzzer."""
    import atheris

    with atheris.instrument_imports(include=["mmeval"]), tempfile.TemporaryDirectory() as folder:
        target, place = ALL[name], Path(folder)
        target(b"\x00\x00\x00{}", place)  # what is imported inside functions must be instrumented too
        atheris.Setup([sys.argv[0], *arguments], lambda data: target(data, place))
        atheris.Fuzz()


def dictionary(path: Path) -> None:
    """Write what model output is made of in libFuzzer's form."""
    path.write_text("".join('"' + "".join(f"\\x{byte:02x}" for byte in piece.encode()) + '"\n' for piece in PIECES))


def seeds(folder: Path, name: str) -> None:
    """Start from sound inputs."""
    folder.mkdir(parents=True, exist_ok=True)
    given = [bytes([number, number % 7, number % 11]) + piece.encode() for number, piece in enumerate(PIECES)]
    if name == "endpoint":
        given += [b"\0" + body for body in REPLIES]
    elif name == "judge":
        from mmeval.verifiers.judge_files import list_judges
        from mmeval.verifiers.judge_prompt import example_input, example_reply, request_id

        for number, card in enumerate(list_judges()):
            for example in card.examples:
                shown = example_input(example)
                said = example_reply(card, shown, example.reply).replace(request_id(card, shown), "ID")
                given += [
                    bytes([number]) + wrapped.encode() for wrapped in (said, f"<think>{{}}</think>```json\n{said}\n```")
                ]
    elif name == "pages":
        given.append(b'{"results": [{"id": "a", "score": 0.5, "path": "a.png"}, {"id": "b", "image": "iVBORw0KGgo="}]}')
    elif name == "cards":
        files = [
            *(ROOT / "tasks").rglob("*.yaml"),
            *(ROOT / "judges").glob("*.yaml"),
            *(ROOT / "mmeval/profiles").glob("*.yaml"),
        ]
        given += [path.read_bytes() for path in sorted(files) if path.stat().st_size < LONGEST]
    elif name == "predictions":
        files = [path for path in sorted((ROOT / "tests/data/importers").rglob("*")) if path.is_file()]
        given += [bytes([number]) + path.read_bytes()[: LONGEST - 1] for path in files for number in range(14)]
    elif name == "pictures":
        given += pictures()
    elif name in ("golds", "steps", "archives"):
        given += [
            bytes([number]) + text
            for number, text in enumerate((b"[[1, 2], [3, 4]]", b'{"box": [1, 2, 3, 4]}', b'{"format": 1}\n'))
        ]
    for number, data in enumerate(given):
        (folder / f"seed-{number}").write_bytes(data)


def pictures() -> list[bytes]:
    """Small pictures of the formats and modes that decoders differ in."""
    import io

    from PIL import Image

    made = []
    for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"):
        for mode in ("RGB", "L", "P", "RGBA", "1", "CMYK", "I;16"):
            stream = io.BytesIO()
            try:
                Image.new(mode, (7, 5), 1).save(stream, form)
            except (OSError, ValueError, KeyError):
                continue  # the format has no such mode
            made.append(stream.getvalue())
    return made


def main() -> int:
    """Fuzz; exit code 1 when an input was not handled."""
    if sys.argv[1:2] == ["--one"]:
        fuzz_one(sys.argv[2], sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"default: all of {', '.join(ALL)}")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="in total")
    parser.add_argument("--seconds", type=int, default=36_000, help="at most, per target")
    parser.add_argument(
        "--corpus",
        type=Path,
        default=ROOT / "build/fuzz",
        help="inputs that reached something new, kept for the next time",
    )
    chosen = parser.parse_args()
    names = chosen.targets or list(ALL)
    unknown = sorted(set(names) - ALL.keys())
    if unknown:
        parser.error(f"no such target: {', '.join(unknown)}")
    weight = sum(SHARES[name] for name in names)
    lines, failed = [], 0
    for name in names:
        corpus = chosen.corpus / name
        seeds(corpus, name)
        dictionary(chosen.corpus / "dictionary")
        command = [
            sys.executable, "-m", "tests.fuzz.run", "--one", name, str(corpus), f"-runs={chosen.inputs * SHARES[name] // weight}",
            f"-max_total_time={chosen.seconds}", f"-timeout={SECONDS_PER_INPUT}", f"-rss_limit_mb={MEMORY_MB}", f"-max_len={LONGEST}",
            f"-dict={chosen.corpus / 'dictionary'}", f"-artifact_prefix={chosen.corpus}/{name}-", "-print_final_stats=1", "-seed=1",
        ]  # fmt: skip
        started = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        took = time.monotonic() - started
        executed = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
        kept = re.search(r"Test unit written to (\S+)", done.stderr)
        state = (
            "no defect"
            if done.returncode == 0
            else f"defect: {kept.group(1) if kept else f'exit code {done.returncode}'}"
        )
        failed += done.returncode != 0
        lines.append((name, int(executed.group(1)) if executed else 0, took, state))
        print(f"{name:12} {lines[-1][1]:>10,} inputs {took:8.0f} s  {state}", flush=True)
        if done.returncode:
            print("\n".join(done.stdout.splitlines()[-3:] + _traceback(done.stderr)), file=sys.stderr, flush=True)
    print(
        f"{'all':12} {sum(count for _, count, _, _ in lines):>10,} inputs {sum(took for *_, took, _ in lines):8.0f} s  {failed} with a defect"
    )
    return 1 if failed else 0


def _traceback(text: str) -> list[str]:
    lines = text.splitlines()
    start = next(
        (
            place
            for place, line in enumerate(lines)
            if "Uncaught Python exception" in line or "ERROR: libFuzzer" in line
        ),
        len(lines) - 12,
    )
    return lines[start : start + 30]


if __name__ == "__main__":
    sys.exit(main())
