"""What is served and what is asked: one release, short texts, and a mix of short and long ones."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

from contracts.home import Home
from contracts.release import MANIFEST_FILE, MODEL_FILE, TOKENIZER_FILE, Manifest
from contracts.release_store import publish, read_manifest, staging
from contracts.task import DataSpec, GateSpec, ModelSpec, TaskSpec, TrainSpec
from demo.messages import english, write_csv

TASK = "serving"
MAX_TOKENS = 256
# Lengths of the mixed load: from five tokens to the limit, evenly on a logarithmic scale, as real queues are.
_MIX_TEXTS = 2000
_MIX_SHORTEST = 5


@dataclass(frozen=True)
class Corpus:
    """A published release and the texts that are sent to it."""

    home: Home
    manifest: Manifest
    source: str  # where the texts are from
    short: list[str]
    mixed: list[str]

    @property
    def release(self) -> Path:
        """The release's folder."""
        return self.home.release(self.manifest.task, self.manifest.version)


def make_corpus(home: Home, data: Path | None) -> Corpus:
    """Train a release in one epoch: speed does not depend on what the weights have learned.

    `data` is the folder that holds banking77, whose test set is sent where it is there, else the sample data is.
    """
    folder = data / "banking77" if data is not None and (data / "banking77").is_dir() else None
    if folder is not None:
        texts = [str(json.loads(line)["text"]) for line in (folder / "test.jsonl").read_text("utf-8").splitlines()]
        source, train = "banking77, test set", str(folder / "train.jsonl")
    else:
        texts = [message.text for message in english(3000, 2)]
        write_csv(home.root / "sample.csv", english(3400, 1))
        source, train = "sample data", str(home.root / "sample.csv")
    versions = home.releases(TASK)
    if not (versions / "0001" / MANIFEST_FILE).is_file():
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `perennial train` does
        from training.pipeline import train as make_release

        make_release(
            home,
            TaskSpec(
                name=TASK,
                data=DataSpec(path=train),
                model=ModelSpec(max_tokens=MAX_TOKENS),
                train=TrainSpec(epochs=1, learning_rate=3e-4),
                gate=GateSpec(max_quantization_drop=1.0),
            ),
        )
    manifest = read_manifest(home, TASK, "0001")
    tokenizer = Tokenizer.from_file(str(home.release(TASK, "0001") / TOKENIZER_FILE))
    return Corpus(home, manifest, source, texts, _mixed(texts, tokenizer))


def publish_again(corpus: Corpus) -> str:
    """The same release once more, under the next version; for a swap under load."""
    with staging(corpus.home, TASK) as staged:
        for name in corpus.manifest.files:
            shutil.copyfile(corpus.release / name, staged / name)
        return publish(corpus.home, staged, corpus.manifest).version


def publish_no_op(corpus: Corpus, home: Home) -> str:
    """A release with the same tokenizer and labels whose model does nothing: what is left is the price of the rest."""
    with staging(home, TASK) as staged:
        for name in corpus.manifest.files:
            shutil.copyfile(corpus.release / name, staged / name)
        width = _embedding_width(corpus.release / MODEL_FILE)
        onnx.save(
            _no_op(len(corpus.manifest.labels), width, types=corpus.manifest.token_type_ids), str(staged / MODEL_FILE)
        )
        return publish(home, staged, corpus.manifest).version


def _mixed(texts: Sequence[str], tokenizer: Tokenizer) -> list[str]:
    """Texts joined until they have as many tokens as drawn; the same for the same texts."""
    randomness = random.Random(5)
    found: list[str] = []
    for _ in range(_MIX_TEXTS):
        wanted = round(_MIX_SHORTEST * (MAX_TOKENS / _MIX_SHORTEST) ** randomness.random())
        words: list[str] = []
        while len(words) < wanted:
            words += randomness.choice(texts).split()
        # A word is a token or more: cut to the wanted number of words, then to that of tokens.
        encoding = tokenizer.encode(" ".join(words[:wanted]))
        last = [end for _, end in encoding.offsets[: max(2, wanted - 1)]][-1]
        found.append(" ".join(words[:wanted])[:last] or words[0])
    return found


def _embedding_width(model: Path) -> int:
    graph = onnx.load(str(model), load_external_data=False).graph
    (embedding,) = (output for output in graph.output if output.name == "embedding")
    return int(embedding.type.tensor_type.shape.dim[1].dim_value)


def _no_op(labels: int, width: int, *, types: bool) -> onnx.ModelProto:
    """Zeros of the right shapes, of the batch's size."""
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if types else [])]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in names]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labels]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", width]),
    ]
    constants = [
        numpy_helper.from_array(np.zeros(1, dtype=np.int64), "zero"),
        numpy_helper.from_array(np.zeros((1, labels), dtype=np.float32), "no_logits"),
        numpy_helper.from_array(np.zeros((1, width), dtype=np.float32), "no_embedding"),
        numpy_helper.from_array(np.ones(1, dtype=np.int64), "one"),
    ]
    nodes = [
        helper.make_node("Shape", ["input_ids"], ["rows"], start=0, end=1),
        helper.make_node("Concat", ["rows", "one"], ["times"], axis=0),
        helper.make_node("Tile", ["no_logits", "times"], ["logits"]),
        helper.make_node("Tile", ["no_embedding", "times"], ["embedding"]),
    ]
    graph = helper.make_graph(nodes, "no_op", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model
