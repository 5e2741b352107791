"""A loaded release answers whatever rows it is given, and knows what its runs cost."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from contracts.home import Home
from contracts.release import Manifest
from service.engine.loading import load_release


def test_a_text_without_tokens_is_answered(home: Home, make_release: Callable[..., Manifest]) -> None:
    """Some tokenizers add none, and find none in characters that cannot be seen."""
    release = load_release(home, "support", make_release(home).version, threads=1)
    for rows in ([[]], [[], [5, 6, 7]]):
        output = release.predict(rows)
        assert len(output.scores) == len(rows)
        assert np.isfinite(output.scores).all()


def test_what_runs_cost_is_taken_over_from_a_release_with_the_same_graph(
    home: Home, make_release: Callable[..., Manifest]
) -> None:
    first, second = (load_release(home, "support", make_release(home).version, threads=1) for _ in range(2))
    assert second.cost is not first.cost
    assert load_release(home, "support", second.version, threads=1, serving=[first], gently=True).cost is first.cost


def test_a_session_on_all_cores_is_kept_only_where_it_is_faster_for_some_text(
    home: Home, make_release: Callable[..., Manifest]
) -> None:
    """To load it in the midst of traffic, and never to run it, would be paid by the callers."""
    first, second = (make_release(home).version for _ in range(2))
    timed = load_release(home, "support", first, threads=2)
    assert timed.has_wide == (timed.cost.wide_from < math.inf)
    narrow = load_release(home, "support", first, threads=1)
    assert not narrow.has_wide
    successor = load_release(home, "support", second, threads=2, serving=[narrow], gently=True)
    assert not successor.has_wide
    assert len(successor.predict([[5, 6, 7]], all_cores=True).scores) == 1
