"""Vectors of texts, near each other where the texts mean the same: for search and matching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from tokenizers import Tokenizer

from contracts.errors import TrainingError
from contracts.reference import Floats, Integers, Reference
from contracts.task import TaskSpec
from training.artefact.onnx_artefact import Artefact, Tokenized, tokenize
from training.data.dataset import Dataset
from training.data.pairs import PairRow
from training.data.rows import Row
from training.evaluation.baselines import WORD
from training.evaluation.bootstrap import Bools, Estimate, correlation_gain, paired_gain
from training.evaluation.reference import MAX_ROWS, fit_projection
from training.evaluation.sensitivity import texts_needed
from training.kinds.embedder import Embedder
from training.kinds.kind import Figure, Measured, TaskKind
from training.kinds.lookups import LookedUp, PairScores, Vectorize, look_up, pair_scores, remembering
from training.kinds.nearness import spearman
from training.kinds.nearness_analysis import analyse_nearness, analyse_scored
from training.kinds.text_pairs import grouped, pairs_of
from training.kinds.told import Told
from training.kinds.vector_objectives import MATCHES, SCORED_PAIRS
from training.learning.base_model import BaseModel
from training.learning.classifier import torch_outputs
from training.learning.finetune import Encoded
from training.learning.network import Network, load_encoder
from training.progress import Stage

_VECTOR = "vector"
_PROJECTION_TEXTS = 2000
_CORPUS_ROWS = 20_000  # of the training rows, as many as are looked up in
_NEAREST = (1, 5, 10)


@dataclass(frozen=True)
class _Nearness:
    """What vectors say of the test rows."""

    figures: dict[str, float]
    right: Bools  # by query: its nearest is of its group; all, where pairs have scores
    pairs: PairScores
    looked_up: LookedUp | None  # None where pairs have scores


class Similarity(TaskKind):
    """Contrast within groups, judged by whether the nearest text is of the same group."""

    main: ClassVar[Figure] = Figure("recall at 1", "recall_at_1")
    tiles: ClassVar[tuple[Figure, ...]] = (main, Figure("recall at 10", "recall_at_10"))
    gated: ClassVar[tuple[str, ...]] = ("recall_at_1", "spearman")
    rivals: ClassVar[tuple[Figure, ...]] = (
        Figure("TF-IDF vectors", "tfidf_recall_at_1"),
        Figure("The base model, untrained on this task", "base_recall_at_1"),
    )
    own_labels: ClassVar[bool] = False

    def labels(self, dataset: Dataset) -> tuple[str, ...]:
        """One, as each record of the log needs one."""
        return (_VECTOR,)

    def texts(self, rows: Sequence[Row]) -> list[str]:
        """Of pairs, both texts."""
        return [text for row in rows for text in ((row.first, row.second) if isinstance(row, PairRow) else (row.text,))]

    def build(self, base: BaseModel, dataset: Dataset, spec: TaskSpec) -> Embedder:
        """The encoder alone: nothing is drawn by the seed."""
        return Embedder(load_encoder(base), SCORED_PAIRS if spec.data.pairs == "scored" else MATCHES)

    def encode(self, rows: Sequence[Row], labels: Sequence[str], tokenizer: Tokenizer, spec: TaskSpec) -> Encoded:
        """Pairs: the first text's tokens, with the second's and the pair's target as what is learned."""
        pairs = pairs_of(rows, spec.train.seed)
        firsts, seconds = (
            tokenize(tokenizer, texts, spec.model.max_tokens).ids
            for texts in ([pair.first for pair in pairs], [pair.second for pair in pairs])
        )
        return Encoded(firsts, [(ids, pair.target) for ids, pair in zip(seconds, pairs, strict=True)])

    def measure(
        self,
        artefact: Artefact,
        model: Network,
        dataset: Dataset,
        stage: Stage,
        *,
        spec: TaskSpec,
        drifted: Sequence[Row] = (),
    ) -> Measured:
        """Test texts are looked up among training texts; of pairs, the first among the second.

        What quantization costs is told by the same with the network's own vectors.
        """
        seed = spec.train.seed
        parts = [dataset.train[:_CORPUS_ROWS], dataset.validation, dataset.test]
        texts = [self.texts(rows) for rows in parts]
        asked = dict.fromkeys(text for some in grouped(dataset.test, parts[0]) for text in some.texts)
        stage.expect(sum(map(len, texts)) + len(asked) + texts_needed(len(dataset.test)))
        tokenized = [tokenize(artefact.tokenizer, some, artefact.max_tokens) for some in texts]
        found = [np.stack(artefact.run_rows(some.ids, advance=stage.advance)["embedding"]) for some in tokenized]

        def embed(asked: Sequence[str]) -> list[Floats]:
            ids = tokenize(artefact.tokenizer, asked, artefact.max_tokens).ids
            return artefact.run_rows(ids, advance=stage.advance)["embedding"]

        def by_network(asked: Sequence[str]) -> Sequence[Floats]:
            ids = tokenize(artefact.tokenizer, asked, artefact.max_tokens).ids
            return torch_outputs(model, ids, "embedding", advance=stage.advance)

        known = {
            text: vector
            for some, vectors in zip(texts, found, strict=True)
            for text, vector in zip(some, vectors, strict=True)
        }
        vectors = remembering(known, embed)
        told = self._nearness(vectors, dataset.test, parts[0], seed)
        checked = self._nearness(vectors, dataset.validation, parts[0], seed)
        original = self._nearness(remembering({}, by_network), dataset.test, parts[0], seed)
        main = self.main.name
        analysis = _analyse(told, dataset, vectors, tokenized[2].lengths, spec)
        return Measured(
            figures={
                **analysis.figures,
                **told.figures,
                f"validation_{main}": checked.figures[main],
                f"fp32_{main}": original.figures[main],
                "quantization_drop": original.figures[main] - told.figures[main],
            },
            temperature=1.0,
            reference=_reference(tokenized[1:], found[1:], (checked, told), found[0][:_PROJECTION_TEXTS], seed),
            rows=len(dataset.test),
            details=analysis.details,
            warnings=analysis.warnings,
            sections=analysis.sections,
            by_row=self._by_row(told),
        )

    def _nearness(self, vectors: Vectorize, rows: Sequence[Row], known: Sequence[Row], seed: int) -> _Nearness:
        found = look_up(vectors, rows, known, max(_NEAREST))
        figures = {f"recall_at_{count}": float(found.hits[:, :count].any(axis=1).mean()) for count in _NEAREST}
        pairs = pair_scores(vectors, rows, seed)
        return _Nearness({**figures, "spearman": spearman(pairs.cosines, pairs.wanted)}, found.right, pairs, found)

    def _by_row(self, found: _Nearness) -> Floats:
        """What the main figure is made of, to be compared with a baseline's."""
        return found.right.astype(np.float32)

    def _gain(self, ours: Floats, floor: _Nearness) -> Estimate:
        return paired_gain(ours - self._by_row(floor))

    def floors(
        self, dataset: Dataset, measured: Measured, *, base: BaseModel, tokenizer: Tokenizer, spec: TaskSpec
    ) -> dict[str, float]:
        """The same by vectors of weighted words, and by the base model's as it was before the training."""
        words = TfidfVectorizer(token_pattern=WORD, sublinear_tf=True)
        words.fit(self.texts(dataset.train))
        untrained, main = self.build(base, dataset, spec), self.main.name

        def embed(texts: Sequence[str]) -> list[Floats]:
            ids = tokenize(tokenizer, texts, spec.model.max_tokens).ids
            return torch_outputs(untrained, ids, "embedding", advance=lambda _: None)

        found: dict[str, float] = {}
        for name, vectors in (("tfidf", words.transform), ("base", remembering({}, embed))):
            told = self._nearness(vectors, dataset.test, dataset.train[:_CORPUS_ROWS], spec.train.seed)
            gain = self._gain(measured.by_row, told)
            found |= {f"{name}_{main}": told.figures[main], **gain.figures(f"beats_{name}_by")}
        return found

    def answers(self, artefact: Artefact, labels: Sequence[str], rows: Sequence[Row], stage: Stage) -> list[str]:
        """Raises TrainingError: successors are trained from labels of single texts."""
        raise TrainingError(
            "No successors are trained for similarity from production's labels. Run `perennial train` again."
        )


class ScoredSimilarity(Similarity):
    """Cosines as the pairs' scores, judged by rank correlation."""

    main: ClassVar[Figure] = Figure("rank correlation (Spearman)", "spearman")
    tiles: ClassVar[tuple[Figure, ...]] = (main,)
    gated: ClassVar[tuple[str, ...]] = ("spearman",)
    rivals: ClassVar[tuple[Figure, ...]] = (
        Figure("TF-IDF vectors", "tfidf_spearman"),
        Figure("The base model, untrained on this task", "base_spearman"),
    )

    def _nearness(self, vectors: Vectorize, rows: Sequence[Row], known: Sequence[Row], seed: int) -> _Nearness:
        """No answer is right or wrong; none counts as wrong."""
        right = np.ones(len(self.texts(rows)), dtype=np.bool_)
        pairs = pair_scores(vectors, rows, seed)
        return _Nearness({"spearman": spearman(pairs.cosines, pairs.wanted)}, right, pairs, None)

    def _by_row(self, found: _Nearness) -> Floats:
        return found.pairs.cosines

    def _gain(self, ours: Floats, floor: _Nearness) -> Estimate:
        return correlation_gain(ours, floor.pairs.cosines, floor.pairs.wanted, seed=0)


def _analyse(found: _Nearness, dataset: Dataset, vectors: Vectorize, lengths: Integers, spec: TaskSpec) -> Told:
    if found.looked_up is None:
        return analyse_scored(found.pairs, dataset.test, spec=spec)
    return analyse_nearness(
        found.looked_up,
        found.pairs,
        dataset.test,
        dataset.train[:_CORPUS_ROWS],
        vectors,
        lengths[:: len(lengths) // len(dataset.test)],  # of pairs, the first texts'
        spec=spec,
    )


def _reference(
    tokenized: Sequence[Tokenized],
    found: Sequence[Floats],
    nearness: Sequence[_Nearness],
    training: Floats,
    seed: int,
) -> Reference:
    """Over all held-out texts, or a random choice of 3000 of them; of a matching pair, both are right or wrong."""
    lengths = np.concatenate([some.lengths for some in tokenized])
    correct = np.concatenate(
        [np.repeat(near.right, len(vectors) // len(near.right)) for near, vectors in zip(nearness, found, strict=True)]
    )
    rows = np.sort(np.random.default_rng(seed).permutation(len(lengths))[:MAX_ROWS])
    projection = fit_projection(training)
    projected = (np.concatenate(found)[rows] - projection.mean) @ projection.components
    return Reference(
        predicted=np.zeros(len(rows), dtype=np.int64),
        correct=correct[rows],
        scores=np.ones(len(rows), dtype=np.float32),
        lengths=lengths[rows],
        unknown_shares=np.concatenate([some.unknown_shares for some in tokenized])[rows],
        fragmentation=np.concatenate([some.fragmentation for some in tokenized])[rows],
        projections=projected.astype(np.float32),
        projection_mean=projection.mean,
        projection_components=projection.components,
    )
