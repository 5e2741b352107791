"""Tiny real things that every package's tests share: a home, a release that truly classifies, a base model."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import hypothesis
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from contracts.home import Home
from contracts.reference import Reference, save_reference
from contracts.release import MODEL_FILE, REFERENCE_FILE, REPORT_FILE, TOKENIZER_FILE, GateVerdict, Lineage, Manifest
from contracts.release_store import publish, staging
from contracts.task import DataSpec, LimitSpec, MonitorSpec, RetrainSpec, TaskSpec

# A busy machine is no defect: no example is timed, nor how long it takes to think of one.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")

KEYWORDS = {
    "billing": ("invoice", "charged", "refund", "payment", "card"),
    "delivery": ("parcel", "courier", "late", "shipping", "arrived"),
    "other": ("hello", "thanks", "question", "hours", "phone"),
}
FILLER = ("please", "the", "my", "is", "was", "today", "again", "i", "need", "help", "with", "about", "and", "?")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    root = tmp_path / "home"
    root.mkdir()
    return Home(root)


@pytest.fixture(scope="session")
def tiny_rows() -> Callable[[int, int], list[tuple[str, str]]]:
    """n (text, label) pairs over three labels; a keyword decides the label."""

    def make(rows: int, seed: int) -> list[tuple[str, str]]:
        rng = random.Random(seed)
        made = []
        for index in range(rows):
            label = list(KEYWORDS)[index % len(KEYWORDS)]
            words = [rng.choice(FILLER) for _ in range(rng.randint(2, 12))]
            words.insert(rng.randint(0, len(words)), rng.choice(KEYWORDS[label]))
            made.append((" ".join(words), label))
        rng.shuffle(made)
        return made

    return make


@pytest.fixture(scope="session")
def make_release() -> Callable[..., Manifest]:
    """Publish a release whose ONNX graph classifies by keywords: embedding lookup, masked mean, scale.

    `labels` may differ from the default, with `keywords` naming each label's words. `work` makes runs slow.
    """

    def make(
        home: Home,
        task: str = "support",
        keywords: dict[str, Sequence[str]] | None = None,
        *,
        parent: str | None = None,
        accuracy: float = 0.95,
        limits: LimitSpec | None = None,
        monitor: MonitorSpec | None = None,
        retrain: RetrainSpec | None = None,
        max_tokens: int = 32,
        fingerprint: str = "0" * 64,
        work: int = 0,
    ) -> Manifest:
        words = {label: tuple(found) for label, found in (keywords or KEYWORDS).items()}
        labels = tuple(words)
        vocabulary = [*SPECIAL, *FILLER, *(word for found in words.values() for word in found)]
        spec = TaskSpec(
            name=task,
            data=DataSpec(path="unused.csv"),
            limits=limits or LimitSpec(),
            monitor=monitor or MonitorSpec(),
            retrain=retrain or RetrainSpec(),
        )
        with staging(home, task) as staged:
            tokenizer = word_tokenizer(vocabulary)
            tokenizer.save(str(staged / TOKENIZER_FILE))
            onnx.save(keyword_graph(vocabulary, words, work), str(staged / MODEL_FILE))
            save_reference(staged / REFERENCE_FILE, keyword_reference(labels, accuracy))
            (staged / REPORT_FILE).write_text("<!doctype html><title>tiny</title>")
            return publish(
                home,
                staged,
                Manifest(
                    task=task,
                    kind="classification",
                    created=time.time(),
                    labels=labels,
                    temperature=1.0,
                    max_tokens=max_tokens,
                    token_type_ids=False,
                    metrics={"accuracy": accuracy},
                    gate=(GateVerdict(name="min_accuracy", passed=True, expected=">= 0", found=str(accuracy)),),
                    lineage=Lineage(
                        base_model="tiny", base_sha256="0" * 64, data_fingerprint=fingerprint, parent=parent, seed=13
                    ),
                    spec=spec,
                ),
            )

    return make


def word_tokenizer(vocabulary: Sequence[str]) -> Tokenizer:
    """One token a word, lower-cased; everything else is [UNK]."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def keyword_graph(vocabulary: Sequence[str], words: dict[str, tuple[str, ...]], work: int = 0) -> onnx.ModelProto:
    """Logits of a label are 60 times the share of tokens that are its keywords (plus nothing else).

    `work`: products with a 512 x 512 matrix for each token, about 2 microseconds each, whose result is thrown away.
    """
    table = np.zeros((len(vocabulary), len(words)), dtype=np.float32)
    for column, found in enumerate(words.values()):
        for word in found:
            table[list(vocabulary).index(word), column] = 1.0
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["embedded", "mask3"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "tokens"], ["summed"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "tokens"], ["count"], keepdims=1),
        helper.make_node("Div", ["summed", "count"], ["embedding"]),
        helper.make_node("Mul", ["embedding", "scale"], ["logits" if not work else "found"]),
    ]
    constants = {
        "table": table,
        "last": np.array([2], dtype=np.int64),
        "tokens": np.array([1], dtype=np.int64),
        "scale": np.array(60.0, dtype=np.float32),
    }
    if work:
        nodes += wasteful_nodes()
        constants |= {
            "times": np.array(work, dtype=np.int64),
            "always": np.array(True),
            "widen": np.full((len(words), 512), 1e-3, dtype=np.float32),
            "same": np.eye(512, dtype=np.float32),
            "both": np.array([1, 2], dtype=np.int64),
            "nothing": np.array(0.0, dtype=np.float32),
        }
    graph = helper.make_graph(
        nodes,
        "keywords",
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens_"]),
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "tokens_"]),
        ],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(words)]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", len(words)]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def wasteful_nodes() -> list[onnx.NodeProto]:
    """From `embedded` and `found` to `logits`, which is `found`: a loop of matrix products, times nothing."""
    any_of = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "same"], ["after"]),
            helper.make_node("Identity", ["go_on"], ["went_on"]),
        ],
        "product",
        [
            any_of("turn", TensorProto.INT64, []),
            any_of("go_on", TensorProto.BOOL, []),
            any_of("state", TensorProto.FLOAT, None),
        ],
        [any_of("went_on", TensorProto.BOOL, []), any_of("after", TensorProto.FLOAT, None)],
    )
    return [
        helper.make_node("MatMul", ["embedded", "widen"], ["wide"]),
        helper.make_node("Loop", ["times", "always", "wide"], ["product"], body=body),
        helper.make_node("ReduceSum", ["product", "both"], ["worked"], keepdims=0),
        helper.make_node("Unsqueeze", ["worked", "tokens"], ["worked1"]),
        helper.make_node("Mul", ["worked1", "nothing"], ["wasted"]),
        helper.make_node("Add", ["found", "wasted"], ["logits"]),
    ]


def keyword_reference(labels: Sequence[str], accuracy: float, rows: int = 600) -> Reference:
    """A made-up but consistent reference: labels in equal shares, two projected dimensions."""
    rng = np.random.default_rng(7)
    hidden = len(labels)
    return Reference(
        predicted=(np.arange(rows) % len(labels)).astype(np.int64),
        correct=rng.random(rows) < accuracy,
        scores=rng.beta(12, 1.2, rows).astype(np.float32),
        lengths=rng.integers(5, 16, rows).astype(np.int64),
        unknown_shares=np.zeros(rows, dtype=np.float32),
        fragmentation=np.ones(rows, dtype=np.float32),
        projections=rng.normal(0, 0.05, (rows, 2)).astype(np.float32),
        projection_mean=np.full(hidden, 0.1, dtype=np.float32),
        projection_components=np.eye(hidden, 2, dtype=np.float32),
    )


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 2-layer BERT from a config with random weights, and a WordPiece tokenizer, as Hugging Face saves them."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny-base")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789?!.,'-"
    words = sorted({*FILLER, *(word for found in KEYWORDS.values() for word in found)})
    vocabulary = dict.fromkeys([*SPECIAL, *words, *letters, *(f"##{letter}" for letter in letters)])
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), do_lower_case=True).save_pretrained(folder)
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder, safe_serialization=True)
    return folder
