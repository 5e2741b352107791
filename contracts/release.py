"""The release: one version of a task's model, immutable once published.

A release is a folder with `model.onnx`, `tokenizer.json`, `reference.npz`, `metrics.json`, `report.html`,
`MODEL_CARD.md` and `manifest.json`, which is written last and names the sha256 and size of every other file.

`model.onnx` takes int64 `input_ids` and `attention_mask`, and `token_type_ids` if the architecture has them, each
[batch, tokens]; it gives float32 `embedding` [batch, hidden] (mean over unmasked tokens) and, but for similarity,
`logits`: [batch, labels], for token classification [batch, tokens, labels], for answers to questions [batch, tokens, 2]
(start and end).
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from contracts.schema import SHA256, TASK_NAME, VERSION, Contract
from contracts.task import Kind, TaskSpec

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
REFERENCE_FILE = "reference.npz"
METRICS_FILE = "metrics.json"
REPORT_FILE = "report.html"
CARD_FILE = "MODEL_CARD.md"
MANIFEST_FILE = "manifest.json"
REQUIRED_FILES = (MODEL_FILE, TOKENIZER_FILE, REFERENCE_FILE)


# Of one label there is nothing to tell.
_SEVERAL_LABELS: tuple[Kind, ...] = ("classification", "token-classification", "question-answering")


class FileEntry(Contract):
    """What a file of the release must be."""

    sha256: str = Field(pattern=SHA256)
    size: int = Field(ge=0, description="bytes")


class GateVerdict(Contract):
    """One check that the artefact passed or failed."""

    name: str
    passed: bool
    expected: str
    found: str


class Lineage(Contract):
    """Where a release comes from."""

    base_model: str
    base_sha256: str = Field(pattern=SHA256)
    data_fingerprint: str = Field(pattern=SHA256)
    commit: str | None = None
    parent: str | None = Field(None, pattern=VERSION)
    request_id: str | None = None
    seed: int
    versions: dict[str, str] = Field(default_factory=dict, description="libraries that made the artefact")


class PairedOutcome(Contract):
    """Champion and candidate on the same labelled texts, as counts: what a paired test needs."""

    both_right: int = Field(ge=0)
    champion_only: int = Field(ge=0)
    candidate_only: int = Field(ge=0)
    both_wrong: int = Field(ge=0)

    @property
    def rows(self) -> int:
        """Texts compared."""
        return self.both_right + self.champion_only + self.candidate_only + self.both_wrong

    @property
    def champion_accuracy(self) -> float:
        """0..1; 0 when there are no rows."""
        return (self.both_right + self.champion_only) / self.rows if self.rows else 0.0

    @property
    def candidate_accuracy(self) -> float:
        """0..1; 0 when there are no rows."""
        return (self.both_right + self.candidate_only) / self.rows if self.rows else 0.0


class Comparison(Contract):
    """A candidate against the champion it is to replace, both as deployed (int8 artefacts)."""

    champion: str = Field(pattern=VERSION)
    old_test: PairedOutcome
    fresh: PairedOutcome


class Manifest(Contract):
    """What a release is, and the proof that its files are whole."""

    schema_number: Literal[1] = 1
    task: str = Field(pattern=TASK_NAME)
    version: str = Field("0000", pattern=VERSION)
    kind: Kind
    created: float = Field(description="seconds since the epoch, UTC")
    labels: tuple[str, ...] = Field(min_length=1, description="in the order of the logits")
    thresholds: tuple[float, ...] | None = Field(None, description="multi-label: by label; scores from here on count")
    null_threshold: float | None = Field(None, description="question answering: an answer's lead over none, at least")
    outcomes: tuple[str, ...] | None = Field(
        None, description="where records of the prediction log hold other labels: those, the last for all the rest"
    )
    temperature: float = Field(gt=0, description="scores are softmax(logits / temperature)")
    max_tokens: int = Field(ge=8, le=512, description="texts are cut to this many tokens")
    token_type_ids: bool = Field(description="whether model.onnx has that input")
    metrics: dict[str, float] = Field(description="of the artefact as deployed, on the test set")
    gate: tuple[GateVerdict, ...]
    lineage: Lineage
    comparison: Comparison | None = None
    spec: TaskSpec
    files: dict[str, FileEntry] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("`labels` holds a label twice")
        if self.kind in _SEVERAL_LABELS and len(self.labels) < 2:
            raise ValueError(f"`labels` of a {self.kind} must be at least two")
        if self.thresholds is not None and len(self.thresholds) != len(self.labels):
            raise ValueError("`thresholds` must hold one for each of `labels`")
        return self

    @property
    def logged_labels(self) -> tuple[str, ...]:
        """What `label` of a prediction record is one of; what the reference's predictions index."""
        return self.outcomes or self.labels
