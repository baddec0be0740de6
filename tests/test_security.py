"""What the code never does with data from outside: run it, unpickle it, hand it to a shell, unpack it to disk, open a port to the network."""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmeval.core.errors import DataError
from mmeval.runs.importers.archive import Archive

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "mmeval").rglob("*.py"))
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.startfile", "subprocess.getoutput",
    "subprocess.getstatusoutput", "asyncio.create_subprocess_shell", "tempfile.mktemp", "shutil.unpack_archive",
    "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "yaml.unsafe_load_all",
}  # fmt: skip
FORBIDDEN_METHODS = {"extractall", "read_pickle", "to_pickle"}
FORBIDDEN_MODULES = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "marshal",
    "shelve",
    "joblib",
    "jsonpickle",
    "pty",
    "telnetlib",
}
FORBIDDEN_ARGUMENTS = {
    ("shell", True),
    ("allow_pickle", True),
    ("verify", False),
    ("ssl", False),
    ("weights_only", False),
    ("trust_remote_code", True),
}
EVERYWHERE = {"0.0.0.0", "[::]"}
"""Addresses on which a server would be open to the network."""
SAFE_LOADERS = {"_OnceLoader"}


def findings(source: str) -> Iterator[str]:
    """Name what a module must not do."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (f"imports {name}" for name in names if name.split(".")[0] in FORBIDDEN_MODULES)
        if isinstance(node, ast.Constant) and node.value in EVERYWHERE:
            yield f"names the address {node.value}"
        if isinstance(node, ast.ClassDef) and node.name in SAFE_LOADERS:
            bases = {ast.unparse(base) for base in node.bases}
            if (
                not bases <= {"yaml.SafeLoader", "SafeLoader", "yaml.CSafeLoader", "_BASE"}
                and "getattr(yaml, 'CSafeLoader', yaml.SafeLoader)" not in bases
            ):
                yield f"{node.name} is no safe loader ({', '.join(sorted(bases))})"
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in FORBIDDEN_CALLS or (
                isinstance(node.func, ast.Attribute) and node.func.attr in FORBIDDEN_METHODS
            ):
                yield f"calls {name}"
            given = {word.arg: word.value for word in node.keywords}
            for argument, value in FORBIDDEN_ARGUMENTS:
                if argument in given and isinstance(given[argument], ast.Constant) and given[argument].value is value:
                    yield f"{name} with {argument}={value}"
            if name == "yaml.load":
                loader = given.get("Loader")
                if loader is None or ast.unparse(loader) not in SAFE_LOADERS | {
                    "getattr(yaml, 'CSafeLoader', yaml.SafeLoader)"
                }:
                    yield "yaml.load without a safe loader"
            if name in ("torch.load", "numpy.load", "np.load") and not {"weights_only", "allow_pickle"} & set(given):
                yield f"{name} without its guard"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_does_what_it_must_not(path: Path) -> None:
    assert list(findings(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval(x)", "exec(x)", "import pickle", "from dill import loads", "os.system(x)", "subprocess.run(x, shell=True)",
        "asyncio.create_subprocess_shell(x)", "yaml.load(x)", "yaml.load(x, Loader=yaml.Loader)", "np.load(p, allow_pickle=True)",
        "torch.load(p)", "torch.load(p, weights_only=False)", "archive.extractall(p)", "pd.read_pickle(p)", "serve(host='0.0.0.0')",
        "session.get(u, ssl=False)", "load_dataset(p, trust_remote_code=True)", "class _OnceLoader(yaml.UnsafeLoader): pass",
    ],
)  # fmt: skip
def test_the_rules_see_what_they_forbid(source: str) -> None:
    assert list(findings(source))


def test_an_archive_that_points_out_of_itself_is_refused_and_nothing_is_unpacked(tmp_path: Path) -> None:
    for number, name in enumerate(("../../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:\\evil")):
        path = tmp_path / f"{number}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, "x")
        with pytest.raises(DataError, match="points out of the file"):
            Archive(path, 1 << 20, "log")
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1 << 22))
    with pytest.raises(DataError, match="unpacked"):
        Archive(bomb, 1 << 20, "log")
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".zip"] * 6


def test_a_data_set_that_brings_code_is_refused_and_the_code_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmeval.tasks.card import Dataset
    from mmeval.tasks.sources import open_dataset

    folder = tmp_path / "evil"
    folder.mkdir()
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError):
        open_dataset(Dataset.model_validate({"hub": {"id": "./evil", "split": "test"}}), "t", None)
    assert not (tmp_path / "ran").exists()


def test_only_one_place_of_the_command_line_echoes() -> None:
    """Names of strangers reach a terminal as words: `mmeval/cli/terminal.py` sees to it, and nothing goes round it."""
    round_it = [
        f"{path.name}:{node.lineno}"
        for path in sorted((ROOT / "mmeval" / "cli").glob("*.py"))
        if path.name != "terminal.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write"}
    ]  # fmt: skip
    assert not round_it
