"""Settings of the recipes beside plain fine-tuning: few labels, adaptation to a domain, search."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from contracts.schema import Contract

Recipe = Literal["fine-tune", "contrastive"]


class ContrastiveSpec(Contract):
    """`[train.contrastive]`: how the encoder is drawn apart when `[train] recipe` is "contrastive"."""

    temperature: float = Field(0.1, gt=0, le=1, description="of cosines; lower weighs the hardest pairs more")
    texts_per_label: int = Field(2, ge=2, le=64, description="of a label in a batch; the rest of the batch differs")


class LoraSpec(Contract):
    """Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685); the base model's own weights stay as they are."""

    rank: int = Field(8, ge=1, le=512)
    alpha: int = Field(16, ge=1, description="the additions are scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1)
    layers: Literal["attention", "all"] = Field("all", description="all: the feed-forward layers too")


class AdaptSpec(Contract):
    """`[adapt]`: masked language modelling on unlabelled text of the domain before fine-tuning.

    `source` is "log" (the texts that production sent: of the prediction log, or of a retrain request's snapshot),
    "train" (the task's own training texts) or the path of a UTF-8 text file with one text a line.
    """

    source: str = Field(min_length=1)
    epochs: int = Field(3, ge=1, le=100)
    batch_size: int = Field(32, ge=1, le=1024)
    learning_rate: float = Field(1e-4, gt=0, le=1)
    mask_share: float = Field(0.15, gt=0, lt=1, description="share of a text's tokens to be guessed")
    min_texts: int = Field(200, ge=1, description="of a log; with fewer, training starts from the base model as it is")
    max_texts: int = Field(20_000, ge=1, description="the newest of the log, the first of a file")


class SearchSpec(Contract):
    """`[search]`: what `perennial tune` tries. A range is [lowest, highest]; equal ends fix the setting."""

    learning_rate: tuple[float, float] = Field((5e-5, 1e-3), description="drawn on a logarithmic scale")
    epochs: tuple[int, int] = (2, 6)
    batch_size: tuple[int, ...] = Field((16, 32, 64), min_length=1, description="one of these")
    label_smoothing: tuple[float, float] = (0.0, 0.1)
    freeze_layers: tuple[int, int] = (0, 2)
    trials: int = Field(20, ge=1, le=10_000, description="finished trials after which the study is complete")
    pruner: Literal["median", "hyperband", "none"] = Field("median", description="stops poor trials after an epoch")
    startup_trials: int = Field(5, ge=1, description="drawn at random, and never stopped, before TPE and median work")

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        for name, lowest in (("learning_rate", 1e-9), ("epochs", 1), ("label_smoothing", 0), ("freeze_layers", 0)):
            low, high = getattr(self, name)
            if not lowest <= low <= high:
                raise ValueError(
                    f"`{name}` is [lowest, highest] from {lowest:g} upwards, such as {self._example(name)}"
                )
        if self.learning_rate[1] > 1 or self.epochs[1] > 100 or self.label_smoothing[1] >= 1:
            raise ValueError("`learning_rate` goes up to 1, `epochs` up to 100, `label_smoothing` stays below 1")
        if not all(1 <= size <= 1024 for size in self.batch_size):
            raise ValueError("`batch_size` is a list of sizes from 1 to 1024, such as [16, 32]")
        return self

    @classmethod
    def _example(cls, name: str) -> str:
        return str(list(cls.model_fields[name].default))
