"""How a request ends: its candidate replaces the champion, or does not, and the record says why."""

from __future__ import annotations

from contracts.errors import ReleaseCorruptError, ReleaseNotFoundError
from contracts.home import Home
from contracts.release import Manifest
from contracts.release_store import verify_release
from contracts.retrain import JobResult, RetrainRequest
from contracts.rollout import Rollout, promote, read_rollout
from controller.promotion import Promotion, judge
from controller.record import Action, DecisionRecord, Kind

BY = "controller"


def conclude(home: Home, request: RetrainRequest, result: JobResult, now: float) -> DecisionRecord:
    """Promote the candidate or refuse it; returns the decision, which the caller makes durable.

    May be called again after a crash: what was promoted for this request is not promoted twice, not even if somebody
    has rolled it back since. Raises RolloutError when the task's rollout cannot be read, or changes meanwhile.
    """
    if result.request_id != request.id:
        return ended(
            request, now, "failed", "bad_request", f"result.json is about another request, {result.request_id}."
        )
    if result.status == "failed":
        return ended(request, now, "failed", "job_failed", f"The training job failed: {result.detail}")
    if result.status == "refused":
        return ended(
            request, now, "refuse", "gate", f"The candidate did not pass the gate of its task: {result.detail}"
        )
    if result.release is None:
        return ended(
            request, now, "failed", "bad_release", "result.json says that a release was published and not which."
        )
    try:
        candidate = verify_release(home, request.task, result.release)
    except (ReleaseCorruptError, ReleaseNotFoundError) as error:
        return ended(request, now, "refuse", "bad_release", str(error), candidate=result.release)
    rollout = read_rollout(home, request.task)
    promotion = _judge(request, candidate, rollout)
    ended_canary = None
    if promotion.promote and not _promoted_before(request, candidate, rollout):
        # It was tried beside a champion that does not serve any more: what it showed against it is void.
        ended_canary = rollout.canary if rollout is not None and rollout.canary != candidate.version else None
        promote(
            home,
            request.task,
            candidate.version,
            by=BY,
            reason=f"{request.id}: {promotion.reason}",
            now=now,
            expected=request.parent,
        )
    canary = f" The canary {ended_canary}, tried beside {request.parent}, ends." if ended_canary else ""
    verdict = f"Release {candidate.version} {'replaces' if promotion.promote else 'does not replace'} {request.parent}"
    return ended(
        request,
        now,
        "promote" if promotion.promote else "refuse",
        promotion.kind,
        f"{verdict}: {promotion.reason}{canary}",
        candidate=candidate.version,
        figures=promotion.figures,
    ).model_copy(update={"comparison": candidate.comparison})


def ended(
    request: RetrainRequest,
    now: float,
    action: Action,
    kind: Kind,
    reason: str,
    *,
    candidate: str | None = None,
    figures: dict[str, float] | None = None,
) -> DecisionRecord:
    """The record of a request's end."""
    return DecisionRecord(
        time=now,
        task=request.task,
        action=action,
        kind=kind,
        reason=reason,
        release=request.parent,
        candidate=candidate,
        request_id=request.id,
        figures=figures or {},
    )


def _judge(request: RetrainRequest, candidate: Manifest, rollout: Rollout | None) -> Promotion:
    if candidate.lineage.request_id != request.id:
        return Promotion(
            False,
            "foreign_release",
            f"it was trained for request {candidate.lineage.request_id}, not {request.id}.",
            {},
        )
    if candidate.comparison is None or candidate.comparison.champion != request.parent:
        return Promotion(False, "no_comparison", f"its manifest holds no comparison with release {request.parent}.", {})
    stable = rollout.stable if rollout is not None else None
    if stable != request.parent and not _promoted_before(request, candidate, rollout):
        return Promotion(
            False,
            "champion_replaced",
            f"it was compared with release {request.parent}, which does not serve any more; {stable or 'none'} does.",
            {},
        )
    return judge(candidate.comparison, request.spec.retrain)


def _promoted_before(request: RetrainRequest, candidate: Manifest, rollout: Rollout | None) -> bool:
    return rollout is not None and any(
        change.action == "promote"
        and change.version == candidate.version
        and change.by == BY
        and change.reason.startswith(f"{request.id}:")
        for change in rollout.history
    )
