"""One line of the prediction log, and one line of feedback."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from contracts.schema import SHA256, TASK_NAME, VERSION, Contract

# `requested`: by a canary or a shadow that the caller asked for by its version. Such texts were chosen, often to try it
# out, and are no sample of the traffic: neither a trial nor the stable release is judged by them.
Role = Literal["stable", "shadow", "canary", "requested"]


class PredictionRecord(Contract):
    """One prediction as it was answered. Either `text` or `text_sha256` is there, by the task's `log_text`."""

    schema_number: Literal[1] = 1
    id: str = Field(min_length=1, max_length=128)
    time: float = Field(gt=0, description="seconds since the epoch, UTC, when the answer was ready")
    task: str = Field(pattern=TASK_NAME)
    release: str = Field(pattern=VERSION)
    role: Role = "stable"
    text: str | None = None
    text_sha256: str | None = Field(None, pattern=SHA256)
    length: int = Field(ge=0, description="tokens before truncation, special tokens included")
    unknown_share: float = Field(ge=0, le=1)
    fragmentation: float = Field(ge=0, description="word pieces per whitespace-separated word")
    label: str
    score: float = Field(ge=0, le=1)
    logits: tuple[float, ...]
    projection: tuple[float, ...]
    latency_ms: float = Field(ge=0)

    @model_validator(mode="after")
    def _text_or_digest(self) -> Self:
        if (self.text is None) == (self.text_sha256 is None):
            raise ValueError("exactly one of `text` and `text_sha256` is expected")
        return self


class FeedbackRecord(Contract):
    """The true label of an earlier prediction. The latest record of an id counts."""

    schema_number: Literal[1] = 1
    id: str = Field(min_length=1, max_length=128)
    time: float = Field(gt=0, description="seconds since the epoch, UTC, when it was received")
    task: str = Field(pattern=TASK_NAME)
    label: str
