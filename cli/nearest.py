"""What somebody who mistyped a name may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one, or None where none is much like it."""
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=0.7)), None)
