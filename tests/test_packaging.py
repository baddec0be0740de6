"""An installed wheel finds its cards, templates and profiles without the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_wheel_brings_cards_and_templates(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if not name.startswith(("tests/", "mmeval/checkpoints/")) and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    wheel = next(tmp_path.glob("*.whl"))
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    script = (
        f"import sys; sys.path.insert(0, {str(installed)!r}); import mmeval; assert mmeval.__file__.startswith({str(installed)!r});"
        "from mmeval.core.resources import resource_dir;"
        f"assert all(str(resource_dir(name)).startswith({str(installed)!r}) for name in ('tasks', 'judges', 'reports'));"
        "from mmeval.verifiers.judge_files import list_judges;"
        f"assert [card.name for card in list_judges()] == {sorted(path.stem for path in (ROOT / 'judges').glob('*.yaml'))!r};"
        "sys.argv = ['mmeval', 'run', '-m', 'chance', '-t', 'demo', '--limit', '4'];"
        "from mmeval.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "report:" in done.stderr
