"""What every peer serves: a release's ONNX model and tokenizer, over a batch of texts."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

_runtime: Any = onnxruntime  # its type information does not say what the package exports


Answer: TypeAlias = dict[str, str | float]  # label and score of one text


@dataclass(frozen=True)
class Settings:
    """What is tuned peer by peer; `Peer.environment` sets it."""

    release: Path
    port: int
    workers: int
    threads: int  # of one session run
    batch: int  # texts at most; 1: no batching
    wait_ms: float  # for a batch to fill, at most
    spinning: bool  # threads of a session that has nothing to do look for work instead of sleeping

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Raises KeyError for what is not set."""
        return cls(
            release=Path(environment["PEER_RELEASE"]),
            port=int(environment["PEER_PORT"]),
            workers=int(environment["PEER_WORKERS"]),
            threads=int(environment["PEER_THREADS"]),
            batch=int(environment["PEER_BATCH"]),
            wait_ms=float(environment["PEER_WAIT_MS"]),
            spinning=environment["PEER_SPINNING"] == "1",
        )


class Model:
    """Tokenize, pad to the longest of the batch, run, softmax. May be called from several threads."""

    def __init__(self, settings: Settings) -> None:
        manifest = json.loads((settings.release / "manifest.json").read_text(encoding="utf-8"))
        self._labels: list[str] = manifest["labels"]
        self._temperature = float(manifest["temperature"])
        self._types = bool(manifest["token_type_ids"])
        self._tokenizer = Tokenizer.from_file(str(settings.release / "tokenizer.json"))
        self._tokenizer.enable_truncation(manifest["max_tokens"])
        self._tokenizer.enable_padding()
        options = _runtime.SessionOptions()
        options.intra_op_num_threads = settings.threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(settings.spinning)))
        # As Perennial has it: in force for the thread that makes a session, and for the threads of its own.
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        self._session = _runtime.InferenceSession(
            str(settings.release / "model.onnx"),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["SkipLayerNormFusion"],  # slow; Perennial does without it too
        )
        self.classify(["a text to warm up with"])

    def classify(self, texts: Sequence[str]) -> list[Answer]:
        """The most likely label of each text, and its calibrated probability."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        ids = np.array([encoding.ids for encoding in encodings], dtype=np.int64)
        mask = np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": mask}
        if self._types:
            inputs["token_type_ids"] = np.zeros_like(ids)
        logits = self._session.run(["logits"], inputs)[0] / self._temperature
        best = logits.argmax(axis=1)
        scores = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
        return [
            {"label": self._labels[index], "score": score}
            for index, score in zip(best.tolist(), scores.tolist(), strict=True)
        ]
