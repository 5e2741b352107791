"""Holm's correction, the floors, and runs of drifted windows."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from contracts.verdict import Detector, Verdict, VerdictWord
from monitoring.drift import Finding
from monitoring.verdict import Run, detectors, follow, holm, word

p_values = st.lists(st.floats(0, 1), max_size=8)


@given(p_values)
def test_holm_lies_between_the_raw_value_and_bonferroni(raw: list[float]) -> None:
    adjusted = holm(raw)
    assert all(p <= q <= min(1.0, p * len(raw)) for p, q in zip(raw, adjusted, strict=True))


@given(p_values, st.randoms())
def test_holm_keeps_the_order_and_does_not_depend_on_it(raw: list[float], random: Random) -> None:
    adjusted = dict(zip(raw, holm(raw), strict=True))
    assert all(adjusted[a] <= adjusted[b] for a in raw for b in raw if a <= b)
    shuffled = list(raw)
    random.shuffle(shuffled)
    assert sorted(holm(shuffled)) == sorted(holm(raw))


@given(p_values, st.floats(0.001, 0.2))
def test_holm_rejects_as_the_step_down_procedure_does(raw: list[float], alpha: float) -> None:
    rejected = set()
    for rank, index in enumerate(sorted(range(len(raw)), key=lambda i: raw[i])):
        if raw[index] * (len(raw) - rank) > alpha:
            break
        rejected.add(index)
    assert {i for i, q in enumerate(holm(raw)) if q <= alpha} == rejected


def test_a_known_example() -> None:
    assert [round(q, 4) for q in holm([0.01, 0.04, 0.03, 0.005])] == [0.03, 0.06, 0.06, 0.02]


def test_drift_needs_both_significance_and_size() -> None:
    findings = [
        Finding("labels", 9.0, 0.0005, 0.30),
        Finding("length", 9.0, 0.0005, 0.01),  # certain, and too small to matter
        Finding("confidence", 0.2, 0.4, 0.30),  # large, and well within chance
    ]
    found = detectors(findings, alpha=0.01)
    assert [one.verdict for one in found] == ["drift", "ok", "ok"]
    assert word(found) == "drift"
    assert word(found[1:]) == "ok"
    assert word(()) == "insufficient"


def verdict(run: Run, found: VerdictWord = "drift", detectors_: tuple[Detector, ...] = ()) -> Verdict:
    return Verdict(
        task="t", release="0001", window_id="0001-000001", started=0, ended=1, evaluated=2, rows=100,
        verdict=found, run=run.run, alerting=run.alerting, alert_started=run.alert_started, run_started=run.started,
        detectors=detectors_,
    )  # fmt: skip


@given(st.lists(st.sampled_from(["ok", "drift", "insufficient"]), max_size=30), st.integers(1, 4))
def test_a_run_counts_drift_since_the_last_ok(words: list[VerdictWord], required: int) -> None:
    previous: Verdict | None = None
    run = Run(0, False, None)
    for now, found in enumerate(words):
        run = follow(previous, found, required, float(now), float(now) - 10.0)
        since_ok = words[: now + 1]
        if "ok" in since_ok:
            since_ok = since_ok[len(since_ok) - since_ok[::-1].index("ok") :]
        assert run.run == since_ok.count("drift")
        assert run.alerting == (run.run >= required)
        assert (run.alert_started is not None) == run.alerting
        previous = verdict(run, found)


def test_an_alert_keeps_its_start() -> None:
    first = follow(verdict(Run(1, False, None, 30.0)), "drift", 2, 50.0, 45.0)
    assert first == Run(2, True, 50.0, 30.0)
    assert follow(verdict(first), "drift", 2, 80.0, 75.0) == Run(3, True, 50.0, 30.0)
    assert follow(verdict(first), "insufficient", 2, 80.0, 75.0) == first
    assert follow(verdict(first), "ok", 2, 80.0, 75.0) == Run(0, False, None)
