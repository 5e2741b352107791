"""An encoder that goes on reading: what it guesses better afterwards, what stays, and where the texts come from."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from contracts.errors import BaseModelError, DataError, TrainingError
from contracts.home import Home
from contracts.recipes import AdaptSpec
from contracts.task import GateSpec, LimitSpec, TaskSpec, TrainSpec
from training.artefact.tokenizer import write_tokenizer
from training.feasibility import check_feasible
from training.learning.base_model import BaseModel
from training.learning.classifier import TextClassifier, build_classifier
from training.learning.objective import IGNORED
from training.progress import Stage
from training.recipes.domain_adaptation import Adaptation, adapt
from training.recipes.masking import Masks
from training.recipes.unlabelled import read_unlabelled


@pytest.fixture
def tokenizer(base: BaseModel, tmp_path: Path) -> Tokenizer:
    return write_tokenizer(base, tmp_path / "tokenizer.json", sample=[])


@pytest.fixture
def model(base: BaseModel) -> TextClassifier:
    return build_classifier(base, 3, 1)


def spec_of(tiny_spec: Callable[..., TaskSpec], **changes: object) -> TaskSpec:
    settings = {"source": "train", "epochs": 6, "batch_size": 16, "learning_rate": 5e-3} | changes
    return tiny_spec(rows=90).model_copy(update={"adapt": AdaptSpec.model_validate(settings)})


def test_held_out_texts_are_guessed_better(
    model: TextClassifier,
    base: BaseModel,
    tokenizer: Tokenizer,
    tiny_rows: Callable,
    tiny_spec: Callable,
    stage: Stage,
    tmp_path: Path,
) -> None:
    texts = [text for text, _ in tiny_rows(200, 1)]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = adapt(model, base, texts, tokenizer, spec_of(tiny_spec), folder=tmp_path, stage=stage)
    assert found.loss_after < found.loss_before - 0.5
    assert found.texts == 200
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert [name for name in moved if name.startswith("encoder.encoder.layer.1")]
    assert not [name for name in moved if name.startswith("head")]
    assert set(before) == set(model.state_dict())


def test_texts_without_a_known_word_are_passed_over(
    model: TextClassifier,
    base: BaseModel,
    tokenizer: Tokenizer,
    tiny_rows: Callable,
    tiny_spec: Callable,
    stage: Stage,
    tmp_path: Path,
) -> None:
    # All of one length, so that whole batches would be of them alone.
    unknown = [f"\u2603 {chr(0x4E00 + place)}" for place in range(64)]
    texts = [text for text, _ in tiny_rows(60, 1)]
    found = adapt(model, base, texts + unknown, tokenizer, spec_of(tiny_spec, epochs=1), folder=tmp_path, stage=stage)
    assert np.isfinite(found.loss_after)
    with pytest.raises(TrainingError, match="at least two texts that the base model knows words of, found 1"):
        adapt(model, base, texts[:1] + unknown, tokenizer, spec_of(tiny_spec, epochs=1), folder=tmp_path, stage=stage)


def test_what_is_frozen_stays_and_the_same_seed_gives_the_same(
    base: BaseModel,
    tokenizer: Tokenizer,
    tiny_rows: Callable,
    tiny_spec: Callable,
    stage: Stage,
    tmp_path: Path,
) -> None:
    texts = [text for text, _ in tiny_rows(60, 1)]
    spec = spec_of(tiny_spec, epochs=1)
    spec = spec.model_copy(
        update={"model": spec.model.model_copy(update={"freeze_embeddings": True, "freeze_layers": 1})}
    )
    models = [build_classifier(base, 3, 1) for _ in range(2)]
    before = deepcopy(models[0].state_dict())
    results = [
        adapt(model, base, texts, tokenizer, spec, folder=tmp_path / str(number), stage=stage)
        for number, model in enumerate(models)
    ]
    assert results[0] == results[1]
    first, second = (model.state_dict() for model in models)
    assert all(torch.equal(first[name], second[name]) for name in first)
    moved = {name for name in first if not torch.equal(first[name], before[name])}
    assert moved
    assert not [name for name in moved if name.startswith(("encoder.embeddings", "encoder.encoder.layer.0"))]


def test_special_tokens_are_never_guessed(base: BaseModel, tokenizer: Tokenizer) -> None:
    masks = Masks(base, tokenizer, 0.5, 1)
    rows = [tokenizer.encode(text).ids for text in ("my parcel is late", "refund please")]
    seen = set()
    for step in range(40):
        inputs, labels = masks.batch(rows, (1, step))
        chosen = labels != IGNORED
        assert chosen.any()
        assert torch.equal(inputs["input_ids"][~chosen], masks.batch(rows, (1, step))[0]["input_ids"][~chosen])
        for row, ids in enumerate(rows):
            np.testing.assert_array_equal(
                np.where(chosen[row, : len(ids)], labels[row, : len(ids)], inputs["input_ids"][row, : len(ids)]), ids
            )
            seen |= set(np.flatnonzero(chosen[row]).tolist())
        assert not chosen[:, 0].any()
        assert not chosen[0, len(rows[0]) - 1]
        assert not chosen[1, len(rows[1]) - 1 :].any()
    assert seen == set(range(1, len(rows[0]) - 1))


def test_what_cannot_be_adapted_is_refused(
    model: TextClassifier,
    base: BaseModel,
    tokenizer: Tokenizer,
    tiny_spec: Callable,
    stage: Stage,
    tmp_path: Path,
) -> None:
    with pytest.raises(TrainingError, match=r"at least two texts .* found 1"):
        adapt(model, base, ["one"], tokenizer, spec_of(tiny_spec), folder=tmp_path, stage=stage)
    maskless = Tokenizer.from_str(tokenizer.to_str().replace("[MASK]", "[HOLE]"))
    with pytest.raises(TrainingError, match="no mask token"):
        adapt(model, base, ["one", "two"], maskless, spec_of(tiny_spec), folder=tmp_path, stage=stage)
    damaged = BaseModel(base.name, base.folder / "nowhere", base.source, base.sha256, base.config)
    with pytest.raises(BaseModelError, match="cannot be adapted"):
        adapt(model, damaged, ["one", "two"], tokenizer, spec_of(tiny_spec), folder=tmp_path, stage=stage)


def test_a_file_gives_its_lines_without_those_that_are_measured(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "domain.txt"
    path.write_text("one\n\n  two \none\nthree\nfour\n")

    def read(**changes: object) -> list[str]:
        spec = AdaptSpec.model_validate({"source": str(path)} | changes)
        return read_unlabelled(spec, home, "support", train=["t"], held_out={"three"})

    assert read() == ["one", "two", "four"]
    assert read(max_texts=2) == ["one", "two"]
    assert read(source="train") == ["t"]
    path.write_text("three\n")
    with pytest.raises(DataError, match="one text a line"):
        read()
    with pytest.raises(DataError, match=r"found no such file. Correct `source` in .adapt."):
        read(source=str(tmp_path / "none.txt"))


def test_the_log_gives_what_production_sent(home: Home) -> None:
    folder = home.predictions("support") / "2026-01-01" / "00"
    folder.mkdir(parents=True)

    def record(number: int, **changes: object) -> str:
        found = {
            "id": f"id-{number}", "time": 100.0 - number, "task": "support", "release": "0001",
            "text": f"text {number}", "length": 3, "unknown_share": 0, "fragmentation": 1, "label": "other",
            "score": 0.5, "logits": [0.1], "projection": [0.1], "latency_ms": 1,
        } | changes  # fmt: skip
        return json.dumps(found) + "\n"

    lines = [record(number) for number in range(5)]
    lines.append(record(5, role="shadow", text="of a shadow"))
    lines.append(record(6, text=None, text_sha256="0" * 64))
    (folder / "a.jsonl").write_text("".join(lines))

    def read(**changes: object) -> list[str]:
        spec = AdaptSpec.model_validate({"source": "log", "min_texts": 4} | changes)
        return read_unlabelled(spec, home, "support", train=[], held_out={"text 0"})

    assert read() == ["text 4", "text 3", "text 2", "text 1"]
    assert read(max_texts=2) == ["text 2", "text 1"]
    assert read(min_texts=5) == []
    spec = AdaptSpec(source="log", min_texts=1)
    assert read_unlabelled(spec, home, "support", train=[], held_out=(), snapshot=["s"]) == ["s"]


def test_a_release_says_what_it_was_adapted_to(tiny_spec: Callable[..., TaskSpec], home: Home) -> None:
    from training.pipeline import train

    spec = spec_of(tiny_spec, epochs=1).model_copy(update={"gate": GateSpec(max_quantization_drop=1.0)})
    manifest = train(home, spec)
    assert manifest.spec.adapt == spec.adapt
    told = json.loads((home.release("support", manifest.version) / "metrics.json").read_text())["adaptation"]
    assert told["texts"] > 50
    assert told["loss_after"] < told["loss_before"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"adapt": AdaptSpec(source="log"), "limits": LimitSpec(log_text=False)}, "keeps them out of the log"),
        ({"kind": "question-answering", "train": TrainSpec(recipe="contrastive")}, "one label a text"),
        ({"multi_label": True, "train": TrainSpec(recipe="contrastive")}, "several labels a text"),
    ],
)
def test_what_cannot_be_is_refused_before_any_time_is_spent(
    tiny_spec: Callable[..., TaskSpec], changes: dict[str, object], told: str
) -> None:
    with pytest.raises(TrainingError, match=told):
        check_feasible(tiny_spec(rows=30).model_copy(update=changes))


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("stopped_at", [3, 8])
def test_going_on_is_as_not_having_stopped(
    base: BaseModel,
    tokenizer: Tokenizer,
    tiny_rows: Callable,
    tiny_spec: Callable,
    stage: Stage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stopped_at: int,
) -> None:
    from training.learning import resumption

    monkeypatch.setattr(resumption, "_CHECKPOINT_SECONDS", 0.0)  # after every step
    texts = [text for text, _ in tiny_rows(70, 1)]
    spec = spec_of(tiny_spec, epochs=2)
    taken: list[int] = []

    def run(name: str, last: int) -> tuple[Adaptation, dict[str, torch.Tensor]]:
        def advance(steps: int = 1) -> None:
            taken.append(steps)
            if sum(taken) == last:
                raise StoppedError

        taken.clear()
        monkeypatch.setattr(stage, "advance", advance)
        model = build_classifier(base, 3, 1)
        found = adapt(model, base, texts, tokenizer, spec, folder=tmp_path / name, stage=stage)
        return found, model.state_dict()

    with pytest.raises(StoppedError):
        run("stopped", stopped_at)
    resumed = run("stopped", 0)
    assert taken == [stopped_at - 1] + [1] * (9 - stopped_at)  # four steps an epoch
    again, whole = run("stopped", 0), run("whole", 0)
    # One that was over is not begun anew, whatever came behind it.
    for found, weights in (resumed, again):
        assert found == whole[0]
        assert all(torch.equal(weights[name], value) for name, value in whole[1].items())
