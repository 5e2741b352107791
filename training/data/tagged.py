"""Texts with entities: tags on tokens, or spans of characters, from files or the hub."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from contracts.errors import DataError
from contracts.joined_labels import joined
from contracts.task import DataSpec
from contracts.words import word_offsets
from training.data.bio import OUTSIDE, Span, as_bio2, first_break, spans_of, tags_of
from training.data.columns import Columns
from training.data.conll import SUFFIXES as CONLL_SUFFIXES
from training.data.conll import read_conll
from training.data.extras import Extras
from training.data.records import problems_of, read_records, refuse_delimited
from training.data.rows import Problems, Record, Row, is_telling, kind_of, label_of, shorten, text_of
from training.data.spans import read_spans

Offsets = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedRow(Row):
    """A text and its entities, by tokens and by characters; both say the same.

    `offsets` are the tokens' (start, end) in `text`, `tags` their BIO2 tags, `spans` the entities in order. `label` is
    the distinct entity types, sorted, joined by "+", or "none".
    """

    tokens: tuple[str, ...]
    offsets: Offsets
    tags: tuple[str, ...]
    spans: tuple[Span, ...]

    @property
    def truth(self) -> tuple[Span, ...]:
        """The entities."""
        return self.spans

    @property
    def names(self) -> tuple[str, ...]:
        """The entity types in the row, sorted, each once."""
        return tuple(sorted({span.label for span in self.spans}))

    def without(self, names: Collection[str]) -> TaggedRow:
        """The row with entities of some types untagged."""
        if not any(name in names for name in self.names):
            return self
        tags = [OUTSIDE if tag[2:] in names else tag for tag in self.tags]
        made = tagged_row(self.text, self.offsets, tags, self.file, self.line)
        return replace(made, extra=self.extra, time=self.time)

    def content(self) -> dict[str, Any]:
        """The row as JSON, without its place."""
        made: dict[str, Any] = {"text": self.text, "offsets": [list(pair) for pair in self.offsets], "tags": self.tags}
        return made | ({"extra": dict(self.extra)} if self.extra else {})


def tagged_row(text: str, offsets: Offsets, tags: Sequence[str], file: str, line: int) -> TaggedRow:
    """A row of a text, its tokens' places and their BIO2 tags."""
    spans = spans_of(tags, offsets)
    return TaggedRow(
        text=text,
        label=joined(sorted({span.label for span in spans})),
        file=file,
        line=line,
        tokens=tuple(text[start:end] for start, end in offsets),
        offsets=offsets,
        tags=tuple(tags),
        spans=spans,
    )


def read_tagged(source: str, data: DataSpec, *, split: str | None = None) -> list[TaggedRow]:
    """All rows, in order, of a CoNLL file, or of one with tokens and tags or with texts and spans in each row.

    Tags are strings, or numbers into `data.tag_names`; the text of tokens alone is the tokens joined by spaces. Empty
    tokens that are tagged O are left out, and so is a row of nothing else.
    Raises DataError naming file and line of what is malformed: tags that break BIO2, tokens that are not in their
    text, spans outside of it, that overlap, that begin or end with white space, or whose own `text` differs; entity
    types that the prediction log could not tell from several or from none.
    """
    example = '{"text": "...", "entities": [{"start": 0, "end": 4, "label": "..."}]}'
    refuse_delimited(source, "tags or spans", example)
    problems = problems_of(source, split)
    if Path(source).suffix.lower() in CONLL_SUFFIXES and not source.startswith("hf:"):
        Extras.of(data).check_none(source, "a CoNLL file")
        rows = list(_conll_rows(source, data, problems))
    else:
        rows = [
            row
            for record in read_records(source, split, _columns(data), problems)
            if (row := _row(record, data, problems)) is not None
        ]
    problems.raise_if_any()
    if not rows:
        raise DataError(source, None, "expected texts with tags, found no rows.", "Export the data again.")
    return rows


def _columns(data: DataSpec) -> Columns:
    return Columns(
        choices=((data.tokens_column, data.tags_column), (data.text_column, data.spans_column)),
        required=Extras.of(data).columns,
        optional=(data.text_column,),
        settings="`tokens_column` and `tags_column`, or `text_column` and `spans_column`,",
    )


def _conll_rows(source: str, data: DataSpec, problems: Problems) -> Iterator[TaggedRow]:
    for sentence in read_conll(Path(source), problems):
        names = [label_of(line, tag, problems) for line, tag in zip(sentence.lines, sentence.tags, strict=True)]
        tags = as_bio2([name for name in names if name is not None], data.tag_scheme)
        text, offsets = _joined(sentence.tokens)
        readable = text_of(Record(sentence.lines[0], {"text": text}), "text", problems) is not None
        if readable and len(tags) == len(names) and _whole(tags, sentence.lines, data, problems):
            yield tagged_row(text, offsets, tags, problems.source, sentence.lines[0])


def _row(record: Record, data: DataSpec, problems: Problems) -> TaggedRow | None:
    if data.tokens_column in record.values and data.tags_column in record.values:
        row = _row_of_tokens(record, data, problems)
    else:
        row = _row_of_spans(record, data, problems)
    return None if row is None else Extras.of(data).add(row, record, problems)


def _row_of_tokens(record: Record, data: DataSpec, problems: Problems) -> TaggedRow | None:
    line = record.line
    tokens, tags = record.values[data.tokens_column], record.values[data.tags_column]
    if not isinstance(tokens, list) or not isinstance(tags, list):
        found = kind_of(tags if isinstance(tokens, list) else tokens)
        problems.add(line, f"expected lists of tokens and tags, found {found}.", "Write both as JSON lists.")
        return None
    if len(tokens) != len(tags):
        problems.add(line, f"expected a tag for each of {len(tokens)} tokens, found {len(tags)}.", "Tag each token.")
        return None
    if bad := [token for token in tokens if not isinstance(token, str)]:
        problems.add(line, f"expected a token, found {kind_of(bad[0])}.", "Write tokens as strings.")
        return None
    names = [_tag(tag, data.tag_names, line, problems) for tag in tags]
    known = as_bio2([name for name in names if name is not None], data.tag_scheme)
    if len(known) < len(names) or not _whole(known, [line] * len(known), data, problems):
        return None
    # What a scraper leaves of an emoji or a link; there is nothing to tag in them.
    kept = [(token, tag) for token, tag in zip(tokens, known, strict=True) if token.strip() or tag != OUTSIDE]
    if tokens and not kept:
        return None
    tokens, known = [token for token, _ in kept], [tag for _, tag in kept]
    if any(not token.strip() for token in tokens):
        problems.add(line, "an entity holds an empty token.", "Remove the token, or write it.")
        return None
    joined, offsets = _joined(tokens)
    text: str | None = joined
    if data.text_column in record.values:
        text = text_of(record, data.text_column, problems)
        placed = None if text is None else _place(text, tokens, line, problems)
        if text is None or placed is None:
            return None
        offsets = placed
    elif text_of(Record(line, {"text": joined}), "text", problems) is None:
        return None
    return None if text is None else tagged_row(text, offsets, known, problems.source, line)


def _row_of_spans(record: Record, data: DataSpec, problems: Problems) -> TaggedRow | None:
    text = text_of(record, data.text_column, problems)
    if text is None:
        return None
    spans = read_spans(text, record.values[data.spans_column], record.line, problems)
    if spans is None:
        return None
    if not all(is_telling(record.line, span.label, "entity type", data.ignore_labels, problems) for span in spans):
        return None
    cuts = {place for span in spans for place in (span.start, span.end)}
    offsets = word_offsets(text, cuts)
    return tagged_row(text, offsets, tags_of(spans, offsets), problems.source, record.line)


def _tag(tag: object, names: Sequence[str], line: int, problems: Problems) -> str | None:
    """A tag's name, or None after its problem was noted."""
    if isinstance(tag, int) and not isinstance(tag, bool):
        if 0 <= tag < len(names):
            return names[tag]
        known = f"{len(names)} tag names" if names else "no tag names"
        problems.add(line, f"the tag is the number {tag}, and there are {known}.", "Set `tag_names` in [data].")
        return None
    return label_of(line, tag, problems)


def _whole(tags: Sequence[str], lines: Sequence[int], data: DataSpec, problems: Problems) -> bool:
    """Whether the tags are BIO2, of types with telling names; noted at the line of the first that is not."""
    found = first_break(tags)
    if found is None:
        return all(
            tag == OUTSIDE or is_telling(line, tag[2:], "entity type", data.ignore_labels, problems)
            for tag, line in zip(tags, lines, strict=True)
        )
    problems.add(
        lines[found.token],
        f"the tags break BIO2 at token {found.token + 1}: {found.problem}.",
        f"Begin every entity with B-TYPE, go on with I-TYPE, and write {OUTSIDE} for the rest; "
        "or set `tag_scheme` in [data] to iob1 or bioes.",
    )
    return False


def _joined(tokens: Sequence[str]) -> tuple[str, Offsets]:
    """The tokens joined by spaces, and where each is."""
    offsets = []
    at = 0
    for token in tokens:
        offsets.append((at, at + len(token)))
        at += len(token) + 1
    return " ".join(tokens), tuple(offsets)


def _place(text: str, tokens: Sequence[str], line: int, problems: Problems) -> Offsets | None:
    """Where each token is in the text, one behind the other; None after a token that is not was noted."""
    offsets = []
    at = 0
    for number, token in enumerate(tokens, start=1):
        found = text.find(token, at)
        if found < 0:
            problems.add(
                line,
                f"token {number}, {shorten(token)!r}, is not in the text behind the tokens before it.",
                "Write the tokens as they stand in the text, or leave the text out.",
            )
            return None
        at = found + len(token)
        offsets.append((found, at))
    return tuple(offsets)
