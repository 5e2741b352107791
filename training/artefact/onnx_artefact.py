"""Running a release's files as the service does: onnxruntime and `tokenizers`, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from contracts.lemmas import lemmatizer_of
from contracts.onnx_sessions import SLOW_FUSIONS
from contracts.question_windows import padded_types
from contracts.reference import Floats, Integers
from contracts.release import MODEL_FILE, TOKENIZER_FILE
from contracts.truncation import cut

BATCH = 32
_NOTHING: Floats = np.zeros(0, dtype=np.float32)
_runtime: Any = onnxruntime  # its type information does not say what the package exports


@dataclass(frozen=True)
class Tokenized:
    """n texts as the model reads them, and what their full tokenization (before truncation) says of them."""

    ids: list[list[int]]
    lengths: Integers  # [n], tokens before truncation, special tokens included
    unknown_shares: Floats  # [n], share of the tokens without special ones that are unknown, 0..1
    fragmentation: Floats  # [n], tokens without special ones per whitespace-separated word


@dataclass(frozen=True)
class Outputs:
    """What the artefact says of n texts, in their order."""

    logits: Floats  # [n, labels]
    embeddings: Floats  # [n, hidden]
    tokenized: Tokenized


@dataclass(frozen=True)
class TokenOutputs:
    """As `Outputs`, of a graph that says something of every token."""

    logits: list[Floats]  # n times [tokens of that text, labels]
    embeddings: Floats  # [n, hidden]
    tokenized: Tokenized


def tokenize(tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> Tokenized:
    """Token ids cut to `max_tokens` (the closing special token stays), and statistics of the uncut text."""
    unknown = _unknown_id(tokenizer)
    lemmatize = lemmatizer_of(tokenizer)
    read = list(texts) if lemmatize is None else [lemmatize(text) for text in texts]
    whole = tokenizer.encode_batch(read)
    specials = tokenizer.num_special_tokens_to_add(False)
    lengths = np.array([len(encoding.ids) for encoding in whole], dtype=np.int64)
    pieces = np.maximum(lengths - specials, 0)
    unknowns = np.array([encoding.ids.count(unknown) for encoding in whole], dtype=np.int64)
    words = np.array([max(len(text.split()), 1) for text in texts], dtype=np.int64)
    return Tokenized(
        ids=[cut(encoding.ids, encoding, max_tokens) for encoding in whole],
        lengths=lengths,
        unknown_shares=np.minimum(unknowns / np.maximum(pieces, 1), 1.0).astype(np.float32),
        fragmentation=(pieces / words).astype(np.float32),
    )


class Artefact:
    """A loaded `model.onnx` with its tokenizer."""

    def __init__(self, model: Path, tokenizer: Path, max_tokens: int, *, threads: int) -> None:
        options = _runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A thread that spins while it waits takes the core of a service that answers on the same machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self.session = _runtime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW_FUSIONS
        )
        self.tokenizer = Tokenizer.from_file(str(tokenizer))
        self.max_tokens = max_tokens
        self._inputs = {entry.name for entry in self.session.get_inputs()}
        self._outputs = [str(entry.name) for entry in self.session.get_outputs()]

    @classmethod
    def of_release(cls, folder: Path, max_tokens: int, *, threads: int) -> Artefact:
        """The artefact of a published or staged release."""
        return cls(folder / MODEL_FILE, folder / TOKENIZER_FILE, max_tokens, threads=threads)

    @property
    def token_type_ids(self) -> bool:
        """Whether the graph has that input."""
        return "token_type_ids" in self._inputs

    def run(self, texts: Sequence[str], *, batch: int = BATCH, advance: Callable[[int], None] | None = None) -> Outputs:
        """Logits and embeddings of all texts, of a graph with logits a text."""
        found = self.run_tokens(texts, batch=batch, advance=advance)
        return Outputs(np.stack(found.logits), found.embeddings, found.tokenized)

    def run_tokens(
        self, texts: Sequence[str], *, batch: int = BATCH, advance: Callable[[int], None] | None = None
    ) -> TokenOutputs:
        """As `run`, of a graph with logits a token."""
        tokenized = tokenize(self.tokenizer, texts, self.max_tokens)
        found = self.run_rows(tokenized.ids, batch=batch, advance=advance)
        return TokenOutputs(found["logits"], np.stack(found["embedding"]), tokenized)

    def run_rows(
        self,
        rows: Sequence[Sequence[int]],
        segments: Sequence[Sequence[int]] | None = None,
        *,
        batch: int = BATCH,
        advance: Callable[[int], None] | None = None,
    ) -> dict[str, list[Floats]]:
        """Every output of the graph for each row of token ids; of outputs a token, those of the row's own tokens.

        Batches are of similar length, so that little is padding.
        """
        order = [int(index) for index in np.argsort([len(ids) for ids in rows], kind="stable")]
        found: dict[str, list[Floats]] = {name: [_NOTHING] * len(rows) for name in self._outputs}
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            kept = None if segments is None else [segments[index] for index in chosen]
            for name, values in self.forward([rows[index] for index in chosen], kept).items():
                for index, value in zip(chosen, values, strict=True):
                    found[name][index] = value[: len(rows[index])] if values.ndim == 3 else value
            if advance is not None:
                advance(len(chosen))
        return found

    def forward(
        self, rows: Sequence[Sequence[int]], segments: Sequence[Sequence[int]] | None = None
    ) -> dict[str, Floats]:
        """Every output of the graph for one batch of token ids, each [rows, ...], by its name.

        `segments` are the token type ids; without them, all are 0. They are dropped where the graph does not know them.
        """
        lengths = [len(ids) or 1 for ids in rows]  # a text without tokens is one of padding
        longest = max(lengths)
        input_ids = np.zeros((len(rows), longest), dtype=np.int64)
        mask = np.zeros((len(rows), longest), dtype=np.int64)
        for row, ids in enumerate(rows):
            input_ids[row, : len(ids)] = ids
            mask[row, : lengths[row]] = 1
        feed: dict[str, npt.NDArray[np.int64]] = {"input_ids": input_ids, "attention_mask": mask}
        if self.token_type_ids:
            feed["token_type_ids"] = padded_types(segments or [()] * len(rows), longest)
        given = self.session.run(self._outputs, feed)
        return {name: np.asarray(values) for name, values in zip(self._outputs, given, strict=True)}


def _unknown_id(tokenizer: Tokenizer) -> int:
    """The id of the unknown token, or -1 for a tokenizer that has none."""
    name = getattr(tokenizer.model, "unk_token", None)
    return -1 if name is None else int(tokenizer.token_to_id(name))
