"""What holds of every kind of task, whatever it answers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from tokenizers import Tokenizer

from contracts.reference import load_reference
from contracts.release import METRICS_FILE, REFERENCE_FILE, TOKENIZER_FILE
from contracts.release_store import verify_release
from contracts.task import LimitSpec, TaskSpec
from service.engine.backlog import Placed, settle_all
from service.engine.heads import HEADS
from service.engine.loading import load_release
from service.engine.model import LoadedRelease
from training.artefact.export import TOLERANCE, check_agreement, export_onnx
from training.artefact.onnx_artefact import Artefact
from training.data.rows import Row
from training.kinds.kinds import KINDS
from training.learning.finetune import Encoded
from training.learning.objective import LossSettings, pad_batch
from training.progress import Stage
from training.report.analysis_sections import analysis_sections


@pytest.fixture
def served(trained) -> LoadedRelease:
    return load_release(trained.home, "tiny", trained.manifest.version, threads=1)


@pytest.fixture
def encoded(trained) -> Encoded:
    tokenizer = Tokenizer.from_file(str(trained.folder / TOKENIZER_FILE))
    rows = trained.dataset.test[:9]
    return trained.kind.encode(rows, trained.manifest.labels, tokenizer, trained.spec)


def answers(release: LoadedRelease, texts: Sequence[str]) -> list[tuple[str, float]]:
    """Label and score of each text, all in one run."""
    found = release.encode(texts)
    rows = [row for text in found for row in text.rows]
    output = release.predict(rows)
    placed = settle_all(release, found, [Placed(output, row) for row in range(len(rows))])
    return [(release.label(one.output, one.row), float(one.output.scores[one.row])) for one in placed]


def question(text: str, spec: TaskSpec) -> str:
    """A text as the kind is asked about it."""
    return f"i need ?\n{text}" if spec.kind == "question-answering" else text


def test_a_kind_is_one_entry_in_training_and_one_in_the_service() -> None:
    kinds = set(getattr(TaskSpec.model_fields["kind"].annotation, "__args__", ()))
    assert kinds == set(KINDS) == set(HEADS)


def test_the_export_agrees_with_torch(
    trained, network_of: Callable[..., Any], encoded: Encoded, tmp_path: Path
) -> None:
    model = network_of(trained)
    export_onnx(model, tmp_path / "model.onnx")
    artefact = Artefact(tmp_path / "model.onnx", trained.folder / TOKENIZER_FILE, 24, threads=1)
    assert check_agreement(model, artefact, encoded.ids, encoded.segments) < TOLERANCE / 10
    first = encoded.first(1)
    assert check_agreement(model, artefact, first.ids, first.segments) < TOLERANCE / 10


def test_padding_and_the_order_of_a_batch_change_nothing(
    trained, network_of: Callable[..., Any], encoded: Encoded, tmp_path: Path
) -> None:
    export_onnx(network_of(trained), tmp_path / "model.onnx")
    artefact = Artefact(tmp_path / "model.onnx", trained.folder / TOKENIZER_FILE, 24, threads=1)
    together = artefact.run_rows(encoded.ids, encoded.segments)
    segments = None if encoded.segments is None else encoded.segments[::-1]
    backwards = artefact.run_rows(encoded.ids[::-1], segments, batch=2)
    for name, found in together.items():
        for index, ids in enumerate(encoded.ids):
            own = None if encoded.segments is None else [encoded.segments[index]]
            alone = artefact.run_rows([ids], own)[name][0]
            np.testing.assert_allclose(alone, found[index], atol=1e-4)
            np.testing.assert_allclose(backwards[name][-1 - index], found[index], atol=1e-4)


def test_a_batch_learns_and_its_loss_is_a_number(trained, network_of: Callable[..., Any], encoded: Encoded) -> None:
    model = network_of(trained)
    batch = model.objective.collate([encoded.row(index) for index in range(len(encoded))])
    labels = batch.pop("labels")
    loss = model.objective.loss(model(**batch)[model.objective.output], labels, LossSettings())
    loss.backward()
    assert torch.isfinite(loss)
    moved = [parameter for parameter in model.parameters() if parameter.grad is not None and parameter.grad.abs().sum()]
    assert len(moved) > 10


def test_empty_and_over_long_texts_are_answered(trained, served: LoadedRelease) -> None:
    texts = [question(text, trained.spec) for text in ("", "   ", "the " * 400, "x" * 500, "refund 😀 नमस्ते")]
    for label, score in answers(served, texts):
        assert label
        assert 0 <= score <= 1
    read = served.encode(texts)
    most = trained.manifest.max_tokens
    assert all(len(row) <= most for text in read for row in text.rows)
    assert read[2].length > most


def test_what_is_timed_is_what_the_service_runs(trained, served: LoadedRelease) -> None:
    tokenizer = Tokenizer.from_file(str(trained.folder / TOKENIZER_FILE))
    texts = [question(text, trained.spec) for text in ("my card is lost", "", "my card is lost " * 40)]
    ids, segments = trained.kind.read(texts, tokenizer, trained.spec)
    rows = [row for text in served.encode(texts) for row in text.rows]
    assert [list(row) for row in ids] == [list(row) for row in rows]
    if segments is not None:
        assert [list(one) for one in segments] == [list(row.types) for row in rows]


def test_over_long_rows_are_cut_for_learning(trained, network_of: Callable[..., Any]) -> None:
    row = trained.dataset.test[0]
    tokenizer = Tokenizer.from_file(str(trained.folder / TOKENIZER_FILE))
    long: list[Row] = [row, _longer(row)]
    encoded = trained.kind.encode(long, trained.manifest.labels, tokenizer, trained.spec)
    assert all(len(ids) <= 24 for ids in encoded.ids)
    batch = pad_batch(encoded.ids, encoded.segments)
    with torch.inference_mode():
        found = network_of(trained)(**batch)
    assert all(torch.isfinite(values).all() for values in found.values())


def _longer(row: Row) -> Row:
    """The same row behind whose end much is said that changes nothing."""
    more = " the" * 60
    if hasattr(row, "context"):
        return replace(row, context=row.context + more)
    return replace(row, text=row.text + more)


def test_the_order_of_labels_survives(trained, served: LoadedRelease) -> None:
    assert trained.manifest.labels == served.labels == trained.kind.labels(trained.dataset)
    rows = trained.dataset.test[:40]
    found = [label for label, _ in answers(served, [row.text for row in rows])]
    if trained.spec.kind == "similarity":
        assert set(found) == {"vector"}
    else:
        right = [one == row.label for one, row in zip(found, rows, strict=True)]
        assert np.mean(right) > 0.7


def test_one_text_alone_and_among_others_is_answered_alike(trained, served: LoadedRelease) -> None:
    texts = [row.text for row in trained.dataset.test[:12]]
    pairs = [(one, answers(served, [text])[0]) for text, one in zip(texts, answers(served, texts), strict=True)]
    assert all(together[0] == alone[0] for together, alone in pairs)
    assert max(abs(together[1] - alone[1]) for together, alone in pairs) < 0.01


def test_the_quantized_artefact_is_within_its_gate(trained) -> None:
    manifest = trained.manifest
    assert verify_release(trained.home, "tiny", manifest.version) == manifest
    assert manifest.metrics["quantization_drop"] <= trained.spec.gate.max_quantization_drop
    assert all(verdict.passed for verdict in manifest.gate)
    assert trained.kind.main.name in manifest.metrics
    assert 0.0 <= manifest.metrics[f"fp32_{trained.kind.main.name}"] <= 1.0
    for rival in trained.kind.rivals:
        assert rival.name in manifest.metrics


def test_figures_have_intervals_and_the_strongest_baseline_is_compared_row_by_row(trained) -> None:
    metrics, main = trained.manifest.metrics, trained.kind.main.name
    assert metrics[f"{main}_low"] <= metrics[main] <= metrics[f"{main}_high"]
    strongest = trained.kind.rivals[-1].name
    by = f"beats_{strongest.removesuffix(f'_{main}')}_by"
    assert metrics[by] == pytest.approx(metrics[main] - metrics[strongest], abs=1e-5)
    assert metrics[f"{by}_low"] <= metrics[by] <= metrics[f"{by}_high"]
    found = json.loads((trained.folder / METRICS_FILE).read_text())
    assert found["intervals"][main] == {"low": metrics[f"{main}_low"], "high": metrics[f"{main}_high"]}


def test_mistakes_and_ways_of_writing_are_told_and_texts_kept_out_where_they_are_to_be(
    trained, network_of: Callable[..., Any], tmp_path: Path
) -> None:
    # What nobody has trained makes mistakes enough.
    model = network_of(trained)
    export_onnx(model, tmp_path / "model.onnx")
    artefact = Artefact(tmp_path / "model.onnx", trained.folder / TOKENIZER_FILE, 24, threads=1)
    stage = Stage(Console(file=io.StringIO()), None, None)
    told: list[Any] = []
    for log_text in (True, False):
        spec = trained.spec.model_copy(update={"limits": LimitSpec(log_text=log_text)})
        measured = trained.kind.measure(artefact, model, trained.dataset, stage, spec=spec)
        details = measured.analysis.details if measured.analysis else measured.details
        sections = analysis_sections(measured.analysis) if measured.analysis else measured.sections
        told.append(details)
        titles = {section.title for section in sections}
        assert {"The same texts, written otherwise", "The surest mistakes"} <= titles
        shown = [one for one in sections if one.title != "The same texts, written otherwise"]
        words = {word for text in trained.kind.texts(trained.dataset.test) for word in text.split() if len(word) > 6}
        assert any(word in repr(shown) for word in words) is log_text
        assert any(word in json.dumps(details["errors"]) for word in words) is log_text
    assert all(one["text"] for one in told[0]["errors"]["surest"])
    assert {one["text"] for one in told[1]["errors"]["surest"]} == {None}
    assert told[0]["errors"]["mistakes"] == told[1]["errors"]["mistakes"] > 5
    assert told[0]["sensitivity"] == told[1]["sensitivity"]
    assert len(told[0]["sensitivity"]["variants"]) == 7


def test_the_reference_indexes_what_the_log_will_hold(trained, served: LoadedRelease) -> None:
    reference = load_reference(trained.folder / REFERENCE_FILE)
    logged = trained.manifest.logged_labels
    assert reference.predicted.min() >= 0
    assert reference.predicted.max() < len(logged)
    found = [label for label, _ in answers(served, [row.text for row in trained.dataset.test[:20]])]
    assert {served.counted_label(label) for label in found} <= set(logged)
    assert ((reference.scores >= 0) & (reference.scores <= 1)).all()
