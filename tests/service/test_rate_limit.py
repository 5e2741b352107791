from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import RateLimitedError
from service.http.problems import problem_of
from service.rate_limit import Bucket, RateLimit, missing_seconds, refilled

RATES = st.floats(0.01, 1e6)
BURSTS = st.floats(1, 1e6)
REQUESTS = st.lists(st.tuples(st.floats(0, 100), st.integers(1, 5000)), max_size=50)


def allowed(limit: RateLimit, caller: str, texts: int, now: float) -> bool:
    try:
        limit.charge(caller, texts, now)
    except RateLimitedError:
        return False
    return True


@given(RATES, BURSTS, REQUESTS)
def test_over_any_time_no_more_than_the_rate_and_one_burst_pass(
    rate: float, burst: float, requests: list[tuple[float, int]]
) -> None:
    limit = RateLimit(rate, burst)
    times = list(itertools.accumulate((pause for pause, _ in requests), initial=1000.0))
    passed = [
        (now, texts) for now, (_, texts) in zip(times[1:], requests, strict=True) if allowed(limit, "a", texts, now)
    ]
    for first in range(len(passed)):
        total = 0
        for now, texts in passed[first:]:
            # The last one may be larger than the burst; it is paid off by what comes after it.
            bound = burst + rate * (now - passed[first][0])
            assert total + min(texts, burst) <= bound * (1 + 1e-6) + 1e-3
            total += texts


@given(RATES, BURSTS, REQUESTS, st.integers(1, 5000))
def test_who_waits_as_told_passes_and_who_comes_earlier_does_not(
    rate: float, burst: float, requests: list[tuple[float, int]], texts: int
) -> None:
    limit = RateLimit(rate, burst)
    now = 1000.0
    for pause, count in requests:
        now += pause
        allowed(limit, "a", count, now)
    wait = told_to_wait(limit, texts, now)
    if wait:
        assert wait >= 1
        assert wait <= 2 or not allowed(limit, "a", texts, now + wait - 2)
        assert allowed(limit, "a", texts, now + wait + 1e-3)


def told_to_wait(limit: RateLimit, texts: int, now: float) -> int:
    try:
        limit.charge("a", texts, now)
    except RateLimitedError as error:
        return error.retry_after
    return 0


@given(RATES, BURSTS, st.floats(-1e6, 1e6), st.floats(0, 1e6), st.floats(-10, 1e6))
def test_a_bucket_never_holds_more_than_the_burst_nor_loses_by_waiting(
    rate: float, burst: float, level: float, at: float, later: float
) -> None:
    bucket = Bucket(min(level, burst), at)
    after = refilled(bucket, at + later, rate, burst)
    assert bucket.level <= after.level <= burst
    assert after.at >= bucket.at
    assert missing_seconds(after, 1, rate, burst) <= missing_seconds(bucket, 1, rate, burst)


def test_a_burst_then_the_rate() -> None:
    limit = RateLimit(rate=10, burst=5)
    assert [allowed(limit, "a", 1, 100.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert [allowed(limit, "a", 1, 100.1) for _ in range(2)] == [True, False]
    assert [allowed(limit, "a", 5, 200.0), allowed(limit, "a", 1, 200.0)] == [True, False]


def test_a_request_larger_than_the_burst_passes_when_nothing_is_owed_and_is_paid_off() -> None:
    limit = RateLimit(rate=10, burst=5)
    assert allowed(limit, "a", 50, 100.0)
    with pytest.raises(RateLimitedError) as caught:
        limit.charge("a", 1, 100.0)
    assert caught.value.retry_after == 5
    assert not allowed(limit, "a", 50, 104.9)
    assert allowed(limit, "a", 50, 105.0)


def test_each_caller_has_a_bucket_and_is_told_when_to_come_back() -> None:
    limit = RateLimit(rate=0.5, burst=1)
    assert allowed(limit, "alice", 1, 0.0)
    assert allowed(limit, "bob", 1, 0.0)
    with pytest.raises(RateLimitedError) as caught:
        limit.charge("alice", 1, 0.5)
    problem = problem_of(caught.value, "/")
    assert problem.status == 429
    assert dict(problem.headers) == {b"retry-after": b"2"}
    assert b"alice" in problem.body


def test_workers_share_a_limit() -> None:
    assert RateLimit.shared(0, 0, 4) is None
    part = RateLimit.shared(100, 0, 4)
    assert part is not None
    assert (part.rate, part.burst) == (25, 25)
    part = RateLimit.shared(1, 2, 4)
    assert part is not None
    assert (part.rate, part.burst) == (0.25, 1)


def test_callers_without_number_are_forgotten_once_they_owe_nothing() -> None:
    limit = RateLimit(rate=1000, burst=1)
    for number in range(10_000):
        assert allowed(limit, f"caller-{number}", 1, float(number))
    assert len(limit._buckets) < 5_000
