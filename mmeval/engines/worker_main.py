"""Entry point of every worker process: `PYTHON worker_main.py ENGINE ADDRESS`, under any interpreter with that engine.

It loads the folder `worker` beside it as a package of its own, without importing mmeval.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

PACKAGE = "mmeval_worker"


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


def main() -> int:
    """Run the worker."""
    here = Path(__file__).resolve().parent
    # The script's own folder holds modules named like packages that transformers may import (`openai`, `vllm`).
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != here]
    load_package(here / "worker")
    engine, address = sys.argv[1:3]
    link = importlib.import_module(f"{PACKAGE}.link")
    worker = importlib.import_module(f"{PACKAGE}.{engine}_serve")
    return int(link.serve(address, worker.build))


if __name__ == "__main__":
    sys.exit(main())
