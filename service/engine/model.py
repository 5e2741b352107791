"""One loaded release, and what its runs find."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.reference import Reference
from contracts.release import Manifest
from service.engine.denormals import with_denormals_as_zero
from service.engine.encoding import EncodedText, TextEncoder, segments_of
from service.engine.heads import Floats, head_of
from service.engine.run_cost import RunCost, measure, measure_wide
from service.engine.settled import RowOutput, Settled
from service.errors import KindUnsupportedError, ModelOutputError

WARM_UP_TEXT = "a text to warm up with, as long as many are: twelve words"
_LONGEST_TIMED = 256
# Whoever comes while the event loop runs a text waits no longer than this.
_SHORT_SECONDS = 0.010
# Two threads that both want the interpreter cost each request of a run as much again.
_BRIEF_SECONDS = 0.0015


@dataclass(frozen=True)
class BatchOutput:
    """What one session run found, row by row."""

    indices: npt.NDArray[np.int64]  # [batch], into the manifest's labels
    scores: npt.NDArray[np.float64]  # [batch], 0..1
    logits: Floats  # [batch, labels], or what the kind of task has in its place
    projected: Callable[[], Floats]  # [batch, k], made where they are wanted: no caller waits for what the log holds
    embeddings: Floats | None = None  # [batch, hidden], of kinds whose texts are still to be settled
    settled: tuple[Settled, ...] | None = None  # of kinds that settle texts, once they are

    @cached_property
    def projections(self) -> Floats:
        """[batch, k], of the embeddings on the reference's components."""
        return self.projected()


class LoadedRelease:
    """A release that was verified, loaded and tried. Its methods may be called from several threads at once."""

    def __init__(
        self, manifest: Manifest, session: Any, wide_session: Any, encoder: TextEncoder, reference: Reference
    ) -> None:
        self.manifest = manifest
        self.task = manifest.task
        self.version = manifest.version
        self.labels = manifest.labels
        self.encoder = encoder
        self.head = head_of(manifest)
        self._counted = frozenset(manifest.outcomes or ())
        self._outputs = ["logits", "embedding"] if self.head.has_logits else ["embedding"]
        self._session = session
        self._wide_session = wide_session
        self._reference = reference
        self.cost = RunCost(math.inf)  # of a run on one core, once it was measured

    @property
    def hidden(self) -> int:
        """How long an embedding is."""
        return int(self._reference.projection_mean.shape[0])

    @property
    def graph(self) -> dict[str, str]:
        """What training wrote of how the graph was made."""
        return graph_of(self._session)

    @property
    def has_wide(self) -> bool:
        """Whether there is a session for runs on all cores."""
        return self._wide_session is not self._session

    def measure_cost(self) -> None:
        """Time some runs, on one core and on all; where all are faster for no text, their session is let go."""
        row = self.encode([WARM_UP_TEXT])[0].ids
        most = min(_LONGEST_TIMED, self.manifest.max_tokens)
        long = row * (most // len(row) + 1)

        def run(lengths: Sequence[int], all_cores: bool = False) -> float:
            started = time.perf_counter()
            self.predict([long[:tokens] for tokens in lengths], all_cores=all_cores)
            return time.perf_counter() - started

        self.cost = measure(run, len(row), most)
        if self.has_wide:
            self.cost = measure_wide(self.cost, lambda tokens, wide: run([tokens], wide), most)
            if self.cost.wide_from == math.inf:
                self._wide_session = self._session

    def is_short(self, tokens: int) -> bool:
        """Whether callers can wait for a run over one text of that many tokens."""
        return self.cost.seconds(tokens) <= _SHORT_SECONDS

    def is_brief(self, tokens: int) -> bool:
        """Whether to hand a run over that many tokens to a thread would take about as long, were they one text."""
        return self.cost.seconds(tokens) <= _BRIEF_SECONDS

    def is_wide(self, tokens: int) -> bool:
        """Whether all cores are worth it for one text of that many tokens."""
        return tokens >= self.cost.wide_from

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """Tokenize; texts above max_tokens are cut, their closing special token kept, and contexts read in windows."""
        if self.head.asks:
            return self.encoder.encode_questions(texts, self.manifest.spec.model.stride)
        if self.head.words:
            return self.encoder.encode_words(texts)
        return self.encoder.encode(texts)

    def label(self, output: BatchOutput, row: int) -> str:
        """What the log says of a text."""
        return self.labels[int(output.indices[row])] if output.settled is None else output.settled[row].label

    def check_one_label(self, what: str) -> None:
        """Raises KindUnsupportedError unless a text has one label here. `what` ends with its verb."""
        if self.head.best is None:
            kind = self.manifest.kind if self.manifest.thresholds is None else "several labels a text"
            raise KindUnsupportedError(self.task, kind, what)

    def counted_label(self, label: str) -> str:
        """The label as metrics count it: where texts have several there may be any number, so the rare count as one."""
        return label if not self._counted or label in self._counted else self.manifest.logged_labels[-1]

    def ranked(self, output: BatchOutput, row: int, count: int) -> list[tuple[str, float]]:
        """The `count` most probable labels of a text with their probabilities, best first; none of kinds without."""
        if self.head.ranked is None:
            return []
        return [
            (self.labels[index], score)
            for index, score in self.head.ranked(output.logits[row], self.manifest.temperature, count)
        ]

    def predict(self, rows: Sequence[list[int]], *, all_cores: bool = False) -> BatchOutput:
        """One session run over token ids, padded to the longest row, on one core or on all that the service has.

        Raises ModelOutputError for what is no answer.
        """
        lengths = [len(row) or 1 for row in rows]  # a text without tokens is one of padding
        width = max(lengths)
        ids = np.array([row + [0] * (width - len(row)) for row in rows], dtype=np.int64)
        mask = np.arange(width) < np.array(lengths)[:, None]
        inputs = {"input_ids": ids, "attention_mask": mask.astype(np.int64)}
        if self.manifest.token_type_ids:
            inputs["token_type_ids"] = segments_of(rows, width)
        try:
            session = self._wide_session if all_cores else self._session
            *given, embeddings = with_denormals_as_zero(partial(session.run, self._outputs, inputs))
        except Exception as error:
            # onnxruntime has an exception class of its own for each status, with no common root.
            raise ModelOutputError(
                f"Release {self.task}/{self.version}: its session run failed: {error}. "
                f"Roll back with `perennial releases rollback {self.task}`."
            ) from error
        logits = given[0] if given else np.zeros((len(rows), len(self.labels)), dtype=np.float32)
        wanted = (len(rows), width, len(self.labels)) if self.head.per_token else (len(rows), len(self.labels))
        if logits.shape != wanted or not np.isfinite(logits).all():
            raise ModelOutputError(
                f"Release {self.task}/{self.version}: expected finite logits of shape {wanted}, found {logits.shape}. "
                f"Roll back with `perennial releases rollback {self.task}`."
            )
        # Finite only where all values are, and small enough for what is to be made of them.
        if not math.isfinite(np.vdot(embeddings, embeddings)):
            raise ModelOutputError(
                f"Release {self.task}/{self.version}: its embedding holds values that are not finite. "
                f"Roll back with `perennial releases rollback {self.task}`."
            )
        projected = partial(self._reference.project, embeddings)
        if self.head.best is None:
            nothing = np.zeros(len(rows))
            return BatchOutput(nothing.astype(np.int64), nothing, logits, projected, embeddings)
        scored = self.head.best(logits, self.manifest.temperature)
        return BatchOutput(scored.indices, scored.scores, logits, projected)

    def settle(self, text: EncodedText, found: Sequence[tuple[BatchOutput, int]]) -> BatchOutput:
        """The answer to one text, a batch of its own, from where the runs of its rows left what they found.

        Only of kinds whose head settles. Raises ModelOutputError for one without embeddings.
        """
        if self.head.settle is None:
            raise ModelOutputError(
                f"Release {self.task}/{self.version}: nothing is to be settled for {self.manifest.kind}."
            )
        rows = [
            RowOutput(output.logits[row], output.embeddings[row], output.projections[row])
            for output, row in found
            if output.embeddings is not None
        ]
        one = self.head.settle(text, rows, self.manifest)
        return BatchOutput(
            np.zeros(1, dtype=np.int64),
            np.array([one.score]),
            one.logits[None],
            lambda: one.projection[None],
            settled=(one,),
        )


def graph_of(session: Any) -> dict[str, str]:
    """What training wrote of how a session's graph was made."""
    return dict(session.get_modelmeta().custom_metadata_map)
