"""`perennial replay`: send a file of texts to a running service, as production would, with feedback."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx
from rich.progress import Progress

from cli.console import console, print_fields, print_json
from cli.endpoint import API_KEY_VARIABLE, Endpoint, Refusal, ReplayError, post, predicted
from service.settings import VARIABLES

_MOST_AT_ONCE = 1000


@dataclass(frozen=True)
class FirstRefusal:
    """Of the refused texts the one that comes first in the file, and why."""

    place: str
    reason: str


@dataclass
class Outcome:
    """What came back. Accuracies are shares 0..1 over the texts that were answered."""

    sent: int = 0
    answered: int = 0
    refused: int = 0
    first_refusal: FirstRefusal | None = None
    feedback: int = 0
    accuracy: float | None = None
    seconds: float = 0.0
    versions: dict[str, int] = field(default_factory=dict)
    predicted: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """A text to send, its label if there is one, and where both stand."""

    text: str
    label: str | None
    place: str


@dataclass(frozen=True)
class Traffic:
    """What to send, where, and how. Without labels there is no feedback."""

    endpoint: Endpoint
    task: str
    samples: Sequence[Sample]
    feedback_share: float
    concurrency: int
    rate: float | None
    seed: int


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("file", help="CSV, TSV, JSONL or Parquet with a text column")
    parser.add_argument("--task", help="the task to send to (default: the one that is served, if it is the only one)")
    parser.add_argument("--labels", action="store_true", help="the file has labels: measure accuracy, send feedback")
    parser.add_argument(
        "--feedback", type=float, default=1.0, metavar="SHARE", help="share of texts whose label is sent (default: 1)"
    )
    port = os.environ.get(VARIABLES["port"]) or "3000"
    parser.add_argument("--url", default=f"http://127.0.0.1:{port}", help="where the service is (default: %(default)s)")
    parser.add_argument(
        "--api-key",
        metavar="SECRET",
        help=f"key of a service that asks for one (default: {API_KEY_VARIABLE}, which other users of this machine "
        "cannot read in the list of processes)",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="send only the first N texts")
    parser.add_argument(
        "--rate", type=float, metavar="PER_SECOND", help="texts a second (default: as fast as answered)"
    )
    parser.add_argument(
        "--concurrency", type=int, default=8, metavar="N", help="requests under way at once (default: 8)"
    )
    parser.add_argument("--text-column", default="text", metavar="NAME", help="default: text")
    parser.add_argument("--label-column", default="label", metavar="NAME", help="default: label")
    parser.add_argument("--seed", type=int, default=13, help="chooses which texts get feedback")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def run(options: argparse.Namespace) -> int:
    """Exit code 0 when every text was answered, 1 otherwise."""
    if (
        not 0.0 <= options.feedback <= 1.0
        or not 1 <= options.concurrency <= _MOST_AT_ONCE
        or (options.rate is not None and not options.rate > 0)
        or (options.limit is not None and options.limit < 1)
    ):
        raise ReplayError(
            f"--feedback is a share from 0 to 1; --concurrency from 1 to {_MOST_AT_ONCE}; --rate above 0; "
            "--limit at least 1."
        )
    samples = _samples(options)[: options.limit]
    endpoint = Endpoint(options.url, options.api_key or os.environ.get(API_KEY_VARIABLE) or None)
    task = options.task or endpoint.only_task()
    _check_kind(task, endpoint.kind_of(task), labels=options.labels, feedback=options.feedback > 0)
    traffic = Traffic(
        endpoint=endpoint,
        task=task,
        samples=samples,
        feedback_share=options.feedback if options.labels else 0.0,
        concurrency=options.concurrency,
        rate=options.rate,
        seed=options.seed,
    )
    outcome = asyncio.run(send(traffic, show_progress=not options.json))
    if options.json:
        print_json(asdict(outcome))
    else:
        print_fields(_fields(outcome))
    return 0 if outcome.refused == 0 else 1


def _samples(options: argparse.Namespace) -> list[Sample]:
    from training.data.sources import read_rows, read_texts

    if not options.file.startswith("hf:") and not Path(options.file).exists():
        raise ReplayError(f"{options.file}: no such file. Name a CSV, TSV, JSONL or Parquet file with texts.")
    if not options.labels:
        texts = read_texts(options.file, text_column=options.text_column, by_option=True)
        return [Sample(one.text, None, f"{one.file}, line {one.line}") for one in texts]
    rows = read_rows(options.file, text_column=options.text_column, label_column=options.label_column, by_option=True)
    return [Sample(row.text, row.label, f"{row.file}, line {row.line}") for row in rows]


def _check_kind(task: str, kind: str | None, *, labels: bool, feedback: bool) -> None:
    """Raises ReplayError where every text or label would be refused, or say nothing."""
    if kind == "question-answering":
        raise ReplayError(f"Task {task} is for {kind}: it expects questions with contexts, and a replay sends texts.")
    if labels and kind == "similarity":
        raise ReplayError(f"Task {task} is for {kind}, which has no labels to compare or to send. Leave --labels out.")
    if labels and feedback and kind == "token-classification":
        raise ReplayError(
            f"Task {task} is for {kind}, and feedback is for classification with one label a text. "
            "Leave --labels out, or send none: --feedback 0."
        )


async def send(traffic: Traffic, *, show_progress: bool) -> Outcome:
    """Send every text as a request of its own, then its feedback; returns what came back.

    Raises ReplayError when the service cannot be reached, or refuses for a reason that concerns all texts (4xx); it
    tells what was sent until then.
    """
    sending = _Sending(traffic)
    with Progress(console=console(), disable=not show_progress or not console().is_terminal) as progress:
        bar = progress.add_task("replay", total=len(traffic.samples))
        async with traffic.endpoint.client() as client:
            workers = [
                asyncio.create_task(sending.work(client, lambda: progress.advance(bar)))
                for _ in range(traffic.concurrency)
            ]
            try:
                await asyncio.gather(*workers)
            except ReplayError as error:
                # Before it is told what was sent, nothing more may be.
                for worker in workers:
                    worker.cancel()
                await asyncio.wait(workers)
                raise ReplayError(f"{error} {_until_then(sending.outcome)}") from error
    return sending.ended()


class _Sending:
    """A replay under way."""

    def __init__(self, traffic: Traffic) -> None:
        self.outcome = Outcome()
        self._traffic = traffic
        rng = random.Random(traffic.seed)
        self._with_feedback = [rng.random() < traffic.feedback_share for _ in traffic.samples]
        self._indices = iter(range(len(traffic.samples)))
        self._first_refused = len(traffic.samples)
        self._right = 0
        self._versions: Counter[str] = Counter()
        self._predicted: Counter[str] = Counter()
        self._started = time.monotonic()

    async def work(self, client: httpx.AsyncClient, advance: Callable[[], None]) -> None:
        """Send one text after the other until there are no more; several do so at once. Raises ReplayError."""
        traffic = self._traffic
        for index in self._indices:
            if traffic.rate is not None:
                await asyncio.sleep(max(0.0, self._started + index / traffic.rate - time.monotonic()))
            sample = traffic.samples[index]
            self.outcome.sent += 1
            answer = await post(client, f"/v1/models/{traffic.task}:predict", {"instances": [sample.text]})
            advance()
            if isinstance(answer, Refusal):
                self._refused(index, answer)
                continue
            found = predicted(answer, traffic.endpoint.url)
            self.outcome.answered += 1
            self._versions[found.version] += 1
            self._predicted[found.label] += 1
            self._right += found.label == sample.label
            if self._with_feedback[index]:
                await self._tell(client, found.id, sample)

    def ended(self) -> Outcome:
        """What came back in all."""
        outcome = self.outcome
        outcome.seconds = time.monotonic() - self._started
        outcome.versions = dict(sorted(self._versions.items()))
        outcome.predicted = dict(self._predicted.most_common())
        if outcome.answered and self._traffic.samples[0].label is not None:
            outcome.accuracy = self._right / outcome.answered
        return outcome

    def _refused(self, index: int, refusal: Refusal) -> None:
        self.outcome.refused += 1
        if index < self._first_refused:
            self._first_refused = index
            self.outcome.first_refusal = FirstRefusal(self._traffic.samples[index].place, refusal.reason)

    async def _tell(self, client: httpx.AsyncClient, identifier: str, sample: Sample) -> None:
        item = {"id": identifier, "label": sample.label}
        answer = await post(client, f"/v1/models/{self._traffic.task}:feedback", {"items": [item]})
        if not isinstance(answer, Refusal):
            self.outcome.feedback += 1
        elif not answer.busy:
            raise ReplayError(f"The service does not take the label of {sample.place}: {answer.reason}")


def _until_then(outcome: Outcome) -> str:
    return (
        f"Sent until then: {outcome.sent}; answered: {outcome.answered}; refused: {outcome.refused}; "
        f"labels taken as feedback: {outcome.feedback}."
    )


def _fields(outcome: Outcome) -> dict[str, str]:
    first = outcome.first_refusal
    fields = {
        "sent": str(outcome.sent),
        "answered": f"{outcome.answered} in {outcome.seconds:.1f} s"
        + (f" ({outcome.answered / outcome.seconds:.0f} a second)" if outcome.seconds > 0 else ""),
        "refused": str(outcome.refused) + (f", the first of them {first.place}: {first.reason}" if first else ""),
        "feedback": str(outcome.feedback),
        "releases": ", ".join(f"{version} ({count})" for version, count in outcome.versions.items()) or "none",
    }
    if outcome.accuracy is not None:
        fields["accuracy"] = f"{outcome.accuracy:.3f}"
    return fields
