"""What is remarkable about a task's rows: found here as values, told to the user as sentences."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from difflib import get_close_matches

from contracts.task import LimitSpec
from training.data.rows import Row, shorten

_EXAMPLES = 3
IMBALANCE = 50
_MISSING = ("nan", "null", "<na>", "n/a", "#n/a")  # as pandas, databases and spreadsheets write them


def unique_rows(rows: Iterable[Row]) -> tuple[list[Row], list[tuple[Row, Row]]]:
    """(rows of which each text and truth stands once, [(row left out, the first of its kind)])."""
    first: dict[tuple[str, Hashable], Row] = {}
    repeated = [(row, kept) for row in rows if (kept := first.setdefault((row.text, row.truth), row)) is not row]
    return list(first.values()), repeated


def without_texts(rows: Iterable[Row], others: Iterable[Row]) -> tuple[list[Row], list[tuple[Row, Row]]]:
    """(rows whose text is not among the others, [(row left out, the other with its text)])."""
    texts = {row.text: row for row in others}
    kept = []
    shared = []
    for row in rows:
        if (other := texts.get(row.text)) is None:
            kept.append(row)
        else:
            shared.append((row, other))
    return kept, shared


def contradictions(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows of one text with several truths, the texts with most rows first."""
    by_text: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_text[row.text].append(row)
    found = [together for together in by_text.values() if len({row.truth for row in together}) > 1]
    return sorted(found, key=len, reverse=True)


def tell_left_out(what: str, pairs: Sequence[tuple[Row, Row]]) -> list[str]:
    """A warning with the number of pairs and where the first few stand; none for no pairs."""
    if not pairs:
        return []
    examples = "; ".join(f"{place(row)} (as {place(other, row)})" for row, other in pairs[:_EXAMPLES])
    return [f"{what} {count(len(pairs), 'row')}, such as {examples}."]


def tell_contradictions(rows: Iterable[Row], *, texts: bool = True) -> list[str]:
    """A warning when one text stands with several labels, or whatever else is to be learned of it.

    `texts`: whether it may be quoted.
    """
    found = contradictions(rows)
    if not found:
        return []
    single = all(type(row) is Row for together in found for row in together)
    examples = "; ".join(
        (f"{shorten(together[0].text)!r}: " if texts else "")
        + ", ".join(f"{row.label!r} in {place(row)}" if single else place(row) for row in together[:4])
        for together in found[:_EXAMPLES]
    )
    if not single:
        return [f"{count(len(found), 'text')} stand more than once, and differently each time: {examples}."]
    return [
        f"{count(len(found), 'text')} with more than one label, which no model can get right: {examples}. "
        "Decide for one label each."
    ]


def tell_imbalance(rows: Iterable[Row]) -> list[str]:
    """A warning when the commonest label has many times the rows of the rarest."""
    counts = Counter(name for row in rows for name in row.names)
    if len(counts) < 2:
        return []
    (common, most), (rare, least) = counts.most_common()[0], counts.most_common()[-1]
    if most < IMBALANCE * least:
        return []
    return [
        f"The labels are extremely imbalanced: {common!r} has {most} training rows, {rare!r} has {least}. "
        f"Accuracy will say little about {rare!r}: add rows for it, and set gate.min_macro_f1."
    ]


def tell_lookalikes(labels: Collection[str]) -> list[str]:
    """A warning when labels differ in case, spaces or Unicode form only."""
    alike: dict[str, list[str]] = defaultdict(list)
    for label in sorted(labels):
        alike["".join(unicodedata.normalize("NFKC", label).casefold().split())].append(label)
    found = [names for names in alike.values() if len(names) > 1]
    if not found:
        return []
    listed = "; ".join(" and ".join(map(repr, names)) for names in found[:_EXAMPLES])
    return [f"Labels that look like one and the same: {listed}. Write them alike if they are."]


def tell_missing(rows: Iterable[Row]) -> list[str]:
    """A warning when a label is what programs write where a value is missing."""
    counts = Counter(name for row in rows for name in row.names)
    found = [name for name in sorted(counts) if name.casefold() in _MISSING]
    if not found:
        return []
    told = ", ".join(f"{name!r} ({count(counts[name], 'row')})" for name in found)
    return [f"Labels that look like missing values: {told}. Correct them, or name them in ignore_labels."]


def tell_damaged(rows: Iterable[Row]) -> list[str]:
    """A warning when texts hold U+FFFD, which stands where an earlier program lost a character."""
    found = [row for row in rows if "\ufffd" in row.text]
    if not found:
        return []
    examples = "; ".join(place(row) for row in found[:_EXAMPLES])
    return [f"An earlier export lost characters (U+FFFD stands for them) in {count(len(found), 'text')}: {examples}."]


def tell_overlong(rows: Iterable[Row], limits: LimitSpec) -> list[str]:
    """A warning when texts are longer than what the service answers."""
    most = limits.max_text_chars
    if limits.long_texts == "truncate":
        return []
    found = [row for row in rows if any(len(text) > most for text in row.asked)]
    if not found:
        return []
    examples = "; ".join(place(row) for row in found[:_EXAMPLES])
    return [
        f"{count(len(found), 'text')} (such as {examples}) {'is' if len(found) == 1 else 'are'} longer than [limits] "
        f'max_text_chars = {most}; the service refuses such. Set it higher, or long_texts = "truncate".'
    ]


def tell_unknown_ignored(ignored: Iterable[str], labels: Collection[str]) -> list[str]:
    """A warning for each label to be ignored that no row has."""
    return [
        f"ignore_labels names {label!r}, which no row has"
        + (f" (did you mean {near[0]!r}?)." if (near := get_close_matches(label, labels, n=1)) else ".")
        for label in ignored
        if label not in labels
    ]


def tell_untested(train: Iterable[Row], test: Iterable[Row]) -> list[str]:
    """A warning for labels of the training rows that the test rows lack."""
    lacking = sorted({name for row in train for name in row.names} - {name for row in test for name in row.names})
    if not lacking:
        return []
    return [f"No test rows, so no measurement, for {count(len(lacking), 'label')}: {listed(lacking)}."]


def listed(names: Sequence[str], limit: int = 10) -> str:
    """Names in quotes, the first few."""
    return ", ".join(repr(shorten(name)) for name in names[:limit]) + (", ..." if len(names) > limit else "")


def count(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"


def place(row: Row, other: Row | None = None) -> str:
    """File and line; the line alone when the other row is of the same file."""
    return f"line {row.line}" if other is not None and other.file == row.file else f"{row.file}, line {row.line}"
