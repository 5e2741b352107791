"""Questions on a context with their answers, as rows of SQuAD's form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import DataError
from contracts.task import DataSpec
from training.data.columns import Columns
from training.data.extras import Extras
from training.data.records import problems_of, read_records, refuse_delimited
from training.data.rows import Problems, Record, Row, kind_of, shorten, text_of
from training.data.sources import check_distinct
from training.data.squad import looks_like_squad, read_squad

ID_COLUMN = "id"
IMPOSSIBLE_COLUMN = "is_impossible"
ANSWER = "answer"
NO_ANSWER = "no-answer"
_FORM = 'Write {"text": ["..."], "answer_start": [0]}, with empty lists where the context holds no answer.'


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: `text` stands at character `start` of the context."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """The place behind its last character."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRow(Row):
    """A question, its context and the answers in it, each right alone; none where there is no answer.

    `text` is question and context with a line end between them; `label` is "answer" or "no-answer".
    """

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...]

    @property
    def truth(self) -> tuple[Answer, ...]:
        """The answers."""
        return self.answers

    @property
    def unit(self) -> str:
        """The context: its questions stay together."""
        return self.context

    def content(self) -> dict[str, Any]:
        """The row as JSON, without its place."""
        made: dict[str, Any] = {
            "id": self.id,
            "question": self.question,
            "context": self.context,
            "answers": [[answer.text, answer.start] for answer in self.answers],
        }
        return made | ({"extra": dict(self.extra)} if self.extra else {})


def question_row(
    identifier: str,
    question: str,
    context: str,
    answers: Sequence[Answer],
    file: str,
    line: int,
) -> QuestionRow:
    """A row of a question and its answers."""
    return QuestionRow(
        text=f"{question}\n{context}",
        label=ANSWER if answers else NO_ANSWER,
        file=file,
        line=line,
        id=identifier,
        question=question,
        context=context,
        answers=tuple(answers),
    )


def read_questions(source: str, data: DataSpec, *, split: str | None = None) -> list[QuestionRow]:
    """All rows, in order, of a SQuAD file (v1.1 or v2.0), or of one with question, context and answers in each row.

    Ids that are missing are the line's number. Raises DataError naming file and line of what is malformed: answers
    that do not stand in their context where they say, an impossible question with answers, an id that stands twice.
    """
    check_distinct(
        source,
        question_column=data.question_column,
        context_column=data.context_column,
        answers_column=data.answers_column,
    )
    example = '{"question": "...", "context": "...", "answers": {"text": ["..."], "answer_start": [0]}}'
    refuse_delimited(source, "answers", example)
    problems = problems_of(source, split)
    squad = Path(source).suffix.lower() == ".json" and not source.startswith("hf:") and looks_like_squad(Path(source))
    if squad:
        Extras.of(data).check_none(source, "a SQuAD file")
        data = data.model_copy(update=_SQUAD_COLUMNS)
        records = read_squad(Path(source), problems)
    else:
        records = read_records(source, split, _columns(data), problems)
    rows: list[QuestionRow] = []
    lines: dict[str, int] = {}
    for record in records:
        if (row := _row(record, data, problems)) is None:
            continue
        if row.id in lines:
            problems.add(row.line, f"the id {shorten(row.id)!r} is on line {lines[row.id]} too.", "Give each its own.")
        lines[row.id] = row.line
        rows.append(row)
    problems.raise_if_any()
    if not rows:
        raise DataError(source, None, "expected questions, found no rows.", "Export the data again.")
    return rows


_SQUAD_COLUMNS = {
    "question_column": "question",
    "context_column": "context",
    "answers_column": "answers",
}


def _columns(data: DataSpec) -> Columns:
    return Columns(
        choices=((data.question_column, data.context_column, data.answers_column),),
        required=Extras.of(data).columns,
        optional=(ID_COLUMN, IMPOSSIBLE_COLUMN),
        settings="`question_column`, `context_column` and `answers_column`",
    )


def _row(record: Record, data: DataSpec, problems: Problems) -> QuestionRow | None:
    question = text_of(record, data.question_column, problems, "question")
    context = text_of(record, data.context_column, problems, "context")
    if question is None or context is None:
        return None
    identifier = str(record.values.get(ID_COLUMN) or record.line)
    where = f"question {shorten(identifier)!r}: " if ID_COLUMN in record.values else ""
    impossible = record.values.get(IMPOSSIBLE_COLUMN)
    if impossible is not None and not isinstance(impossible, bool):
        found = repr(shorten(impossible)) if isinstance(impossible, str) else kind_of(impossible)
        problems.add(
            record.line,
            f"{where}expected is_impossible to be true or false, found {found}.",
            "Write it as JSON has it.",
        )
        return None
    answers = _answers(record.values[data.answers_column], context, where, record.line, problems)
    if answers is None:
        return None
    if impossible is True and answers:
        problems.add(record.line, f"{where}is_impossible is true, and there are answers.", "Remove one of the two.")
        return None
    if impossible is False and not answers:
        problems.add(
            record.line, f"{where}is_impossible is false, and there is no answer.", "Add the answer, or write true."
        )
        return None
    # On one line with single spaces, as the service asks it.
    row = question_row(identifier, " ".join(question.split()), context, answers, problems.source, record.line)
    return Extras.of(data).add(row, record, problems)


def _answers(value: object, context: str, where: str, line: int, problems: Problems) -> list[Answer] | None:
    """The answers, each once, in order; None after the first that is malformed was noted."""
    if isinstance(value, Mapping):
        texts, starts = value.get("text"), value.get("answer_start")
        if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
            problems.add(line, f"{where}expected as many answer texts as answer starts, in two lists.", _FORM)
            return None
        pairs = list(zip(texts, starts, strict=True))
    elif isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value):
        pairs = [(entry.get("text"), entry.get("answer_start")) for entry in value]
    else:
        problems.add(line, f"{where}expected answers, found {kind_of(value)}.", _FORM)
        return None
    answers = []
    for text, start in pairs:
        if not isinstance(text, str) or not text.strip() or not isinstance(start, int) or isinstance(start, bool):
            problems.add(line, f"{where}expected an answer's text and its start, found {text!r} and {start!r}.", _FORM)
            return None
        found = context[start : start + len(text)] if start >= 0 else ""
        if found != text:
            problems.add(line, f"{where}{_misplaced(context, text, start, found)}", _REMEDY)
            return None
        answers.append(Answer(text, start))
    return list(dict.fromkeys(answers))


_REMEDY = "Count characters, not bytes, from 0, in the context as it stands in the file."


def _misplaced(context: str, text: str, start: int, found: str) -> str:
    """An answer that is not where it says, and where it is."""
    at = context.find(text)
    elsewhere = f"it stands at {at}" if at >= 0 else "it is nowhere in the context"
    shown = f"found {shorten(found)!r} there" if found else f"its context has {len(context):,} characters"
    return f"expected the answer {shorten(text)!r} at character {start} of its context, {shown}; {elsewhere}."
