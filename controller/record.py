"""The append-only record of everything that the controller decided: `HOME/controller/decisions.jsonl`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from contracts.files import append_durable
from contracts.home import Home
from contracts.release import Comparison
from contracts.schema import TASK_NAME, VERSION, Contract
from contracts.verdict import Verdict

Action = Literal["retrain", "wait", "ignore", "promote", "refuse", "failed"]
OUTCOMES: tuple[Action, ...] = ("promote", "refuse", "failed")

Kind = Literal[
    # Answers to an alert.
    "hurt", "foreign_alert", "unknown_task", "resolved", "outdated", "duplicate", "busy", "cooldown", "tried",
    "no_champion", "no_verdict", "not_drifted", "not_hurt", "hurt_unknown", "few_labels",
    # How a request ended.
    "better", "gate", "few_fresh_rows", "no_fresh_gain", "old_loss", "no_comparison",
    "champion_replaced", "foreign_release", "bad_release", "bad_request", "job_failed", "job_died", "job_timeout",
]  # fmt: skip


class DecisionRecord(Contract):
    """One decision, with what it stood on. `retrain`, `wait` and `ignore` answer an alert; the rest end a request."""

    schema_number: Literal[1] = 1
    time: float = Field(description="seconds since the epoch, UTC")
    task: str = Field(pattern=TASK_NAME)
    action: Action
    kind: Kind = Field(description="the reason as a word that does not change with the figures")
    reason: str
    release: str | None = Field(None, pattern=VERSION, description="the champion when it was decided")
    candidate: str | None = Field(None, pattern=VERSION)
    request_id: str | None = None
    alert_started: str | None = Field(None, description="start of the alert, UTC, as written by `policy.alert_start`")
    figures: dict[str, float] = Field(default_factory=dict)
    evidence: Verdict | None = None
    comparison: Comparison | None = None


def record_path(home: Home) -> Path:
    """Where the record lies."""
    return home.controller() / "decisions.jsonl"


def append_decision(home: Home, decision: DecisionRecord) -> None:
    """Make one decision durable before returning."""
    append_durable(record_path(home), decision.model_dump_json().encode() + b"\n")


def read_decisions(home: Home, task: str | None = None) -> list[DecisionRecord]:
    """All decisions, or one task's, oldest first.

    Lines torn by a crash are passed over: what such a line told is decided again from the files on disk.
    """
    try:
        content = record_path(home).read_bytes()
    except FileNotFoundError:
        return []
    decisions = []
    for line in content.splitlines():
        try:
            decision = DecisionRecord.model_validate_json(line)
        except ValidationError:
            continue
        if task is None or decision.task == task:
            decisions.append(decision)
    return decisions
