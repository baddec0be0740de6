"""Entry point of every worker process: `PYTHON worker_main.py ENGINE ADDRESS`, under any interpreter with that engine.

It loads the folder `worker` beside it as a package of its own, without importing mmeval. A Python file named in the
environment variable MMEVAL_WORKER_PRELOAD is imported before the engine: a hook for tests, which put a double there.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

PACKAGE = "mmeval_worker"
PRELOAD_VARIABLE = "MMEVAL_WORKER_PRELOAD"


def load_package(folder: Path) -> None:
    """Import the folder as the top-level package `mmeval_worker`."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} is not a package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


def preload(path: Path) -> None:
    """Import one Python file as the module `mmeval_worker_preload`."""
    spec = importlib.util.spec_from_file_location("mmeval_worker_preload", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{PRELOAD_VARIABLE}={path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)


def main() -> int:
    """Run the worker."""
    here = Path(__file__).resolve().parent
    # The script's own folder holds modules named like packages that transformers may import (`openai`, `vllm`).
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != here]
    load_package(here / "worker")
    engine, address = sys.argv[1:3]
    if path := os.environ.get(PRELOAD_VARIABLE):
        preload(Path(path))
    link = importlib.import_module(f"{PACKAGE}.link")
    worker = importlib.import_module(f"{PACKAGE}.{engine}_serve")
    return int(link.serve(address, worker.build))


if __name__ == "__main__":
    sys.exit(main())
