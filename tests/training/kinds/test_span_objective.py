"""What an answer's place in a window is, and that only places where answers may be count."""

from __future__ import annotations

import numpy as np
import torch

from contracts.question_windows import Window
from training.kinds.span_objective import SPANS, span_targets
from training.learning.objective import LossSettings

# "[CLS] q [SEP] ab cd ef [SEP]" over the context "ab cd ef".
WINDOW = Window([1, 2, 3, 4, 5, 6, 3], [0, 0, 0, 1, 1, 1, 1], 3, [(0, 2), (3, 5), (6, 8)])
PLAIN = LossSettings()


def marked(targets: list[tuple[float, float]]) -> list[tuple[int, int]]:
    return [(place, part) for place, shares in enumerate(targets) for part in (0, 1) if shares[part] > 0]


def test_starts_and_ends_are_the_tokens_that_hold_the_answer() -> None:
    assert marked(span_targets(WINDOW, [(3, 8)])) == [(4, 0), (5, 1)]
    assert marked(span_targets(WINDOW, [(4, 5)])) == [(4, 0), (4, 1)]


def test_several_true_answers_share_what_there_is() -> None:
    targets = span_targets(WINDOW, [(0, 2), (0, 5)])
    assert targets[3] == (1.0, 0.5)
    assert targets[4] == (0.0, 0.5)


def test_an_answer_that_is_not_whole_in_the_window_is_none() -> None:
    for answers in ([], [(6, 12)], [(20, 25)]):
        assert marked(span_targets(WINDOW, answers)) == [(0, 0), (0, 1)]


def test_the_question_and_padding_count_for_nothing() -> None:
    rows = [
        {"input_ids": [1] * 7, "token_type_ids": [0] * 7, "labels": span_targets(WINDOW, [(3, 5)])},
        {"input_ids": [1] * 9, "token_type_ids": [0] * 9, "labels": [(0.0, 1.0)] + [(-100.0, -100.0)] * 8},
    ]
    batch = SPANS.collate(rows)
    assert batch["labels"].shape == (2, 9, 2)
    assert batch["token_type_ids"].shape == (2, 9)
    logits = torch.zeros((2, 9, 2))
    even = SPANS.loss(logits, batch["labels"], PLAIN)
    logits[0, [1, 2, 6, 7, 8]] = 50.0
    logits[1, 1:] = 50.0
    torch.testing.assert_close(SPANS.loss(logits, batch["labels"], PLAIN), even)
    # Of four places each, for start and end of the first; the second has one place only.
    torch.testing.assert_close(
        SPANS.loss(torch.zeros((1, 7, 2)), batch["labels"][:1, :7], PLAIN), torch.tensor(4.0).log()
    )


def test_the_score_is_the_share_of_windows_whose_start_and_end_are_both_true() -> None:
    labels = np.array([span_targets(WINDOW, [(3, 5)]), span_targets(WINDOW, [])], dtype=np.float32)
    logits = np.zeros((2, 7, 2), dtype=np.float32)
    logits[0, 4] = 3.0
    logits[0, 1] = 9.0
    logits[1, 0] = (3.0, -1.0)
    assert SPANS.score([logits], [labels]) == 0.5


def test_what_the_teacher_says_of_the_question_is_not_learned() -> None:
    labels = torch.tensor([span_targets(WINDOW, [(3, 5)])])
    logits, taught = torch.randn((1, 7, 2)), torch.randn((1, 7, 2))
    assert SPANS.soft_loss is not None
    before = SPANS.soft_loss(logits, taught, labels)
    taught[0, 1] = 20.0
    torch.testing.assert_close(SPANS.soft_loss(logits, taught, labels), before)
    assert float(SPANS.soft_loss(logits, logits, labels)) < 1e-6 < float(before)
