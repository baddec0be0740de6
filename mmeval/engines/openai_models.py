"""What an endpoint says that it serves: the entry of its model list, the engine behind it, the checkpoint's own config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from mmeval.core.errors import EngineError, nearest
from mmeval.engines.openai_http import HttpClient
from mmeval.engines.openai_reply import error_fields


@dataclass(frozen=True, slots=True)
class Served:
    """What one endpoint serves under the model's name."""

    entry: Mapping[str, Any]
    """Of `/v1/models`; empty where the endpoint has no such list."""
    engine: str = ""
    """`vllm`, `sglang` or `lmdeploy`; empty where it does not tell."""
    version: str = ""

    @property
    def stable(self) -> dict[str, Any]:
        """The entry without what changes when the server is started again."""
        return {name: value for name, value in self.entry.items() if name not in ("created", "permission")}

    def difference(self, other: Served, *, entries: bool) -> str:
        """What another endpoint serves than this one, or nothing.

        Args:
            other: what it says.
            entries: whether the entries count too; otherwise the user has said which weights they are.
        """
        mine, theirs = self.stable, other.stable
        if entries and mine != theirs:
            changed = [name for name in sorted({*mine, *theirs}) if mine.get(name) != theirs.get(name)]
            return ", ".join(f"{name} {mine.get(name)!r} and {theirs.get(name)!r}" for name in changed)[:500]
        if (self.engine and other.engine and self.engine != other.engine) or (
            self.version and other.version and self.version != other.version
        ):
            return f"{self.engine} {self.version} and {other.engine} {other.version}"
        return ""

    @property
    def local_config(self) -> dict[str, Any] | None:
        """config.json of the served checkpoint, when the server names a folder that this machine has too."""
        root = self.entry.get("root")
        if not isinstance(root, str) or not Path(root).is_absolute():
            return None
        try:
            config = orjson.loads((Path(root) / "config.json").read_bytes())
        except (OSError, ValueError):  # no such file, no JSON, or no path at all
            return None
        return config if isinstance(config, dict) else None


async def ask_served(http: HttpClient, base: str, model: str) -> Served:
    """Ask an endpoint what it serves under a model's name.

    Raises:
        EngineError: it wants another key, has no such model, or is no OpenAI-compatible endpoint.
        UnreachableError: there is no connection, or no answer in time.
    """
    entry = await _model_entry(http, base, model)
    return Served(entry, *await _engine(http, base, entry))


async def _model_entry(http: HttpClient, base: str, model: str) -> dict[str, Any]:
    """Return what `/v1/models` says of the model; empty where the endpoint has no such list."""
    status, body = await http.get(f"{base}/models")
    if status in (401, 403):
        raise http.key_message(base, status, body)
    if status in (404, 405, 501) and not body.lstrip().startswith(b"<"):
        if not base.endswith("/v1") and (await http.get(f"{base}/v1/models"))[0] == 200:
            raise EngineError(f"{base}/models is not there, {base}/v1/models is", remedy=f"use --base-url {base}/v1")
        return {}
    if status != 200:
        message = http.redact(f"{base}/models answers HTTP {status}: {error_fields(body)['message']}")
        raise EngineError(message, remedy="--base-url names the folder above /chat/completions, usually …/v1")
    try:
        payload = orjson.loads(body)
        entries = {str(entry["id"]): entry for entry in payload["data"]}
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        what = "HTML" if body.lstrip()[:1] == b"<" else "no model list"
        raise EngineError(
            f"{base}/models answers {what}: this is no OpenAI-compatible endpoint",
            remedy="--base-url names the folder above /chat/completions, usually …/v1",
        ) from error
    if model not in entries:
        close = nearest(model, entries) or sorted(entries)[:12]
        raise EngineError(
            f"{base} does not serve a model {model!r}",
            remedy=f"it serves {', '.join(close) or 'none'}" + (" …" if len(entries) > len(close) else ""),
        )
    entry: dict[str, Any] = entries[model]
    return entry


async def _engine(http: HttpClient, base: str, entry: Mapping[str, Any]) -> tuple[str, str]:
    """Name and version of the serving engine, where it tells."""
    owner = str(entry.get("owned_by") or "")
    if owner not in ("vllm", "sglang"):
        return ("lmdeploy" if owner == "lmdeploy" else "", "")
    root = base.removesuffix("/v1")
    try:
        status, body = await http.get(f"{root}/version")
        version = orjson.loads(body).get("version", "") if status == 200 else ""
    except (EngineError, orjson.JSONDecodeError, AttributeError):
        return owner, ""
    return owner, str(version)
