"""Which weights a checkpoint holds: content hashes of all files that can change an answer, never paths or times."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmeval.core.errors import EngineError, nearest
from mmeval.core.file_hashes import hash_files
from mmeval.core.hashing import digest
from mmeval.core.user_paths import user_path

WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".gguf")
_OTHER_SUFFIXES = (".json", ".jinja", ".model", ".tiktoken", ".py")
_VOCABULARY_FILES = ("merges.txt", "vocab.txt")
_NOT_THE_MODEL = frozenset(
    {
        "training_args.bin",
        "optimizer.bin",
        "optimizer.pt",
        "scheduler.bin",
        "scheduler.pt",
        "trainer_state.json",
        "all_results.json",
        "eval_results.json",
        "train_results.json",
    }
)
"""What training leaves beside a checkpoint."""

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "tokenizer_config.json",
)


@dataclass(frozen=True, slots=True)
class CheckpointIdentity:
    """Hashes of one checkpoint."""

    files: dict[str, str]
    """File name relative to the folder -> SHA-256."""
    revision: str | None = None
    """Commit of a hub snapshot."""

    @property
    def digest(self) -> str:
        """One hash over all files."""
        return digest(self.files)

    def json(self) -> dict[str, Any]:
        """What the engine's identity holds; a copied folder gives the same."""
        return {"digest": self.digest, "files": self.files}


def resolve_checkpoint(target: str, revision: str | None = None) -> tuple[Path, str | None]:
    """Return the local folder of a path or hub id, and the commit of a hub snapshot.

    A hub id is looked up in the local hub cache first and downloaded otherwise.

    Raises:
        EngineError: no such folder, a folder with a revision, not a checkpoint (naming what is missing), or a hub id
            that cannot be had.
    """
    folder = user_path(target)
    if folder.is_dir():
        if revision is not None:
            raise EngineError(
                f"{target} is a folder, which has no revision {revision!r}",
                remedy="leave the revision out, or write hf:ORG/NAME@REVISION",
            )
        check_checkpoint(folder)
        return folder.resolve(), None
    if folder.exists():
        raise EngineError(f"{target} is a file", remedy="name the checkpoint folder that holds config.json")
    if not _looks_like_hub_id(target):
        close = nearest(target, EMBEDDED_NAMES)
        meant = f"did you mean {' or '.join(close)}? Otherwise " if close else ""
        raise EngineError(
            f"there is no folder {target}", remedy=f"{meant}name a checkpoint folder or a hub id ORG/NAME"
        )
    return _hub_snapshot(target, revision)


EMBEDDED_NAMES = ("tiny", "tiny-early", "tiny-qwen2", "chance")
"""Models that are named without a path or backend."""


def _looks_like_hub_id(target: str) -> bool:
    parts = target.split("/")
    return len(parts) == 2 and all(parts) and "\\" not in target and not target.startswith((".", "~", "/"))


def _hub_snapshot(target: str, revision: str | None) -> tuple[Path, str | None]:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise EngineError(
            f"{target} is no folder, and huggingface_hub is not installed", remedy="pip install huggingface_hub"
        ) from error
    wanted = [f"*{suffix}" for suffix in (".safetensors", ".bin", *_OTHER_SUFFIXES)] + list(_VOCABULARY_FILES)
    try:
        try:
            found = Path(snapshot_download(target, revision=revision, allow_patterns=wanted, local_files_only=True))
            check_checkpoint(found)
        except (LocalEntryNotFoundError, EngineError):
            found = Path(snapshot_download(target, revision=revision, allow_patterns=wanted))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EngineError(
            f"{target} is no folder here, and cannot be had from the hub: {reason}",
            remedy="check the name, the network, and HF_TOKEN for gated models",
        ) from error
    check_checkpoint(found)
    return found, found.name


def check_checkpoint(folder: Path) -> None:
    """Check that a folder holds a checkpoint that transformers can load.

    Raises:
        EngineError: naming the file that is missing.
    """
    names = {entry.name for entry in folder.iterdir()}
    if "config.json" not in names:
        remedy = "name the folder that holds config.json and the weights"
        if "adapter_config.json" in names:
            remedy = "this is an adapter: merge it into its base model first (peft: merge_and_unload, save_pretrained)"
        raise EngineError(f"{folder} is no checkpoint: config.json is missing", remedy=remedy)
    if not any(name.endswith(WEIGHT_SUFFIXES) and name not in _NOT_THE_MODEL for name in names):
        raise EngineError(f"{folder} has no weights: *.safetensors is missing", remedy="copy the complete checkpoint")
    if not names.intersection(TOKENIZER_FILES):
        raise EngineError(
            f"{folder} has no tokenizer: tokenizer.json is missing", remedy="copy the complete checkpoint"
        )
    for name in sorted(names):
        if name.endswith(".index.json"):
            _check_shards(folder, name, names)


def _check_shards(folder: Path, index: str, names: set[str]) -> None:
    shards = set(read_json(folder / index).get("weight_map", {}).values())
    missing = sorted(shards - names)
    if missing:
        raise EngineError(
            f"{folder} is incomplete: {missing[0]} of {index} is missing ({len(missing)} of {len(shards)} files)",
            remedy="copy the complete checkpoint",
        )


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a checkpoint.

    Raises:
        EngineError: naming the file.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EngineError(f"{path} cannot be read: {error}", remedy="copy the complete checkpoint") from error
    if not isinstance(found, dict):
        raise EngineError(f"{path} is no JSON object", remedy="copy the complete checkpoint")
    return found


def identity_files(folder: Path) -> list[Path]:
    """Files of a checkpoint folder that can change an answer, in the order of their names."""
    found = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if len(relative.parts) > 2 or any(part.startswith(".") for part in relative.parts) or not path.is_file():
            continue
        if len(relative.parts) == 2 and relative.parts[0] != "additional_chat_templates":
            continue
        if path.name in _NOT_THE_MODEL:
            continue
        if path.name.endswith((*WEIGHT_SUFFIXES, *_OTHER_SUFFIXES)) or path.name in _VOCABULARY_FILES:
            found.append(path)
    return found


def hash_checkpoint(folder: Path, revision: str | None = None, memo: Path | None = None) -> CheckpointIdentity:
    """Hash a checkpoint folder; unchanged files come from the memo (by device, inode, size, mtime and ctime).

    Args:
        folder: the checkpoint.
        revision: commit of a hub snapshot, kept beside the hashes.
        memo: the memo file; the user's own when None.

    Raises:
        EngineError: a file that cannot be read.
    """
    try:
        files = hash_files({path.relative_to(folder).as_posix(): path for path in identity_files(folder)}, memo)
    except OSError as error:
        raise EngineError(
            f"{error.filename} cannot be read: {error.strerror or error}", remedy="check its permissions"
        ) from error
    return CheckpointIdentity(files, revision)
