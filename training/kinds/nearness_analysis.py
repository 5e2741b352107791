"""What is told of vectors beside their figures: how sure, whose neighbour is wrong, which pairs are far off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from scipy.stats import rankdata

from contracts.reference import Floats, Integers
from contracts.task import TaskSpec
from training.data.pairs import PairRow
from training.data.rows import Row, rows_of
from training.evaluation.bootstrap import accuracy_estimate, correlation_estimate
from training.evaluation.mistakes import Mistake, Mistakes, count_confusions, file_of, surest_mistakes
from training.evaluation.perturb import perturbed
from training.evaluation.sensitivity import Replies, measure_sensitivity
from training.kinds.lookups import LookedUp, PairScores, Vectorize
from training.kinds.nearness import nearest
from training.kinds.parts import estimated, mistaken, parts_of, rewritten
from training.kinds.told import Told, together
from training.report.measured_sections import MistakeHead, mistakes_section

_TITLES = {"recall_at_1": "recall at 1", "spearman": "rank correlation (Spearman)"}
_MEANS = "A text is right when the nearest one belongs to it."


def analyse_nearness(
    found: LookedUp,
    pairs: PairScores,
    rows: Sequence[Row],
    known: Sequence[Row],
    vectors: Vectorize,
    lengths: Integers,
    *,
    spec: TaskSpec,
) -> Told:
    """Of [n] test rows that were looked up, each by its (first) text; `known` are the rows of a labelled corpus.

    `vectors` is the artefact's; it is asked for those of the corpus, and of at most 500 texts a way of writing.
    """
    seed, right, places = spec.train.seed, found.right, found.neighbours.places
    looked_in: list[Floats] = []

    def answer(asked: Sequence[int], texts: Sequence[str]) -> Replies:
        if not looked_in:
            looked_in.append(vectors(found.corpus.texts))
        groups = found.corpus.groups[nearest(1, vectors(texts), looked_in[0]).places[:, 0]]
        before = found.corpus.groups[places[asked, 0]]
        return Replies(right=groups == found.queries.groups[asked], same=groups == before)

    estimates = {
        "recall_at_1": accuracy_estimate(right, seed=seed),
        "spearman": correlation_estimate(pairs.cosines, pairs.wanted, seed=seed),
    }
    sound = (
        (
            rewritten(measure_sensitivity(found.queries.texts, right, perturbed, answer, seed=seed), means=_MEANS),
            _mistakes(found, rows, known, with_texts=spec.limits.log_text),
        )
        if places.size
        else ()
    )
    return together(
        estimated(estimates, _TITLES),
        parts_of(rows, lengths, right, most=spec.model.max_tokens, means=_MEANS),
        *sound,
    )


def analyse_scored(pairs: PairScores, rows: Sequence[Row], *, spec: TaskSpec) -> Told:
    """Of pairs with scores, where no answer is simply right or wrong."""
    estimates = {"spearman": correlation_estimate(pairs.cosines, pairs.wanted, seed=spec.train.seed)}
    listed = furthest_pairs(pairs, rows_of(PairRow, rows), with_texts=spec.limits.log_text)
    head = MistakeHead("First text", "Second text", "Score", "Cosine", "Ranks apart")
    note = (
        f"{listed.mistakes:,} of {len(rows):,} pairs are more than half of all ranks away from where their score would "
        "put them. The last column is that distance, as a share of all ranks."
    )
    return together(
        estimated(estimates, _TITLES),
        Told(
            sections=(mistakes_section(listed, head, note=note, title="The pairs that are furthest off"),),
            details={"errors": asdict(listed)},
        ),
    )


def furthest_pairs(pairs: PairScores, rows: Sequence[PairRow], *, with_texts: bool) -> Mistakes:
    """Pairs whose cosine and score have the most different ranks; a mistake is one that is off by more than half."""
    ranks = [(rankdata(values) - 0.5) / len(rows) for values in (pairs.cosines, pairs.wanted)]
    apart = np.abs(ranks[0] - ranks[1]).astype(np.float32)

    def tell(place: int) -> Mistake:
        row = rows[place]
        return Mistake(
            file=file_of(row),
            line=row.line,
            wanted=f"{pairs.wanted[place]:.2f}",
            answer=f"{pairs.cosines[place]:.2f}",
            score=float(apart[place]),
            text=row.first if with_texts else None,
            beside=row.second if with_texts else None,
        )

    found = surest_mistakes(np.nonzero(apart > 0)[0].astype(np.int64), apart[apart > 0], tell)
    return Mistakes(int((apart > 0.5).sum()), found.surest)


def _mistakes(found: LookedUp, rows: Sequence[Row], known: Sequence[Row], *, with_texts: bool) -> Told:
    wrong = np.nonzero(~found.right)[0].astype(np.int64)
    places, cosines = found.neighbours.places[:, 0], found.neighbours.cosines[:, 0]
    labelled = not isinstance(rows[0], PairRow)

    def tell(place: int) -> Mistake:
        row, other = rows[place], int(places[place])
        of_pair = ("its own second text", "another pair's")
        wanted, answer = (row.label, known[other].label) if labelled else of_pair
        return Mistake(
            file=file_of(row),
            line=row.line,
            wanted=wanted,
            answer=answer,
            score=float(cosines[place]),
            text=found.queries.texts[place] if with_texts else None,
            beside=found.corpus.texts[other] if with_texts else None,
        )

    listed = surest_mistakes(wrong, cosines[wrong], tell)
    note = f"{listed.mistakes:,} of {len(rows):,} test texts have a nearest one that does not belong to them."
    head = MistakeHead("Text", "The nearest", "Label", "Of the nearest", "Cosine")
    if not labelled:
        head = MistakeHead("Text", "The nearest", "Should be", "Is", "Cosine")
        return Told(sections=(mistakes_section(listed, head, note=note),), details={"errors": asdict(listed)})
    taken = ((rows[place].label, known[int(places[place])].label) for place in wrong.tolist())
    confusions = count_confusions(taken, Counter(row.label for row in rows))
    columns = ("Label", "Label of the nearest", "Texts#", "Of the label#")
    return mistaken(listed, confusions, head=head, columns=columns, note=note)
