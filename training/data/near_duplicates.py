"""Texts that are nearly the same: MinHash signatures in bands, then the exact Jaccard index of what they found.

Broder 1997, "On the resemblance and containment of documents"; Leskovec, Rajaraman and Ullman, "Mining of Massive
Datasets", section 3.4, for the bands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

THRESHOLD = 0.8
_GRAM = 5  # characters
_LONGEST = 4000  # characters of a text that count
# Two texts at the threshold meet in one of 16 bands of 4 with probability 1 - (1 - 0.8^4)^16 > 0.999.
_BANDS, _ROWS = 16, 4
_COMPARED = 5
_ODD = np.uint64(0x9E3779B97F4A7C15)
_FIRST_BITS = np.uint64(32)


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two texts by their places in the sequence, `first` < `second`, and their Jaccard index."""

    first: int
    second: int
    similarity: float


def near_duplicates(texts: Sequence[str], threshold: float = THRESHOLD) -> list[NearPair]:
    """Pairs of texts whose sets of 5-grams have a Jaccard index of the threshold or more.

    The grams are of characters, case and white space aside. Not all pairs of a crowd of alike texts are found: each
    text with one or some of those that stand first.
    """
    grams = [_grams(text) for text in texts]
    multipliers, additions = _permutations()
    buckets: dict[bytes, list[int]] = defaultdict(list)
    checked: set[tuple[int, int]] = set()
    found = []
    for place, hashes in enumerate(grams):
        for key in _band_keys(hashes, multipliers, additions):
            bucket = buckets[key]
            for other in islice(bucket, _COMPARED):
                if (other, place) not in checked:
                    checked.add((other, place))
                    similarity = _jaccard(grams[other], hashes)
                    if similarity >= threshold:
                        found.append(NearPair(other, place, similarity))
            bucket.append(place)
    return found


def _grams(text: str) -> Hashes:
    """Sorted hashes of the text's 5-grams, each once; a shorter text is one gram."""
    plain = " ".join(text[:_LONGEST].casefold().split())
    codes = np.frombuffer(plain.encode("utf-32-le", errors="surrogatepass"), dtype=np.uint32).astype(np.uint64)
    width = max(1, len(codes) - _GRAM + 1)
    hashes = np.zeros(width, dtype=np.uint64)
    for step in range(min(_GRAM, len(codes))):
        hashes = (hashes + codes[step : step + width] + np.uint64(1)) * _ODD
        hashes ^= hashes >> _FIRST_BITS
    return np.unique(hashes)


def _permutations() -> tuple[Hashes, Hashes]:
    rng = np.random.default_rng(5)
    count = _BANDS * _ROWS
    multipliers = rng.integers(0, 2**63, count, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    return multipliers, rng.integers(0, 2**63, count, dtype=np.uint64)


def _band_keys(hashes: Hashes, multipliers: Hashes, additions: Hashes) -> Iterator[bytes]:
    """The smallest hash under each permutation (multiply-shift, Dietzfelbinger et al. 1997), a band at a time."""
    smallest = ((hashes[:, None] * multipliers + additions) >> _FIRST_BITS).min(axis=0).astype(np.uint32)
    for band, rows in enumerate(smallest.reshape(_BANDS, _ROWS)):
        yield bytes([band]) + rows.tobytes()


def _jaccard(one: Hashes, other: Hashes) -> float:
    shared = np.intersect1d(one, other, assume_unique=True).size
    return float(shared / (one.size + other.size - shared))
