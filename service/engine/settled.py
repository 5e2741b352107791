"""What is answered to a text where more is to be said of it than its best label."""

from __future__ import annotations

from typing import NamedTuple

from contracts.reference import Floats


class RowOutput(NamedTuple):
    """What a session run found for one row."""

    logits: Floats  # [labels], or [tokens or more, labels]; what lies behind the row's tokens is padding
    embedding: Floats  # [hidden]
    projection: Floats  # [k]


class Settled(NamedTuple):
    """The answer to one text, as the caller, the log and the monitor want it."""

    label: str  # as the log holds it
    score: float  # calibrated, 0..1
    logits: Floats  # [n], short: as the log holds them
    projection: Floats  # [k]
    fields: dict[str, object]  # of the answer as JSON, beside its id
