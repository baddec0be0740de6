"""Formatting, excerpts, shapes, script bundling, charts, resources and the terminal table."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import UsageError
from mmeval.core.resources import resource_dir
from mmeval.reports.charts import Dot, dot_chart, label_extent
from mmeval.reports.excerpts import excerpt
from mmeval.reports.format import (
    INVISIBLE,
    interval_text,
    percent,
    public_text,
    script_json,
    value_text,
    visible,
    visible_text,
)
from mmeval.reports.page import bundle
from mmeval.reports.shapes import shapes
from mmeval.reports.templates import Templates
from mmeval.reports.terminal import leaderboard_table
from mmeval.runs.folder import Run
from mmeval.runs.leaderboard import leaderboard


def test_shares_are_in_percent_and_other_metrics_are_not() -> None:
    assert value_text(0.8294, "accuracy") == "82.9"
    assert value_text(0.5, "iou@0.5") == "50.0"
    assert value_text(3.14159, "mean") == "3.142"
    assert value_text(None, "accuracy") == "–"
    assert interval_text(0.1, 0.25, "accuracy") == "10.0 – 25.0"


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "100 %"), (0.9999, "99.9 %"), (0.0, "0 %"), (0.0001, "< 0.1 %"), (0.5, "50 %"), (0.125, "12.5 %"), (None, "–")]
)  # fmt: skip
def test_percent_never_rounds_to_the_ends(share: float | None, text: str) -> None:
    assert percent(share) == text


@given(st.text())
def test_visible_text_hides_and_reorders_nothing(text: str) -> None:
    shown = str(visible(text))
    assert not INVISIBLE.search(shown)
    assert not INVISIBLE.search(visible_text(text))
    assert re.sub(r'<span class="invisible"[^>]*>[^<]*</span>', "", shown).count("<") == 0


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_script_json_round_trips_and_cannot_leave_its_block(value: object) -> None:
    import json

    text = str(script_json(value))
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


def test_script_json_is_strict() -> None:
    with pytest.raises(ValueError, match="JSON"):
        script_json({"a": float("nan")})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hf:/home/me/ckpt/step-400", "hf:…/step-400"),
        ("--data-dir /mnt/secret/data -o runs/mine", "--data-dir …/data -o runs/mine"),
        ("openai:gpt --base-url http://10.1.2.3:8000/v1", "openai:gpt --base-url http://‹host›:8000/v1"),
        ("http://user:key@gpu7.corp.example/v1", "http://‹host›/v1"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("https://huggingface.co/datasets/a/b", "https://huggingface.co/datasets/a/b"),
        ("synthetic/count and 3/4", "synthetic/count and 3/4"),
    ],
)
def test_private_paths_and_hosts_are_left_out(text: str, shown: str) -> None:
    assert public_text(text) == shown


@given(st.text(max_size=400), st.integers(0, 420), st.integers(0, 420), st.integers(10, 200))
def test_excerpt_accounts_for_every_character_in_order(text: str, start: int, length: int, limit: int) -> None:
    pieces = excerpt(text, (start, start + length), limit)
    position = 0
    for kind, piece in pieces:
        if kind == "cut":
            position += piece
        else:
            assert text[position : position + len(piece)] == piece
            position += len(piece)
    assert position == len(text)
    inside = length > 0 and start + length <= len(text)
    marks = [piece for kind, piece in pieces if kind == "mark"]
    if inside and (len(text) <= limit or length <= limit):
        assert marks == [text[start : start + length]]
    elif not inside:
        assert marks == []


def test_only_coordinate_answers_are_drawn() -> None:
    assert shapes("box/1", [0, 1, float("inf"), 3]) == []
    assert shapes("box/1", [1, 2, 3, 4]) == [[1.0, 2.0, 3.0, 4.0]]
    assert shapes("boxes/1", [[1, 2, 3, 4], [5, 6, 7, 8]]) == [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]
    assert shapes("point/2", [3, 4]) == [[3.0, 4.0]]
    assert shapes("point/2", {"box": [1, 2, 3, 4]}) == [[1.0, 2.0, 3.0, 4.0]]
    assert shapes("number/1", [1, 2, 3, 4]) == []
    assert shapes(None, [1, 2]) == []


def test_bundle_orders_modules_and_keeps_their_scopes(tmp_path: Path) -> None:
    (tmp_path / "main.js").write_text('import { twice } from "./math.js";\nconst own = 1;\nshow(twice(own));\n')
    (tmp_path / "math.js").write_text("const own = 2;\nexport function twice(x) {\n  return x * own;\n}\n")
    script = bundle(Templates(packaged=tmp_path), "main.js")
    assert script.index("function twice") < script.index("show(twice(own))")
    assert 'const { twice } = modules["math.js"];' in script
    assert "return { twice };" in script
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('import * as all from "./x.js";\n', "cannot be inlined"),
        ("export default 3;\n", "cannot be inlined"),
        ('const text = "</script>";\n', "cannot be inlined"),
        ('import { a } from "./main.js";\n', "import each other"),
        ('import { a } from "./missing.js";\n', "cannot read"),
    ],
)
def test_bundle_refuses_what_it_would_break(tmp_path: Path, source: str, reason: str) -> None:
    (tmp_path / "main.js").write_text(source)
    with pytest.raises(UsageError, match=reason):
        bundle(Templates(packaged=tmp_path), "main.js")


BANNED = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|\bFunction\(|createContextualFragment|setHTML|srcdoc"
    r"|\.on[a-z]+\s*=[^=]|[\"']on[a-z]+[\"']\s*:|setAttribute\([\"'`](?:on|style|src|href)|javascript:|\bfetch\(|XMLHttpRequest|WebSocket|sendBeacon"
    r"|importScripts|new Worker|document\.cookie|set(?:Timeout|Interval)\(\s*[\"'`]"
)
"""Ways from text to markup or code, or to the network; `port1.onmessage` is a channel of its own."""
SCRIPTS = sorted(resource_dir("reports").glob("*.js"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_never_make_markup_from_text(path: Path) -> None:
    source = path.read_text().replace("channel.port1.onmessage =", "")
    if path.name == "live.js":
        # The page of `mmeval view` asks its own server, and takes the live part from it (escaped there) without running anything.
        source = source.replace('fetch("state", ', "", 1)
    assert not (found := BANNED.search(source)), found


@pytest.mark.parametrize(
    "line",
    [
        "box.innerHTML = text", "new Function(text)", "window.eval(text)", "button.onclick = act", 'element("a", { "onclick": text })',
        'made.setAttribute("onload", text)', 'setTimeout("act()", 3)', "fetch(address)",
    ],
)  # fmt: skip
def test_the_check_of_scripts_finds(line: str) -> None:
    assert BANNED.search(line)


def test_scripts_import_what_there_is_and_use_what_they_import() -> None:
    sources = {path.name: path.read_text() for path in SCRIPTS}
    exports = {
        name: set(re.findall(r"^export (?:async )?(?:function|const|class) (\w+)", source, re.MULTILINE))
        for name, source in sources.items()
    }
    wanted: dict[str, set[str]] = {}
    for name, source in sources.items():
        body = re.sub(r"^import .*$", "", source, flags=re.MULTILINE)
        for names, module in re.findall(r'^import \{ (.*) \} from "\./(.*)";$', source, re.MULTILINE):
            for one in names.split(", "):
                assert one in exports[module], f"{name} imports {one}, which {module} has not"
                assert re.search(rf"(?:(?<![\w.])|(?<=\.\.\.)){one}\b", body), (
                    f"{name} imports {one} and does not use it"
                )
                wanted.setdefault(module, set()).add(one)
        for one in re.findall(r"^(?:async )?(?:function|const|let|class) (\w+)", body, re.MULTILINE):
            assert len(re.findall(rf"(?:(?<![\w.])|(?<=\.\.\.)){one}\b", body)) > 1, (
                f"{name} declares {one} and does not use it"
            )
    for name, made in exports.items():
        inside = {one for one in made if len(re.findall(rf"\b{one}\b", sources[name])) > 1}
        assert made <= wanted.get(name, set()) | inside, f"{name} exports what nobody uses"


@pytest.mark.skipif(shutil.which("node") is None, reason="no node on the path (apt-get install -y nodejs)")
def test_scripts_are_sound_modules() -> None:
    for path in SCRIPTS:
        done = subprocess.run(
            ["node", "--input-type=module", "--check"],
            input=path.read_text(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, (path.name, done.stderr)


def test_chart_keeps_text_as_text_and_drops_everything_else() -> None:
    names = ["<script>x</script>", "b\u202e"]
    dots = [Dot("task & co", name, "accuracy", 0.5, 0.4, 0.6, 0.25, note="  ⚠ 91.7 %") for name in names]
    svg = str(dot_chart("dots", dots, names, "what it is", label_extent(names)).svg())
    assert svg == str(dot_chart("dots", dots, names, "what it is", label_extent(names)).svg())
    root = ElementTree.fromstring(svg)
    texts = ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]
    for expected in ("task & co", "<script>x</script>", "b[U+202E]", "50.0  ⚠ 91.7 %", "0", "100"):
        assert expected in texts
    assert {node.tag.rpartition("}")[2] for node in root.iter()} <= {
        "svg",
        "g",
        "path",
        "text",
        "line",
        "rect",
        "title",
        "defs",
        "clipPath",
    }
    assert not any(name in node.attrib for node in root.iter() for name in ("style", "class", "href", "onload"))
    assert root.get("aria-label") == "what it is"


def test_resources_are_found_in_the_checkout() -> None:
    assert (resource_dir("reports") / "report.html.j2").is_file()
    assert resource_dir("tasks").is_dir()


def test_resources_of_a_wheel_are_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmeval.core import resources
    from mmeval.core.errors import StorageError

    (tmp_path / "site" / "mmeval" / "_data" / "tasks").mkdir(parents=True)
    (tmp_path / "site" / "tasks").mkdir()
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "site" / "mmeval")
    assert resource_dir("tasks") == tmp_path / "site" / "mmeval" / "_data" / "tasks"
    with pytest.raises(StorageError, match="'judges' is missing"):
        resource_dir("judges")


def test_terminal_table_has_every_number_and_plain_names(run: Run) -> None:
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=160, color_system=None).print(leaderboard_table(leaderboard(run, by_subset=True)))
    text = out.getvalue()
    lines = {tuple(line.split()[:2]): line for line in text.splitlines()}
    row = lines["synthetic/count", "tiny-late"]
    assert "95 % interval" in text
    assert re.search(r"accuracy %\s+\d+\.\d\s+\d+\.\d – \d+\.\d\s+24\s+100 %\s+20\.0", row)
    assert "91.7 % !" in lines["text/repeat", "tiny-late"]
    assert "[U+202E]" in text
    assert "\x1b" not in text
