"""A home with a task of each kind, whose releases find words (`names`, `several`, `wiki`, `search`), and its server."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from tokenizers import Tokenizer, processors

from contracts.home import Home
from contracts.release import MODEL_FILE, TOKENIZER_FILE, Manifest
from contracts.release_store import publish, staging
from contracts.rollout import promote

PLACES = {"O": ("of",), "B-place": ("rome", "paris"), "I-place": ("city",), "B-way": ("parcel",), "I-way": ("truck",)}
# Of every context, the stretch from one of the first words to one of the second is the answer.
STRETCH = {"start": ("late", "next"), "end": ("tuesday", "week")}
TOPICS = {"billing": ("invoice", "refund"), "delivery": ("parcel", "courier"), "other": ("hello", "hours")}
ANSWERS = ("no-answer", "answer")


def score_words(folder: Path) -> None:
    """Of a graph that scores texts by their words make one that scores each word."""
    model = onnx.load(folder / MODEL_FILE)
    labels = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    model.graph.node[-1].input[0] = "masked"
    shape = ["batch", "tokens_", labels]
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape))
    onnx.save(model, str(folder / MODEL_FILE))


def answer_spans(folder: Path) -> None:
    """The same, and a tokenizer that reads pairs."""
    score_words(folder)
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / TOKENIZER_FILE))


def vectors_alone(folder: Path) -> None:
    model = onnx.load(folder / MODEL_FILE)
    del model.graph.output[0]
    onnx.save(model, str(folder / MODEL_FILE))


@pytest.fixture(scope="session")
def publish_as(make_release: Callable[..., Manifest]) -> Callable[..., None]:
    """Publish what `make_release` makes of some words as a release of another kind, and make it the stable one."""

    def make(
        home: Home,
        task: str,
        kind: str,
        words: dict[str, tuple[str, ...]],
        change: Callable[[Path], None] = lambda _: None,
        **update: object,
    ) -> None:
        base = make_release(home, "words", words)
        with staging(home, task) as staged:
            for name in base.files:
                shutil.copy(home.release("words", base.version) / name, staged / name)
            change(staged)
            spec = base.spec.model_copy(update={"name": task, "kind": kind})
            made = base.model_copy(update={"task": task, "kind": kind, "spec": spec, "files": {}, **update})
            made = publish(home, staged, made)
        promote(home, task, made.version, by="test", reason="test", now=time.time())
        shutil.rmtree(home.releases("words"))

    return make


@pytest.fixture(scope="session")
def publish_questions(publish_as: Callable[..., None]) -> Callable[[Home], None]:
    """A release of `wiki`, which answers questions."""
    return lambda home: publish_as(
        home, "wiki", "question-answering", STRETCH, answer_spans, labels=ANSWERS, null_threshold=1.0
    )


@pytest.fixture(scope="module")
def kinds_home(
    tmp_path_factory: pytest.TempPathFactory,
    publish_as: Callable[..., None],
    publish_questions: Callable[[Home], None],
) -> Home:
    home = Home(tmp_path_factory.mktemp("kinds"))
    outcomes = ("none", "place", "(other labels)")
    publish_as(home, "names", "token-classification", PLACES, score_words, outcomes=outcomes)
    several = {"thresholds": (0.9, 0.9, 0.9), "outcomes": ("none", "billing", "(other labels)")}
    publish_as(home, "several", "classification", TOPICS, **several)
    publish_as(home, "search", "similarity", TOPICS, vectors_alone, labels=("vector",))
    publish_questions(home)
    return home


@pytest.fixture(scope="module")
def server(kinds_home: Home, start_lasting: Callable[..., Any]) -> Any:
    return start_lasting(kinds_home)
