"""What cleaning would leave of the data: said before it is trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contracts.cleaning import CleanSpec
from training.artefact.cleaning import cleaner
from training.data.findings import count, place, tell_left_out
from training.data.rows import Row

_EXAMPLES = 3


def tell_cleaned(splits: Mapping[str, Sequence[Row]], clean: CleanSpec) -> list[str]:
    """Warnings for texts that become empty, and for test and validation texts that become those of training rows."""
    if not clean.enabled:
        return []
    clean_text = cleaner(clean)
    cleaned = {name: [(row, clean_text(row.text)) for row in rows] for name, rows in splits.items()}
    empty = [row for pairs in cleaned.values() for row, text in pairs if not text]
    warnings = []
    if empty:
        examples = "; ".join(place(row) for row in empty[:_EXAMPLES])
        warnings.append(f"[clean] leaves nothing of {count(len(empty), 'text')}, such as {examples}.")
    trained = {text: row for row, text in reversed(cleaned["train"])}
    for name in ("validation", "test"):
        shared = [(row, trained[text]) for row, text in cleaned[name] if text and text in trained]
        warnings += tell_left_out(f"[clean] makes training texts of the {name} rows, which stay in both:", shared)
    return warnings
