"""Infinity over a release laid out as a model folder of the Hub: the same ONNX file, its labels in config.json."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.serving.peers.programs.model import Settings

if TYPE_CHECKING:
    # The checker's environment does not hold this library; this is what is used of it.
    infinity: Any
else:
    from infinity_emb.cli import cli as infinity

_COPIED_FIELDS = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
_BERT_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def lay_out(release: Path, folder: Path) -> None:
    """Fill `folder` with what optimum and transformers read."""
    manifest = json.loads((release / "manifest.json").read_text(encoding="utf-8"))
    labels = manifest["labels"]
    config = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
    }
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": manifest["max_tokens"],
        "model_input_names": ["input_ids", "attention_mask"] + ["token_type_ids"] * manifest["token_type_ids"],
        **dict(zip(_COPIED_FIELDS, _BERT_TOKENS, strict=True)),
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    (folder / "tokenizer.json").symlink_to(release / "tokenizer.json")
    (folder / "model.onnx").symlink_to(release / "model.onnx")


def main() -> None:
    """Lay the release out, then do as `infinity_emb v2` does."""
    settings = Settings.from_environment()
    folder = Path(tempfile.mkdtemp(prefix="peer-infinity-"))
    lay_out(settings.release.resolve(), folder)
    # Infinity hands the path that it finds to optimum, which wants one relative to the model's folder.
    os.chdir(folder)
    options = {
        "--model-id": ".",
        "--served-model-name": "classifier",
        "--engine": "optimum",
        "--device": "cpu",
        "--batch-size": str(settings.batch),
        "--host": "127.0.0.1",
        "--port": str(settings.port),
        "--log-level": "warning",
    }
    # Infinity does not cut texts for a classifier, and its warm-up text is longer than BERT can take.
    sys.argv[1:] = ["v2", *(word for option in options.items() for word in option), "--no-model-warmup"]
    infinity()


if __name__ == "__main__":
    main()
