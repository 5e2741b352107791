"""The whole way from rows to a release, with a tiny model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import BaseModelError, GateRefusedError
from contracts.files import sha256_file
from contracts.home import Home
from contracts.reference import load_reference
from contracts.release import CARD_FILE, METRICS_FILE, MODEL_FILE, REFERENCE_FILE, REPORT_FILE, Manifest
from contracts.release_store import list_versions, verify_release
from contracts.task import DataSpec, GateSpec, ModelSpec, PruneSpec, TaskSpec
from training.artefact.onnx_artefact import Artefact
from training.data.dataset import thaw
from training.kinds.classification import texts_of, truth_of
from training.kinds.kinds import KINDS
from training.learning.base_model import resolve
from training.pipeline import train


def release_folder(trained: tuple[Home, Manifest]) -> Path:
    home, manifest = trained
    return home.release("support", manifest.version)


def test_data_becomes_a_release_that_verifies(trained: tuple[Home, Manifest], tiny_base: Path) -> None:
    home, manifest = trained
    assert verify_release(home, "support", manifest.version) == manifest
    assert manifest.metrics["accuracy"] > 0.8
    assert all(verdict.passed for verdict in manifest.gate)
    assert manifest.lineage.base_sha256 == resolve(str(tiny_base), max_tokens=32).sha256
    assert manifest.lineage.parent is None
    assert manifest.spec.model.base == str(tiny_base)
    files = {path.name for path in release_folder(trained).iterdir()}
    assert files == {*manifest.files, "manifest.json"}
    assert not [path for path in home.releases("support").iterdir() if path.name.startswith(".staging")]


def test_the_figures_are_those_of_the_published_artefact(trained: tuple[Home, Manifest]) -> None:
    home, manifest = trained
    folder = release_folder(trained)
    assert sha256_file(folder / MODEL_FILE) == manifest.files[MODEL_FILE].sha256
    assert manifest.metrics["size_mb"] == manifest.files[MODEL_FILE].size / 1e6
    dataset = thaw(home, "support", manifest.lineage.data_fingerprint)
    artefact = Artefact.of_release(folder, manifest.max_tokens, threads=1)
    found = artefact.run(texts_of(dataset.test)).logits.argmax(axis=1)
    accuracy = float((found == truth_of(dataset.test, manifest.labels)).mean())
    assert accuracy == pytest.approx(manifest.metrics["accuracy"], abs=1e-9)
    assert artefact.token_type_ids == manifest.token_type_ids
    assert b"MatMulInteger" in (folder / MODEL_FILE).read_bytes()


def test_the_reference_is_of_the_held_out_texts(trained: tuple[Home, Manifest]) -> None:
    home, manifest = trained
    dataset = thaw(home, "support", manifest.lineage.data_fingerprint)
    reference = load_reference(release_folder(trained) / REFERENCE_FILE)
    assert reference.rows == len(dataset.validation) + len(dataset.test)
    assert reference.projections.shape[1] == 16
    assert reference.scores.min() >= 1 / 3 - 1e-6
    artefact = Artefact.of_release(release_folder(trained), manifest.max_tokens, threads=1)
    outputs = artefact.run(texts_of([*dataset.validation, *dataset.test]))
    np.testing.assert_array_equal(reference.lengths, outputs.tokenized.lengths)
    np.testing.assert_allclose(reference.project(outputs.embeddings), reference.projections, atol=0.2)


def test_the_service_reads_texts_as_training_does(trained: tuple[Home, Manifest]) -> None:
    """Both compute what the monitor compares; the packages may not import each other, so this holds them together."""
    from service.engine.loading import load_release

    home, manifest = trained
    texts = ["refund please", "the parcel is late, zażółć " * 9, "x", "नमस्ते my card [SEP] was charged"]
    served = load_release(home, "support", manifest.version, threads=1).encode(texts)
    trained_on = Artefact.of_release(release_folder(trained), manifest.max_tokens, threads=1).run(texts).tokenized
    assert [found.ids for found in served] == trained_on.ids
    assert [found.length for found in served] == trained_on.lengths.tolist()
    np.testing.assert_allclose([found.unknown_share for found in served], trained_on.unknown_shares, atol=1e-6)
    np.testing.assert_allclose([found.fragmentation for found in served], trained_on.fragmentation, atol=1e-5)


def test_metrics_json_says_all(trained: tuple[Home, Manifest]) -> None:
    _, manifest = trained
    found = json.loads((release_folder(trained) / METRICS_FILE).read_text())
    assert found["metrics"] == manifest.metrics
    assert {"data", "tokenize", "train", "export", "quantize", "evaluate", "floors"} <= set(found["seconds"])
    assert [epoch["number"] for epoch in found["epochs"]] == [1, 2, 3, 4]
    assert sum(score["rows"] for score in found["labels"]) == found["data"]["test"]
    assert sum(entry["rows"] for entry in found["reliability"]) == found["data"]["test"]
    assert sum(map(sum, found["confusion_matrix"])) == found["data"]["test"]
    assert {curve["name"] for curve in found["curves"]["roc"]} >= {"all labels together", "mean of the labels"}
    assert found["intervals"]["accuracy"]["low"] <= manifest.metrics["accuracy"]
    assert {"typos", "upper_case", "truncation"} <= {variant["name"] for variant in found["sensitivity"]["variants"]}
    assert {"errors", "slices", "averages"} <= set(found)
    assert manifest.metrics["beats_majority_by_low"] > 0


def test_the_report_needs_no_network_and_is_small(trained: tuple[Home, Manifest]) -> None:
    page = (release_folder(trained) / REPORT_FILE).read_text()
    assert not re.findall(r"(?:src|href)\s*=|url\(|@import|<script", page)
    assert len(page.encode()) < 300_000
    assert page.count("<svg") == page.count("</svg>") == 9
    for label in ("billing", "delivery", "other"):
        assert label in page


def test_the_same_seed_gives_the_same_artefact(
    trained: tuple[Home, Manifest], tiny_spec: Callable[..., TaskSpec], home: Home
) -> None:
    first = trained[1]
    again = train(home, tiny_spec(gate=GateSpec(min_accuracy=0.8, max_quantization_drop=0.1)))
    timed = {"latency_p50_ms", "texts_per_second"}
    assert {k: v for k, v in again.metrics.items() if k not in timed} == {
        k: v for k, v in first.metrics.items() if k not in timed
    }
    assert again.files[MODEL_FILE] == first.files[MODEL_FILE]
    assert again.files[REFERENCE_FILE] == first.files[REFERENCE_FILE]


def test_a_refused_artefact_leaves_nothing(tiny_spec: Callable[..., TaskSpec], home: Home) -> None:
    with pytest.raises(GateRefusedError, match=r"max_size_mb: expected <= 0.001, found"):
        train(home, tiny_spec(epochs=1, gate=GateSpec(max_size_mb=0.001, max_quantization_drop=1.0)))
    assert list_versions(home, "support") == []
    assert [path.name for path in home.releases("support").iterdir() if path.name.startswith((".staging", "0"))] == []


def test_pruned_releases_are_smaller(
    trained: tuple[Home, Manifest], tiny_spec: Callable[..., TaskSpec], home: Home
) -> None:
    spec = tiny_spec(prune=PruneSpec(drop_layers=1, ffn_share=0.5, recovery_epochs=2))
    manifest = train(home, spec)
    assert manifest.files[MODEL_FILE].size < trained[1].files[MODEL_FILE].size * 0.85
    found = json.loads((home.release("support", manifest.version) / METRICS_FILE).read_text())
    assert len(found["pruning"]["dropped_layers"]) == 1
    assert len(found["recovery_epochs"]) == 2
    assert "Pruning" in (home.release("support", manifest.version) / REPORT_FILE).read_text()


def test_what_cannot_be_trained_is_refused_before_the_data_is_read(home: Home, tmp_path: Path) -> None:
    spec = TaskSpec(name="support", data=DataSpec(path="no such file.csv"), model=ModelSpec(base=str(tmp_path)))
    with pytest.raises(BaseModelError, match=r"config\.json"):
        train(home, spec)


def test_every_kind_of_task_has_its_steps() -> None:
    kinds = TaskSpec.model_fields["kind"].annotation
    assert set(KINDS) == set(getattr(kinds, "__args__", ()))


def test_labels_are_text_in_the_report_not_markup(
    tiny_spec: Callable[..., TaskSpec], tiny_rows: Callable, write_rows: Callable, home: Home, tmp_path: Path
) -> None:
    rows = [(text, f"<i>{label} & co</i>") for text, label in tiny_rows(90, 4)]
    spec = tiny_spec(data=write_rows(tmp_path / "rows.csv", rows), epochs=1, gate=GateSpec(max_quantization_drop=1.0))
    manifest = train(home, spec)
    page = (home.release("support", manifest.version) / REPORT_FILE).read_text()
    assert "&lt;i&gt;billing &amp; co&lt;/i&gt;" in page
    assert "<i>billing" not in page


def test_the_model_card_is_in_the_hubs_form(trained: tuple[Home, Manifest]) -> None:
    from huggingface_hub import ModelCard

    card = ModelCard.load(release_folder(trained) / CARD_FILE)
    assert CARD_FILE in trained[1].files
    assert card.data.model_name == "support"
    assert card.data.pipeline_tag == "text-classification"
    found = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert found["accuracy"] == pytest.approx(trained[1].metrics["accuracy"], abs=1e-6)
    assert "billing, delivery, other" in card.text
