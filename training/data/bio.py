"""BIO2 tags and the spans that they mark (Ratnaparkhi 1998; Tjong Kim Sang and Veenstra 1999)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OUTSIDE = "O"


@dataclass(frozen=True, slots=True)
class Span:
    """An entity: characters `start` up to, not including, `end` of its text."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Break:
    """The token, from 0, whose tag breaks BIO2, and how."""

    token: int
    problem: str


def as_bio2(tags: Sequence[str], scheme: str) -> list[str]:
    """Tags of another scheme as BIO2; what is none of that scheme stays as it is, for `first_break` to find.

    `iob1`: an entity begins with I-, or with B- right behind one of its type. `bioes`: E- ends an entity and S- is one;
    L- and U- of BILOU are the same.
    """
    if scheme == "bioes":
        prefixes = {"S": "B", "U": "B", "E": "I", "L": "I"}
        return [prefixes.get(tag[:1], tag[:1]) + tag[1:] if tag[1:2] == "-" else tag for tag in tags]
    if scheme == "iob1":
        before = [OUTSIDE, *tags]
        return [
            f"B-{tag[2:]}" if tag.startswith("I-") and previous[2:] != tag[2:] else tag
            for previous, tag in zip(before, tags, strict=False)
        ]
    return list(tags)


def first_break(tags: Sequence[str]) -> Break | None:
    """The first tag that is none of O, B-x, I-x, or an I-x that continues no entity of its type."""
    inside = ""
    for token, tag in enumerate(tags):
        prefix, dash, label = tag.partition("-")
        if tag == OUTSIDE:
            inside = ""
            continue
        if prefix not in ("B", "I") or not dash or not label:
            return Break(token, f"expected O, B-TYPE or I-TYPE, found {tag!r}")
        if prefix == "I" and label != inside:
            before = repr(tags[token - 1]) if token else "nothing"
            return Break(token, f"{tag!r} continues no {label!r}: it follows {before}")
        inside = label
    return None


def spans_of(tags: Sequence[str], offsets: Sequence[tuple[int, int]]) -> tuple[Span, ...]:
    """The entities of BIO2 tags, by the tokens' character offsets; the tags must be whole (see `first_break`)."""
    found: list[Span] = []
    for tag, (start, end) in zip(tags, offsets, strict=True):
        if tag.startswith("B-"):
            found.append(Span(start, end, tag[2:]))
        elif tag.startswith("I-"):
            found[-1] = Span(found[-1].start, end, found[-1].label)
    return tuple(found)


def tags_of(spans: Sequence[Span], offsets: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """BIO2 tags of spans that do not overlap; a token belongs to the span that it begins in."""
    tags = []
    ordered = sorted(spans, key=lambda span: span.start)
    at = 0
    opened = -1
    for start, _ in offsets:
        while at < len(ordered) and ordered[at].end <= start:
            at += 1
        if at < len(ordered) and ordered[at].start <= start:
            tags.append(f"{'I' if opened == at else 'B'}-{ordered[at].label}")
            opened = at
        else:
            tags.append(OUTSIDE)
    return tuple(tags)
