"""A tagged text written otherwise: its tokens one by one, so that each keeps its tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.data.bio import as_bio2
from training.data.tagged import TaggedRow, tagged_row
from training.evaluation.perturb import Perturbation, perturbed

# In no text (a row with it is refused), no letter, no punctuation and no white space: it stays where it is.
_SEAM = "\x00"


@dataclass(frozen=True)
class Judgeable:
    """A text with its true tags, and the tags that it got as it was."""

    row: TaggedRow
    given: tuple[str, ...]


def rewrite(perturbation: Perturbation, one: Judgeable, seed: int) -> Judgeable:
    """The text written otherwise; tokens of which nothing is left are gone, with their tags.

    A text of no tokens stays as it is, and so does one that would lose all of them.
    """
    row = one.row
    if not row.tokens:
        return one
    sewn = perturbed(perturbation, f"{_SEAM} ".join(row.tokens), seed)
    written = [token.strip() for token in sewn.split(_SEAM)]
    kept = [place for place, token in enumerate(written[: len(row.tokens)]) if token]
    if not kept:
        return one
    text, offsets = row.text[: row.offsets[0][0]], []
    for before, place in zip([None, *kept], kept, strict=False):
        text += "" if before is None else _gap(row, before, place)
        offsets.append((len(text), len(text) + len(written[place])))
        text += written[place]
    if kept[-1] == len(row.tokens) - 1:
        text += row.text[row.offsets[-1][1] :]
    made = tagged_row(text, tuple(offsets), _chosen(row.tags, kept), row.file, row.line)
    return one if made.text == row.text else Judgeable(made, tuple(_chosen(one.given, kept)))


def _chosen(tags: Sequence[str], kept: Sequence[int]) -> list[str]:
    """The tags of some of the tokens, whole again where the first token of an entity is gone."""
    return as_bio2([tags[place] for place in kept], "iob1")


def _gap(row: TaggedRow, before: int, after: int) -> str:
    """What stands between two tokens once those between them are gone; only an apostrophe joins what it stood in."""
    gone = row.tokens[before + 1 : after]
    left = "".join(row.text[row.offsets[n][1] : row.offsets[n + 1][0]] for n in range(before, after))
    return left or ("" if set(gone) <= {"'"} else " ")
