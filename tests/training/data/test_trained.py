"""What the data settings do is in the release that comes of them: profile, sampling, splits by time, cleaning."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tokenizers import Tokenizer

from contracts.cleaning import CleanSpec
from contracts.home import Home
from contracts.release import METRICS_FILE, TOKENIZER_FILE, Manifest
from contracts.release_store import read_manifest
from contracts.task import DataSpec, TaskSpec
from service.engine.loading import load_release


@pytest.fixture(scope="module")
def released(
    tiny_spec: Callable[..., TaskSpec],
    tiny_rows: Callable[[int, int], list[tuple[str, str]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Home, Manifest]:
    from training.pipeline import train

    folder = tmp_path_factory.mktemp("cleaned")
    common = dict.fromkeys(tiny_rows(400, 1))
    rows = [(f"The {text.upper()} https://a.b/{n}", label) for n, (text, label) in enumerate(common)]
    rare = [row for row in rows if row[1] == "other"][::3]
    kept = [row for row in rows if row[1] != "other" or row in rare]
    path = folder / "rows.jsonl"
    path.write_text(
        "".join(json.dumps({"text": text, "label": label, "at": n}) + "\n" for n, (text, label) in enumerate(kept))
    )
    spec = tiny_spec(data=path).model_copy(
        update={
            "data": DataSpec(path=str(path), time_column="at", sampling="oversample"),
            "clean": CleanSpec(urls="remove", stop_words=("the",)),
        }
    )
    home = Home(folder / "home")
    return home, train(home, spec)


def test_the_profile_is_in_the_metrics(released: tuple[Home, Manifest]) -> None:
    home, manifest = released
    found = json.loads((home.release(manifest.task, manifest.version) / METRICS_FILE).read_text())["data"]["profile"]
    assert [split["name"] for split in found["splits"]] == ["train", "validation", "test"]
    assert found["labels"][-1]["name"] == "other"
    assert found["imbalance"]["largest_to_smallest"] > 2
    assert found["languages"]


def test_the_settings_are_in_the_manifest(released: tuple[Home, Manifest]) -> None:
    home, manifest = released
    spec = read_manifest(home, manifest.task, manifest.version).spec
    assert spec.clean == CleanSpec(urls="remove", stop_words=("the",))
    assert (spec.data.sampling, spec.data.time_column) == ("oversample", "at")


def test_it_has_learned_although_one_label_is_rare(released: tuple[Home, Manifest]) -> None:
    assert released[1].metrics["macro_f1"] > 0.8


def test_the_service_cleans_as_training_did(released: tuple[Home, Manifest]) -> None:
    home, manifest = released
    release = load_release(home, manifest.task, manifest.version, threads=1)
    first, second = release.encode(["The parcel, THE courier: https://x.y/z late", "parcel, courier: late"])
    assert first.ids == second.ids
    tokenizer = Tokenizer.from_file(str(home.release(manifest.task, manifest.version) / TOKENIZER_FILE))
    assert tokenizer.encode("the https://x.y").tokens == ["[CLS]", "[SEP]"]
