"""The floor for finding entities: every word gets the tag that it most often had in training."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from training.data.bio import OUTSIDE
from training.data.tagged import TaggedRow


def lexicon_tags(train: Sequence[TaggedRow], test: Sequence[TaggedRow]) -> list[list[str]]:
    """BIO2 tags of each test text's tokens; case counts, and words that training does not hold are outside."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for row in train:
        for token, tag in zip(row.tokens, row.tags, strict=True):
            seen[token][tag] += 1
    # Of tags as frequent as each other the first by name, so that the order of the rows does not matter.
    usual = {token: min(tags, key=lambda tag: (-tags[tag], tag)) for token, tags in seen.items()}
    return [_whole([usual.get(token, OUTSIDE) for token in row.tokens]) for row in test]


def _whole(tags: Sequence[str]) -> list[str]:
    """The tags with every I-x that continues no x made a B-x."""
    found: list[str] = []
    for tag in tags:
        continued = bool(found) and tag.startswith("I-") and found[-1] in (tag, f"B-{tag[2:]}")
        found.append(f"B-{tag[2:]}" if tag.startswith("I-") and not continued else tag)
    return found
