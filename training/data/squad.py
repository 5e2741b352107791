"""SQuAD's JSON, versions 1.1 and 2.0: articles of paragraphs of questions (Rajpurkar et al. 2016, 2018)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from training.data.encoding import read_utf8
from training.data.json_rows import json_elements
from training.data.rows import Problems, Record, kind_of

_FORM = 'Write SQuAD\'s form: {"data": [{"paragraphs": [{"context": "...", "qas": [...]}]}]}.'


def looks_like_squad(path: Path) -> bool:
    """Whether the first element of a JSON file's list has paragraphs. Raises DataError for what is no JSON list."""
    for _, article, _ in json_elements(path, read_utf8(path)):
        return isinstance(article, Mapping) and "paragraphs" in article
    return False


def read_squad(path: Path, problems: Problems) -> Iterator[Record]:
    """A record for each question: `id`, `question`, `context`, `answers` and, if it is there, `is_impossible`.

    The line is that of the question's id in the file, or of its article where the id cannot be found.
    """
    content = read_utf8(path)
    searched = 0
    line, counted = 1, 0
    for article_line, article, _ in json_elements(path, content):
        for context, question in _questions(article, article_line, problems):
            written = json.dumps(question.get("id"), ensure_ascii=False)
            at = content.find(written, searched)
            if "id" in question and at >= 0:
                line, counted = line + content.count("\n", counted, at), at
                searched = at + len(written)
            lacking = [name for name in ("question", "answers") if name not in question]
            if lacking and not (lacking == ["answers"] and question.get("is_impossible") is True):
                problems.add(
                    line, f"question {written}: expected a field {lacking[0]!r}, found {list(question)[:20]}.", _FORM
                )
                continue
            values = {"answers": [], **question, "context": context}
            yield Record(max(line, article_line) if "id" in question else article_line, values)


def _questions(article: object, line: int, problems: Problems) -> Iterator[tuple[object, Mapping[str, object]]]:
    """(context, question) of each question; what has another form is noted."""
    for paragraph in _objects(article, "paragraphs", "an article", line, problems):
        if "context" not in paragraph:
            problems.add(line, "a paragraph without a `context`.", _FORM)
            continue
        for question in _objects(paragraph, "qas", "a paragraph", line, problems):
            yield paragraph["context"], question


def _objects(value: object, name: str, what: str, line: int, problems: Problems) -> list[Mapping[str, object]]:
    """The objects in a list of an object."""
    found = value.get(name) if isinstance(value, Mapping) else value
    if not isinstance(found, list):
        problems.add(line, f"expected {what} with a list `{name}`, found {kind_of(found)}.", _FORM)
        return []
    objects = [entry for entry in found if isinstance(entry, Mapping)]
    if len(objects) < len(found):
        problems.add(line, f"expected objects in `{name}` of {what}.", _FORM)
    return objects
