"""CoNLL: a token a line, its tag in the last column, a blank line behind each sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.data.encoding import lines_of, read_utf8
from training.data.rows import Problems

SUFFIXES = (".conll", ".bio", ".iob", ".iob2", ".txt")
_DOCUMENT = "-DOCSTART-"


@dataclass(frozen=True, slots=True)
class Sentence:
    """Tokens and tags as they stand, and the line of each token."""

    tokens: list[str]
    tags: list[str]
    lines: list[int]


def read_conll(path: Path, problems: Problems) -> Iterator[Sentence]:
    """The sentences of a file whose columns are parted by tabs or spaces; the token is the first column.

    Comments (`# ` with no tag column, as in CoNLL-U) and document marks are passed over; other lines of one column, and
    lines of other than the first line's number of columns, are noted, and their sentence is left out.
    """
    tokens: list[str] = []
    tags: list[str] = []
    lines: list[int] = []
    wanted = 0
    whole = True
    for number, content in enumerate((*lines_of(read_utf8(path)), ""), start=1):
        fields = content.split("\t") if "\t" in content else content.split()
        fields = [field.strip() for field in fields]
        if not any(fields):
            if tokens and whole:
                yield Sentence(tokens, tags, lines)
            tokens, tags, lines, whole = [], [], [], True
            continue
        if fields[0] == _DOCUMENT or (not tokens and content.startswith("# ") and len(fields) != wanted):
            continue
        wanted = wanted or len(fields)
        if len(fields) < 2 or len(fields) != wanted or "" in (fields[0], fields[-1]):
            expected = f"{wanted} columns as in the first line" if wanted > 1 else "two columns or more"
            found = str(len(fields))
            if "" in (fields[0], fields[-1]):
                expected, found = "a token and a tag", f"no {'tag' if fields[0] else 'token'}"
            problems.add(
                number,
                f"expected {expected}, found {found}: {content[:40]!r}.",
                "Write a token, a tab and its tag on each line, and a blank line behind each sentence.",
            )
            whole = False
        tokens.append(fields[0])
        tags.append(fields[-1])
        lines.append(number)
