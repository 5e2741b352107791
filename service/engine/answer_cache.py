"""Answers to texts that were seen before, by setting: exact matches only, of the release that gave them."""

from __future__ import annotations

from collections import OrderedDict
from weakref import WeakKeyDictionary

from service.engine.backlog import Placed
from service.engine.encoding import EncodedText
from service.engine.model import BatchOutput, LoadedRelease

# Longer texts hardly come twice, and would make the bound on entries none on memory.
_LONGEST = 1000


class AnswerCache:
    """The last `entries` texts of each loaded release; what is known of a release goes when it does."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._known: WeakKeyDictionary[LoadedRelease, OrderedDict[str, tuple[EncodedText, Placed]]] = (
            WeakKeyDictionary()
        )

    def find(self, release: LoadedRelease, text: str) -> tuple[EncodedText, Placed] | None:
        """How a text was encoded and answered, if it is known."""
        known = self._known.get(release)
        found = known.get(text) if known is not None else None
        if known is not None and found is not None:
            known.move_to_end(text)
        return found

    def keep(self, release: LoadedRelease, encoded: EncodedText, placed: Placed) -> None:
        """Remember an answer to a text that may come again; its row is copied: a whole batch would stay in memory."""
        if len(encoded.text) > _LONGEST:
            return
        known = self._known.setdefault(release, OrderedDict())
        known[encoded.text] = encoded, Placed(_row(placed.output, placed.row), 0)
        if len(known) > self._entries:
            known.popitem(last=False)


def _row(output: BatchOutput, row: int) -> BatchOutput:
    one = slice(row, row + 1)
    projections = output.projections[one].copy()
    return BatchOutput(
        output.indices[one].copy(),
        output.scores[one].copy(),
        output.logits[one].copy(),
        lambda: projections,
        settled=output.settled and output.settled[one],
    )
