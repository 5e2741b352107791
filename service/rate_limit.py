"""How many texts a caller may send: a token bucket each, decided by arithmetic alone, with the time as an argument."""

from __future__ import annotations

import math
from dataclasses import dataclass

from service.errors import RateLimitedError

# A bucket that is full says nothing: beyond this many callers such buckets are forgotten.
_MOST_BUCKETS = 4096


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a caller has left at one time. Below zero: texts that passed ahead of their time and are paid off now."""

    level: float
    at: float  # monotonic, s


def refilled(bucket: Bucket, now: float, rate: float, burst: float) -> Bucket:
    """The bucket at `now`: `rate` texts a second are added, up to `burst`. Time never runs backwards."""
    passed = max(0.0, now - bucket.at)
    return Bucket(min(burst, bucket.level + passed * rate), max(now, bucket.at))


def missing_seconds(bucket: Bucket, texts: int, rate: float, burst: float) -> float:
    """Until `texts` may pass; 0 when they may now.

    A request of more texts than `burst` passes when the bucket is full, and is paid off afterwards: it could never
    pass otherwise, and the rate is kept all the same.
    """
    # A part of a millionth is what adding up fractions leaves behind.
    needed = min(float(texts), burst) - bucket.level - 1e-6
    return max(0.0, needed / rate)


class RateLimit:
    """`rate` texts a second for each caller (> 0), and `burst` (>= 1) at once after a pause."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._buckets: dict[str, Bucket] = {}

    @classmethod
    def shared(cls, rate: float, burst: float, workers: int) -> RateLimit | None:
        """The part of one of `workers` processes in a limit; None for a rate of 0, which is no limit.

        A burst of 0 is one second's worth.
        """
        if rate == 0:
            return None
        return cls(rate / workers, max(1.0, (burst or rate) / workers))

    def charge(self, caller: str, texts: int, now: float) -> None:
        """Count `texts` of a caller at monotonic time `now`. Raises RateLimitedError, and then counts nothing."""
        bucket = self._buckets.get(caller)
        bucket = Bucket(self.burst, now) if bucket is None else refilled(bucket, now, self.rate, self.burst)
        seconds = missing_seconds(bucket, texts, self.rate, self.burst)
        if seconds > 0:
            raise RateLimitedError(caller, self.rate, max(1, math.ceil(seconds)))
        if len(self._buckets) >= _MOST_BUCKETS and caller not in self._buckets:
            self._forget_full(now)
        self._buckets[caller] = Bucket(bucket.level - texts, bucket.at)

    def _forget_full(self, now: float) -> None:
        current = {name: refilled(bucket, now, self.rate, self.burst) for name, bucket in self._buckets.items()}
        self._buckets = {name: bucket for name, bucket in current.items() if bucket.level < self.burst}
