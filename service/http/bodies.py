"""Bodies of /v1: bytes in, checked values out; pure. Each problem found names its place in the body."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from contracts.task import LimitSpec
from service.errors import Violation, listed
from service.http.json_values import MOST_VIOLATIONS, decode_object, kind_of, list_field, refuse, unknown_fields
from service.requests import (
    Options,
    PredictRequest,
    are_plain,
    as_one_text,
    blank_problem,
    check_count,
    check_options,
    id_problem,
    read_texts,
)

_MAX_FEEDBACK_ITEMS = 4096
_MOST_TYPED = 65_536  # the task's own bound is looked at afterwards


def predict_request(body: bytes, limits: LimitSpec, labels: int, *, asks: bool = False) -> PredictRequest:
    """`{"instances": ["text" or {"text": ..., "id": ...}, ...], "parameters": {...}}`; `labels` is their number.

    Of a task that answers questions (`asks`), an instance is {"question": ..., "context": ..., "id": ...}. A task
    without labels to rank has `labels` 0.
    Raises BodyMalformedError or RequestInvalidError.
    """
    found = decode_object(body)
    plain = found.get("instances")
    if (
        len(found) == 1
        and not asks
        and type(plain) is list
        and 0 < len(plain) <= limits.max_instances
        and are_plain(plain, limits.max_text_chars)
    ):
        return PredictRequest(plain)
    unknown = unknown_fields(found, {"instances", "parameters"}, "#")
    instances = list_field(found, "instances", "texts to predict", unknown)
    refuse(unknown)
    check_count(len(instances), limits.max_instances, "#/instances")
    options = check_options(found["parameters"], labels, "#/parameters") if "parameters" in found else Options()
    named = _read_instances(instances, _QUESTION if asks else _TEXT)
    read = read_texts(named.values, limits, named.pointers)
    refuse(named.violations + read.violations)
    return PredictRequest(
        texts=read.texts,
        ids=named.ids if any(named.ids) else None,
        top_k=options.top_k,
        version=options.version,
        key=options.key,
        cut=read.cut,
    )


def check_typed(body: bytes) -> None:
    """What BentoML would look at text by text and tell one by one, however many there are.

    Raises BodyMalformedError or RequestInvalidError.
    """
    found = decode_object(body)
    refuse(unknown_fields(found, {"instances", "task"}, "#"))
    instances = found.get("instances")
    if isinstance(instances, list):
        check_count(max(1, len(instances)), _MOST_TYPED, "#/instances")
        for place, text in enumerate(instances):
            if type(text) is not str:
                refuse([Violation(f"#/instances/{place}", f"Expected a text, found {kind_of(text)}.")])


def typed_request(instances: list[str], limits: LimitSpec) -> PredictRequest:
    """The same rules for texts that came in another way than as a JSON body. Raises RequestInvalidError."""
    check_count(len(instances), limits.max_instances, "#/instances")
    read = read_texts(instances, limits, [f"#/instances/{place}" for place in range(len(instances))])
    refuse(read.violations)
    return PredictRequest(read.texts, cut=read.cut)


def feedback_items(body: bytes, labels: Collection[str]) -> list[tuple[str, str]]:
    """(id, label) pairs of `{"items": [{"id": ..., "label": ...}, ...]}`, in order.

    Raises BodyMalformedError or RequestInvalidError; the latter names the labels that there are.
    """
    found = decode_object(body)
    refuse(unknown_fields(found, {"items"}, "#"))
    items = list_field(found, "items", "labels")
    if not 1 <= len(items) <= _MAX_FEEDBACK_ITEMS:
        remedy = "Split the request." if items else "Send at least one."
        detail = f"Expected 1 to {_MAX_FEEDBACK_ITEMS} labels, found {len(items)}. {remedy}"
        refuse([Violation("#/items", detail)])
    pairs: list[tuple[str, str]] = []
    violations: list[Violation] = []
    for index, item in enumerate(items):
        if len(violations) >= MOST_VIOLATIONS:
            break  # thousands of labels, named again for thousands of items, would keep all other callers waiting
        pointer = f"#/items/{index}"
        if not isinstance(item, dict):
            violations.append(Violation(pointer, f'Expected {{"id": "...", "label": "..."}}, found {kind_of(item)}.'))
            continue
        wrong = unknown_fields(item, {"id", "label"}, pointer)
        for name in ("id", "label"):
            if not isinstance(item.get(name), str) or not item[name]:
                kind = kind_of(item[name]) if name in item else "nothing"
                wrong.append(Violation(f"{pointer}/{name}", f"Expected a string that is not empty, found {kind}."))
        if not wrong and item["label"] not in labels:
            shown = ascii(item["label"][:64])
            wrong.append(
                Violation(f"{pointer}/label", f"Expected one of the labels {listed(sorted(labels))}; found {shown}.")
            )
        if wrong:
            violations += wrong
        else:
            pairs.append((item["id"], item["label"]))
    refuse(violations)
    return pairs


@dataclass(frozen=True, slots=True)
class _Instances:
    """Instances taken apart, in order; a value that is no text stays as it is."""

    values: list[object]
    pointers: list[str]
    ids: list[str | None]
    violations: list[Violation]


_TEXT = ("text",)
_QUESTION = ("question", "context")


def _read_instances(instances: list[object], fields: tuple[str, ...]) -> _Instances:
    """Each instance's text. A question is the first line of its text, and the context is what follows."""
    read = _Instances([], [], [], [])
    taken: dict[object, int] = {}
    for index, instance in enumerate(instances):
        pointer = f"#/instances/{index}"
        if not isinstance(instance, dict):
            if fields is not _TEXT:
                read.violations.append(Violation(pointer, f"Expected {_FORMS[fields]}, found {kind_of(instance)}."))
                continue
            read.values.append(instance)
            read.pointers.append(pointer)
            read.ids.append(None)
            continue
        read.violations.extend(unknown_fields(instance, {*fields, "id"}, pointer))
        identifier = instance.get("id")
        if "id" in instance:
            problem = id_problem(identifier)
            if problem is None and taken.setdefault(identifier, index) != index:
                problem = f"Expected another id than that of instance {taken[identifier]}; each names one prediction."
            if problem is not None:
                read.violations.append(Violation(f"{pointer}/id", problem))
        missing = [name for name in fields if name not in instance]
        if missing:
            detail = f"Expected {_FORMS[fields]}; the field `{missing[0]}` is missing."
            read.violations.append(Violation(pointer, detail))
            continue
        if fields is _TEXT:
            read.values.append(instance["text"])
            read.pointers.append(f"{pointer}/text")
        else:
            problems = _question_problems(instance, pointer)
            read.violations.extend(problems)
            if problems:
                continue
            read.values.append(as_one_text(*(instance[name] for name in fields)))
            read.pointers.append(pointer)
        read.ids.append(identifier if isinstance(identifier, str) else None)
    return read


_FORMS = {_TEXT: 'a text or {"text": "..."}', _QUESTION: '{"question": "...", "context": "..."}'}


def _question_problems(instance: dict[str, object], pointer: str) -> list[Violation]:
    problems = ((name, blank_problem(instance[name])) for name in _QUESTION)
    return [Violation(f"{pointer}/{name}", problem) for name, problem in problems if problem is not None]
