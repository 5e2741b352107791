"""Every family of encoders that people bring learns, is exported and is quantized: tiny ones, built from configs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModel

from contracts.entities import words_of
from contracts.task import TrainSpec
from training.artefact.export import check_agreement, export_onnx
from training.artefact.onnx_artefact import Artefact
from training.artefact.quantize import quantize
from training.kinds.token_classification import tag_objective
from training.learning.base_model import ENCODERS
from training.learning.classifier import TextClassifier, TokenClassifier, freeze_layers
from training.learning.finetune import Encoded, fine_tune
from training.learning.network import Network
from training.learning.objective import IGNORED
from training.progress import Stage

SIZES = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
}
# As each is published, but small. MiniLM and multilingual BERT are BERT with other sizes and vocabularies.
FAMILIES: dict[str, tuple[str, dict[str, object]]] = {
    "BERT": ("bert", SIZES),
    "MiniLM": ("bert", {**SIZES, "hidden_size": 24, "intermediate_size": 96}),
    "multilingual BERT": ("bert", {**SIZES, "vocab_size": 400, "directionality": "bidi"}),
    "DistilBERT": ("distilbert", {**SIZES, "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}),
    "RoBERTa": ("roberta", {**SIZES, "type_vocab_size": 1, "pad_token_id": 1}),
    "XLM-R": ("xlm-roberta", {**SIZES, "vocab_size": 400, "type_vocab_size": 1, "pad_token_id": 1}),
    "ELECTRA": ("electra", {**SIZES, "embedding_size": 16}),
    "DeBERTa-v2": (
        "deberta-v2",
        {
            **SIZES,
            "relative_attention": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
            "max_relative_positions": -1,
            "position_buckets": 8,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
        },
    ),
}


def encoder(family: str) -> object:
    architecture, sizes = FAMILIES[family]
    assert architecture in ENCODERS
    torch.manual_seed(3)
    return AutoModel.from_config(AutoConfig.for_model(architecture, **sizes))


def rows(count: int, seed: int) -> list[list[int]]:
    """A text is of the label whose token it holds again and again, 10 or 11."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        ids = rng.integers(20, 60, size=rng.integers(3, 20)).tolist()
        ids[::2] = [10 + number % 2] * len(ids[::2])
        made.append(ids)
    return made


def learned(model: Network, train: Encoded, validation: Encoded, folder: Path) -> float:
    recipe = TrainSpec(epochs=5, batch_size=16, learning_rate=4e-3, patience=5, seed=1)
    stage = Stage(Console(file=io.StringIO()), None, None)
    freeze_layers(model, embeddings=False, layers=0)
    return max(one.validation_score for one in fine_tune(model, train, validation, recipe, folder=folder, stage=stage))


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_are_learned_and_exported(family: str, tmp_path: Path, tiny_base: Path) -> None:
    parts = [Encoded(rows(count, count), [number % 2 for number in range(count)]) for count in (160, 40)]
    model = TextClassifier(encoder(family), 2)
    assert learned(model, *parts, tmp_path) > 0.9
    export_onnx(model, tmp_path / "fp32.onnx")
    exported = Artefact(tmp_path / "fp32.onnx", tiny_base / "tokenizer.json", 32, threads=1)
    assert check_agreement(model, exported, parts[1].ids[:8]) < 1e-3
    quantize(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", model.config, "avx512_vnni")
    small = Artefact(tmp_path / "int8.onnx", tiny_base / "tokenizer.json", 32, threads=1)
    found = np.stack(small.run_rows(parts[1].ids)["logits"]).argmax(axis=1)
    assert (found == parts[1].labels).mean() > 0.85


@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_are_learned_and_exported(family: str, tmp_path: Path, tiny_base: Path) -> None:
    tags = ("O", "B-x", "B-y")
    parts = []
    for count in (160, 40):
        ids = rows(count, count)
        parts.append(Encoded(ids, [[IGNORED, *({10: 1, 11: 2}.get(token, 0) for token in one[1:])] for one in ids]))
    model = TokenClassifier(encoder(family), 3, tag_objective(tags))
    assert learned(model, *parts, tmp_path) > 0.9
    export_onnx(model, tmp_path / "fp32.onnx")
    exported = Artefact(tmp_path / "fp32.onnx", tiny_base / "tokenizer.json", 32, threads=1)
    assert check_agreement(model, exported, parts[1].ids[:8]) < 1e-3
    assert exported.forward(parts[1].ids[:3])["logits"].shape[2] == 3


CORPUS = ["Anna flew to New York, didn't she?", "Zürich isn't in Österreich.", "मुंबई में बारिश है।"] * 20


def byte_level() -> Tokenizer:
    """As RoBERTa's."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=True)
    special = ["<s>", "</s>"]
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=special, show_progress=False)
    made.train_from_iterator(CORPUS, trainer)
    return made


def sentence_piece() -> Tokenizer:
    """As those of XLM-R and DeBERTa-v2: the space belongs to the piece, and punctuation clings to words."""
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="<unk>", show_progress=False)
    made.train_from_iterator(CORPUS, trainer)
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)])
    return made


@pytest.mark.parametrize("make", [byte_level, sentence_piece])
def test_words_are_found_whatever_the_tokenizer_makes_of_spaces(make) -> None:
    tokenizer = make()
    for text in dict.fromkeys(CORPUS):
        encoding = tokenizer.encode(text)
        words = words_of(text, encoding.offsets)
        shown = [text[word.start : word.end] for word in words]
        # A mark of punctuation may share a piece with what stands before it.
        assert [one for one in shown if len(one) > 1] == [one for one in _plain(text) if len(one) > 1]
        assert len({word.piece for word in words}) == len(words)
        for word in words:
            start, end = encoding.offsets[word.piece]
            assert text[start:end].strip()
            assert start <= word.start < end or start == word.start


def _plain(text: str) -> list[str]:
    for mark in ",?.'।":
        text = text.replace(mark, f" {mark} ")
    return text.split()
