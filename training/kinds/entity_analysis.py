"""What is told of found entities beside their figures: how sure, how calibrated, which are wrong, which tags may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contracts.entities import Entities, Entity, Word
from contracts.reference import Integers
from contracts.task import TaskSpec
from training.artefact.onnx_artefact import Artefact
from training.data.bio import Span
from training.data.rows import Row
from training.data.tagged import TaggedRow
from training.evaluation.bootstrap import f1_estimate
from training.evaluation.calibration import softmax
from training.evaluation.entity_scores import entity_counts
from training.evaluation.errors import Answered, Suspects, find_suspects
from training.evaluation.mistakes import Mistake, count_confusions, excerpt, file_of, surest_mistakes
from training.evaluation.sensitivity import Replies, measure_sensitivity
from training.kinds.parts import calibrated, estimated, mistaken, parts_of, rewritten
from training.kinds.tagged_writing import Judgeable, rewrite
from training.kinds.token_rows import TaggedOutputs, piece_labels, predicted_tags, run_artefact
from training.kinds.told import Told, together
from training.progress import Stage
from training.report.measured_sections import MistakeHead

_NOTHING = "(no entity)"
_EXTENT = "the same, of another extent"
_MOST_EXAMINED = 2000  # texts of a split
_MEANS = "A text is right when every tag in it is."


@dataclass(frozen=True)
class TaggedPart:
    """Rows of one split and what the artefact says of them."""

    split: str
    rows: Sequence[TaggedRow]
    outputs: TaggedOutputs


@dataclass(frozen=True)
class Placed:
    """An entity that was found, on the row's own tokens, the true ones that it touches, and whether it is one."""

    row: int
    entity: Entity
    touched: tuple[Span, ...]
    right: bool


def analyse_entities(
    artefact: Artefact,
    test: TaggedPart,
    others: Sequence[TaggedPart],
    tags: Sequence[str],
    temperature: float,
    stage: Stage,
    *,
    spec: TaskSpec,
) -> Told:
    """All of it, from answers that are there already; only rewritten texts, at most 500 a way, are run anew.

    `others` are rows whose tags are examined too.
    """
    read = test.outputs.read(tags, temperature)
    given = [predicted_tags(one, row) for one, row in zip(read, test.rows, strict=True)]
    right = np.array([tuple(found) == row.tags for found, row in zip(given, test.rows, strict=True)], dtype=np.bool_)
    placed, bare = place_entities(read, test.rows), place_entities(test.outputs.read(tags), test.rows)

    def answer(_: Sequence[int], asked: Sequence[Judgeable]) -> Replies:
        found = run_artefact(artefact, [one.row.text for one in asked], advance=stage.advance).read(tags)
        again = [tuple(predicted_tags(one, of.row)) for one, of in zip(found, asked, strict=True)]
        pairs = list(zip(again, asked, strict=True))
        return Replies(
            right=np.array([one == of.row.tags for one, of in pairs], dtype=np.bool_),
            same=np.array([one == of.given for one, of in pairs], dtype=np.bool_),
        )

    asked = [Judgeable(row, tuple(found)) for row, found in zip(test.rows, given, strict=True)]
    suspects = suspect_tags([test, *others], tags, temperature, with_texts=spec.limits.log_text)
    counts = entity_counts([row.tags for row in test.rows], given)
    return together(
        estimated({"f1": f1_estimate(counts, seed=spec.train.seed)}, {"f1": "entity F1"}),
        calibrated(
            np.array([one.entity.score for one in placed], dtype=np.float32),
            np.array([one.entity.score for one in bare], dtype=np.float32),
            np.array([one.right for one in placed], dtype=np.bool_),
            temperature=temperature,
            means="Scores are of entities that were found; one is right when its type and its whole extent are.",
        ),
        parts_of(test.rows, test.outputs.pieces.tokenized.lengths, right, most=spec.model.max_tokens, means=_MEANS),
        rewritten(
            measure_sensitivity(asked, right, rewrite, answer, seed=spec.train.seed),
            means=f"{_MEANS} Tags of tokens that are left out are not asked for.",
        ),
        tell_mistakes(placed, test.rows, suspects, with_texts=spec.limits.log_text),
    )


def place_entities(read: Sequence[Entities], rows: Sequence[TaggedRow]) -> list[Placed]:
    """Every entity that was found in n texts, held against the true ones; one that holds no token counts for nothing.

    An entity ends where its last token does, as it is judged by tags.
    """
    found = []
    for number, (entities, row) in enumerate(zip(read, rows, strict=True)):
        for entity in entities.found:
            held = [place for place in row.offsets if entity.start <= place[0] < entity.end]
            if held:
                span = Span(held[0][0], held[-1][1], entity.label)
                touched = tuple(one for one in row.spans if one.start < span.end and one.end > span.start)
                found.append(Placed(number, entity, touched, span in touched))
    return found


def suspect_tags(parts: Sequence[TaggedPart], tags: Sequence[str], temperature: float, *, with_texts: bool) -> Suspects:
    """Words of at most 2000 texts of each part whose tag is likely wrong."""
    return find_suspects(
        [_words(part, tags, temperature, with_texts=with_texts) for part in parts], tags, with_texts=with_texts
    )


def tell_mistakes(placed: Sequence[Placed], rows: Sequence[TaggedRow], suspects: Suspects, *, with_texts: bool) -> Told:
    """The surest of the wrong ones among the entities found in n rows, and which types are taken for which."""
    wrong = np.array([place for place, one in enumerate(placed) if not one.right], dtype=np.int64)
    scores = np.array([placed[place].entity.score for place in wrong], dtype=np.float32)
    listed = surest_mistakes(
        wrong, scores, lambda place: _tell(placed[place], rows[placed[place].row], with_texts=with_texts)
    )
    pairs = [_confusion(one) for one in placed if not one.right]
    reached = {(one.row, span) for one in placed for span in one.touched}
    missed = [span for number, row in enumerate(rows) for span in row.spans if (number, span) not in reached]
    pairs += [(span.label, _NOTHING) for span in missed]
    occurring = Counter(span.label for row in rows for span in row.spans) | Counter({_NOTHING: len(placed)})
    confusions = count_confusions(pairs, occurring)
    note = (
        f"{listed.mistakes:,} of {len(placed):,} entities that were found on the test texts are wrong; {len(missed):,} "
        "true ones were not found at all."
    )
    return mistaken(
        listed,
        confusions,
        suspects,
        head=MistakeHead("Text", "", "True entities there", "Found"),
        columns=("True type", "Taken for", "Entities#", "Of the type#"),
        note=note,
        unit="words",
    )


def _tell(one: Placed, row: TaggedRow, *, with_texts: bool) -> Mistake:
    def told(label: str, start: int, end: int) -> str:
        return f"{label}: {' '.join(row.text[start:end].split())}" if with_texts else label

    entity = one.entity
    return Mistake(
        file=file_of(row),
        line=row.line,
        wanted=", ".join(told(span.label, span.start, span.end) for span in one.touched) or _NOTHING,
        answer=told(entity.label, entity.start, entity.end),
        score=entity.score,
        text=excerpt(row.text, entity.start, entity.end) if with_texts else None,
    )


def _confusion(one: Placed) -> tuple[str, str]:
    """The true type and what it was taken for; of several that it touches, the first of its type, or the first."""
    if not one.touched:
        return _NOTHING, one.entity.label
    labels = [span.label for span in one.touched]
    return (one.entity.label, _EXTENT) if one.entity.label in labels else (labels[0], one.entity.label)


def _words(part: TaggedPart, tags: Sequence[str], temperature: float, *, with_texts: bool) -> Answered:
    """The words as rows of their own, with their tags as labels."""
    rows: list[Row] = []
    truth: list[Integers] = []
    logits = []
    read = zip(part.rows, part.outputs.logits, part.outputs.pieces.words, strict=True)
    for number, (row, found, words) in enumerate(read):
        if number == _MOST_EXAMINED:
            break
        places = [word.piece for word in words]
        truth.append(np.array(piece_labels(row, words, len(found), tags), dtype=np.int64)[places])
        logits.append(found[places])
        rows += [_word_row(row, word, with_texts=with_texts) for word in words]
    if not rows:
        return Answered(part.split, (), np.zeros((0, len(tags)), dtype=np.float32), np.zeros(0, dtype=np.int64))
    return Answered(part.split, rows, softmax(np.concatenate(logits), temperature), np.concatenate(truth))


def _word_row(row: TaggedRow, word: Word, *, with_texts: bool) -> Row:
    return Row(excerpt(row.text, word.start, word.end) if with_texts else "", row.label, row.file, row.line)
