"""Copies the top-level folders of cards and templates into the wheel; all other metadata is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

FOLDERS = ("tasks", "judges", "reports")


class BuildWithData(build_py):
    """`mmeval.core.resources` looks for these folders in mmeval/_data of an installed package."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for name in FOLDERS:
            target = Path(self.build_lib) / "mmeval" / "_data" / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(Path(__file__).parent / name, target)


setup(cmdclass={"build_py": BuildWithData})
