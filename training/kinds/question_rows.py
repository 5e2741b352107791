"""Questions and contexts through a network: windows in, one span a question out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer

from contracts.answer_spans import AnswerSpan, best_span
from contracts.question_windows import ReadQuestion, read_question
from contracts.reference import Floats
from training.artefact.onnx_artefact import Artefact
from training.data.questions import QuestionRow
from training.learning.network import Network
from training.learning.objective import pad_batch


@dataclass(frozen=True)
class ReadOutputs:
    """What an artefact says of n questions, in their order."""

    spans: list[AnswerSpan]
    embeddings: Floats  # [n, hidden], the mean of the windows' embeddings
    read: list[ReadQuestion]


def read_rows(tokenizer: Tokenizer, rows: Sequence[QuestionRow], *, max_tokens: int, stride: int) -> list[ReadQuestion]:
    """Each question with its context, in windows."""
    name = getattr(tokenizer.model, "unk_token", None)
    unknown = -1 if name is None else tokenizer.token_to_id(name)
    return [
        read_question(
            tokenizer,
            row.question,
            row.context,
            max_tokens=max_tokens,
            stride=stride,
            unknown=-1 if unknown is None else unknown,
        )
        for row in rows
    ]


def answer_rows(
    artefact: Artefact, rows: Sequence[QuestionRow], *, stride: int, advance: Callable[[int], None] | None = None
) -> ReadOutputs:
    """Every question's best span, by the artefact. `advance` is told of windows."""
    read = read_rows(artefact.tokenizer, rows, max_tokens=artefact.max_tokens, stride=stride)
    windows = [window for one in read for window in one.windows]
    found = artefact.run_rows(
        [window.ids for window in windows], [window.type_ids for window in windows], advance=advance
    )
    spans = _spans(read, found["logits"])
    means, place = [], 0
    for one in read:
        means.append(np.mean(found["embedding"][place : place + len(one.windows)], axis=0))
        place += len(one.windows)
    return ReadOutputs(spans, np.stack(means), read)


def torch_spans(model: Network, read: Sequence[ReadQuestion], *, batch: int = 16) -> list[AnswerSpan]:
    """The same spans by the network itself, in fp32."""
    windows = [window for one in read for window in one.windows]
    order = np.argsort([len(window.ids) for window in windows], kind="stable").tolist()
    logits: list[Floats] = [np.zeros((0, 2), dtype=np.float32)] * len(windows)
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            inputs = pad_batch([windows[i].ids for i in chosen], [windows[i].type_ids for i in chosen])
            for index, found in zip(chosen, model(**inputs)["logits"].numpy(), strict=True):
                logits[index] = found[: len(windows[index].ids)]
    return _spans(read, logits)


def _spans(read: Sequence[ReadQuestion], logits: Sequence[Floats]) -> list[AnswerSpan]:
    spans, place = [], 0
    for one in read:
        spans.append(best_span(one.windows, logits[place : place + len(one.windows)]))
        place += len(one.windows)
    return spans
