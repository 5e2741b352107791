"""Tasks as `GET /v1/models` and `GET /v1/models/{task}` show them; pure."""

from __future__ import annotations

from contracts.release import Manifest
from service.rollout.task_state import TaskState


def shown(state: TaskState) -> dict[str, object]:
    """One of the list."""
    manifest = state.release.manifest if state.release else None
    return {
        "name": state.task,
        "kind": manifest.kind if manifest else None,
        "version": manifest.version if manifest else None,
        "state": state.state,
    }


def shown_fully(state: TaskState, log_problem: str | None) -> dict[str, object]:
    """By itself; `log_problem` is what keeps its predictions from being logged, if anything does."""
    return {
        **shown(state),
        **_of_release(state.release.manifest if state.release else None),
        "previous": state.previous,
        "rollout": state.rollout.model_dump(exclude={"schema_number", "task", "history"}) if state.rollout else None,
        "problem": state.problem,
        "log_problem": log_problem,
    }


def _of_release(manifest: Manifest | None) -> dict[str, object]:
    if manifest is None:
        return {"labels": [], "limits": None, "metrics": {}, "created": None}
    limits = manifest.spec.limits
    return {
        "labels": list(manifest.labels),
        "limits": {
            "max_instances": limits.max_instances,
            "max_text_chars": limits.max_text_chars,
            "long_texts": limits.long_texts,
            "max_tokens": manifest.max_tokens,
        },
        "metrics": manifest.metrics,
        "created": manifest.created,
    }
