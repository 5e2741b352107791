"""From start and end logits over windows to one answer, or to none: pure, the same in training and serving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contracts.question_windows import Window
from contracts.reference import Floats

LONGEST_ANSWER = 30  # tokens; as SQuAD's run_squad.py has it


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """The best stretch of a context, beside the place that means "no answer".

    `starts` and `ends` are the logits of all tokens of the context, "no answer" first; where windows share a token, the
    largest of what they say.
    """

    start: int  # characters of the context; start = end = 0 where it has no tokens
    end: int
    best: float  # what speaks for the stretch: its start logit + its end logit
    null: float  # for no answer: the same, in the window where it is least (Devlin et al. 2018, section 4.3)
    starts: Floats
    ends: Floats
    start_place: int  # into `starts`; 0 where the context has no tokens
    end_place: int  # into `ends`

    def is_answer(self, threshold: float) -> bool:
        """Whether the stretch beats "no answer" by more than the threshold."""
        return self.start_place > 0 and self.best - self.null > threshold

    def score(self, *, answered: bool, temperature: float) -> float:
        """How sure is what is answered, 0..1: the geometric mean of its start's and its end's probability.

        Over the whole context. The two go together, so that their product would be far too unsure.
        """
        start, end = (self.start_place, self.end_place) if answered else (0, 0)
        product = _softmax_at(self.starts, start, temperature) * _softmax_at(self.ends, end, temperature)
        return float(np.sqrt(product))


def best_span(windows: Sequence[Window], logits: Sequence[Floats], *, longest: int = LONGEST_ANSWER) -> AnswerSpan:
    """The stretch of at most `longest` tokens, within one window, with the largest start + end logit.

    `logits` are [tokens, 2] for each window, start and end; rows behind the window's tokens are not looked at. Of
    equals the first is taken.
    """
    null = min((found[0] for found in logits), key=lambda pair: float(pair[0] + pair[1]))
    best, chosen = -np.inf, ((0, 0), (0, 0))
    for window, found in zip(windows, logits, strict=True):
        length = len(window.spans)
        if not length:
            continue
        first, last = found[window.first : window.first + length].T
        behind = np.concatenate([last, np.full(longest - 1, -np.inf, dtype=last.dtype)])
        # [length, longest]: every stretch by its first token and how many more it has.
        sums = first[:, None] + np.lib.stride_tricks.sliding_window_view(behind, longest)
        at, extra = divmod(int(sums.argmax()), longest)
        if sums[at, extra] > best:
            best, chosen = float(sums[at, extra]), (window.spans[at], window.spans[at + extra])
    places = {span: place for place, span in enumerate(dict.fromkeys(s for w in windows for s in w.spans), start=1)}
    merged = np.full((len(places) + 1, 2), -np.inf, dtype=np.float32)
    merged[0] = null
    for window, found in zip(windows, logits, strict=True):
        rows = [places[span] for span in window.spans]
        np.maximum.at(merged, rows, found[window.first : window.first + len(rows)])
    start, end = chosen
    return AnswerSpan(
        start=start[0],
        end=end[1],
        best=best if places else 0.0,
        null=float(null[0] + null[1]),
        starts=merged[:, 0],
        ends=merged[:, 1],
        start_place=places.get(start, 0),
        end_place=places.get(end, 0),
    )


def _softmax_at(logits: Floats, place: int, temperature: float) -> float:
    scaled = (logits.astype(np.float64) - float(logits.max())) / temperature
    powers = np.exp(scaled)
    return float(powers[place] / powers.sum())
