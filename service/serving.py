"""One worker's serving: releases, queue and logs put together. It knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import math
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from contracts.records import Role
from service.access import CALLER, ApiKeys
from service.engine.answer_cache import AnswerCache
from service.engine.backlog import Placed, Ticket, settle_all
from service.engine.encoding import EncodedText
from service.engine.model import LoadedRelease
from service.engine.scheduler import Scheduler
from service.engine.shadow_work import ShadowWork
from service.errors import DeadlineError, PredictionUnknownError, QueueFullError
from service.logs.feedback_log import FeedbackLog
from service.logs.prediction_ids import PredictionIds, load_key
from service.logs.prediction_log import AnsweredText, PredictionLog, writer_name
from service.metrics import ServiceMetrics
from service.rate_limit import RateLimit
from service.requests import PredictRequest, id_problem
from service.rollout.releases import Releases
from service.rollout.trials import in_share
from service.settings import ServiceSettings, available_cores
from service.tracing import TRACE, Tracing

# Texts above this many characters in one request are tokenized beside the event loop (about 1 ms of work).
_INLINE_CHARS = 5_000
_INLINE_WINDOWS = 20  # the same of the windows whose answers are put together
# Characters of such requests that may wait for that: about a second of work.
_ENCODING_CHARS = 1_000_000


class Answered(NamedTuple):
    """The answer to one text."""

    id: str
    label: str
    score: float  # calibrated probability of the label, 0..1
    scores: list[tuple[str, float]] | None  # the best labels with theirs, where asked for; best first
    truncated: bool  # whether only the text's beginning was read
    fields: dict[str, object] | None = None  # what is answered in the place of label and score
    length: int = 0  # tokens before any cut


@dataclass(frozen=True, slots=True)
class Predicted:
    """The answers to one request."""

    release: LoadedRelease
    role: Role
    answers: list[Answered]


class Serving:
    """Made and started on the event loop that it answers on."""

    def __init__(self, settings: ServiceSettings, metrics: ServiceMetrics) -> None:
        self.settings = settings
        self.metrics = metrics
        threads = settings.session_threads(available_cores())
        self.releases = Releases(settings.home, threads=threads, poll_seconds=settings.poll_seconds, metrics=metrics)
        self._scheduler = Scheduler(
            batch_tokens=settings.batch_tokens, queue_tokens=settings.queue_tokens, metrics=metrics, lanes=threads
        )
        self._cache = AnswerCache(settings.cache_entries) if settings.cache_entries else None
        self._ids = PredictionIds(load_key(settings.home))
        writer = writer_name(socket.gethostname(), os.getpid(), lambda: secrets.token_hex(4))
        self.log = PredictionLog(settings.home, writer, settings.log_queue_bytes, metrics)
        self._feedback = FeedbackLog(settings.home, writer)
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self._encoding = 0  # characters
        self.keys = ApiKeys(settings.api_keys, settings.api_keys_file, metrics.api_keys_stale.set)
        self._limit = RateLimit.shared(settings.rate_limit, settings.rate_burst, settings.workers)
        self.tracing = Tracing(settings.traces) if settings.traces else None

    def start(self) -> None:
        """Begin to follow releases and to write the log. Returns at once; releases are loaded meanwhile."""
        self.log.start()
        self._feedback.start()
        self.releases.start()
        self.keys.start()

    async def stop(self) -> None:
        """Finish what was begun within the drain bound, and flush the logs within half of that again."""
        bound = self.settings.drain_seconds
        flushing = max(1.0, bound / 2)
        await self._scheduler.stop(bound)
        self._encoder.shutdown(wait=False, cancel_futures=True)
        # Both at once: a disk that hangs would keep the one waiting as long as the other.
        await asyncio.gather(self._feedback.stop(flushing), asyncio.to_thread(self.log.stop, flushing))
        await asyncio.to_thread(self.releases.stop, 1.0)
        self.keys.stop()
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.stop, 2.0)

    async def predict(
        self,
        task: str,
        request: PredictRequest,
        started: float,
        *,
        deadline: float = math.inf,
        hung_up: Callable[[], Awaitable[object]] | None = None,
    ) -> Predicted:
        """Answers to a request's texts, in their order, all by one release.

        `started` and `deadline` are monotonic; `hung_up` returns when the caller is gone. Raises RateLimitedError and
        what `Releases.route` and `Scheduler.predict` raise.
        """
        texts = request.texts
        routed = self.releases.route(task, request.key or texts[0], request.version)
        if self._limit is not None:
            self._limit.charge(CALLER.get(), len(texts), started)
        release, role = routed.release, routed.role
        answered = self._run if self._cache is None else partial(self._known_or_run, self._cache)
        encoded, placed = await answered(release, texts, deadline, hung_up)
        now, ended = time.time(), time.monotonic()
        latency_ms = 1000 * (ended - started)
        answers: list[Answered] = []
        records: list[AnsweredText] = []
        for position, (text, place) in enumerate(zip(encoded, placed, strict=True)):
            output, row = place.output, place.row
            own = request.ids[position] if request.ids is not None else None
            identifier = own or self._ids.make(task, now)
            truncated = text.is_cut(release.manifest.max_tokens) or position in request.cut
            ranked = release.ranked(output, row, request.top_k) if request.top_k else None
            score = round(float(output.scores[row]), 6)
            fields = output.settled[row].fields if output.settled is not None else None
            answers.append(
                Answered(identifier, release.label(output, row), score, ranked, truncated, fields, text.length)
            )
            records.append(AnsweredText(identifier, now, release, text, output, row, latency_ms, role))
        predicted = Predicted(release, role, answers)
        self.log.put(records)
        # Once the caller is answered.
        asyncio.get_running_loop().call_soon(self._note, task, texts, predicted, ended - started)
        return predicted

    def _note(self, task: str, texts: Sequence[str], predicted: Predicted, seconds: float) -> None:
        """What is to be known of a request that was answered."""
        release, role, answers = predicted.release, predicted.role, predicted.answers
        labels = [release.counted_label(one.label) for one in answers]
        self.metrics.predicted(task, release.version, role, labels, seconds)
        # Were the shadow asked for by its version, it would be compared with itself.
        if role in ("stable", "canary"):
            self._offer_shadow(task, texts, answers)

    async def _known_or_run(
        self,
        cache: AnswerCache,
        release: LoadedRelease,
        texts: Sequence[str],
        deadline: float,
        hung_up: Callable[[], Awaitable[object]] | None,
    ) -> tuple[list[EncodedText], list[Placed]]:
        """How each text was encoded, and where its answer lies; known ones are not run again."""
        known = [cache.find(release, text) for text in texts]
        new = [text for text, found in zip(texts, known, strict=True) if found is None]
        hits = len(texts) - len(new)
        self.metrics.cache_lookups.labels(release.task, "hit").inc(hits)
        self.metrics.cache_lookups.labels(release.task, "miss").inc(len(new))
        fresh: list[tuple[EncodedText, Placed]] = []
        if new:
            fresh = list(zip(*await self._run(release, new, deadline, hung_up), strict=True))
            for text, place in fresh:
                cache.keep(release, text, place)
        left = iter(fresh)
        pairs = [found or next(left) for found in known]
        return [text for text, _ in pairs], [place for _, place in pairs]

    async def _run(
        self,
        release: LoadedRelease,
        texts: Sequence[str],
        deadline: float,
        hung_up: Callable[[], Awaitable[object]] | None,
    ) -> tuple[list[EncodedText], list[Placed]]:
        begun = time.monotonic()
        self._scheduler.check_room(release.task)
        characters = sum(map(len, texts))
        if characters <= _INLINE_CHARS:
            encoded = release.encode(texts)
        else:
            encoded = await self._encoded(release, texts, characters, deadline)
        ticket = await self._scheduler.predict(release, encoded, deadline=deadline, hung_up=hung_up)
        if self.tracing is not None:
            _note_stages(begun, ticket, sum(len(text.ids) for text in encoded))
        if release.head.asks and len(rows := ticket.answers()) > _INLINE_WINDOWS:
            return encoded, await asyncio.to_thread(settle_all, release, encoded, rows)
        return encoded, settle_all(release, encoded, ticket.answers())

    async def _encoded(
        self, release: LoadedRelease, texts: Sequence[str], characters: int, deadline: float
    ) -> list[EncodedText]:
        # As with the queue, a request larger than the bound is served when nothing else waits.
        if self._encoding and self._encoding + characters > _ENCODING_CHARS:
            raise QueueFullError("All tasks together", _ENCODING_CHARS, "characters of long requests", 1)
        self._encoding += characters
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._encoder, _encode_in_time, release, texts, deadline
            )
        finally:
            self._encoding -= characters

    def _offer_shadow(self, task: str, texts: Sequence[str], answers: Sequence[Answered]) -> None:
        shadow = self.releases.shadow(task)
        if shadow is None:
            return
        release, version = shadow.release, shadow.release.version
        chosen = [place for place, text in enumerate(texts) if in_share(task, version, text, shadow.share)]
        if not chosen:
            return
        labels = [answers[place].label for place in chosen]

        def done(encoded: list[EncodedText], placed: list[Placed], seconds: float) -> None:
            now = time.time()
            records: list[AnsweredText] = []
            for text, place, label in zip(encoded, placed, labels, strict=True):
                found = release.label(place.output, place.row)
                outcome = "same" if found == label else "other"
                self.metrics.shadow_predictions.labels(task, version, outcome).inc()
                identifier = self._ids.make(task, now)
                latency_ms = 1000 * seconds / len(placed)
                records.append(
                    AnsweredText(identifier, now, release, text, place.output, place.row, latency_ms, "shadow")
                )
            self.log.put(records)

        if not self._scheduler.offer(ShadowWork(release, [texts[place] for place in chosen], done)):
            self.metrics.shadow_predictions.labels(task, version, "dropped").inc(len(chosen))

    async def feedback(self, task: str, items: Sequence[tuple[str, str]], *, deadline: float) -> int:
        """Returns once the (id, label) pairs are on disk: how many of the ids are of callers' own making.

        Ids that the service made prove themselves; those that callers made are taken on trust, and count once there is
        a prediction of that id. Raises PredictionUnknownError and what `FeedbackLog.append` raises.
        """
        own = [(index, identifier) for index, (identifier, _) in enumerate(items) if id_problem(identifier) is not None]
        unknown = [(index, identifier) for index, identifier in own if not self._ids.verify(task, identifier)]
        if unknown:
            raise PredictionUnknownError(task, unknown)
        await self._feedback.append(task, items, time.time(), deadline=deadline)
        self.metrics.feedback.labels(task).inc(len(items))
        return len(items) - len(own)


def _encode_in_time(release: LoadedRelease, texts: Sequence[str], deadline: float) -> list[EncodedText]:
    if time.monotonic() >= deadline:
        raise DeadlineError
    return release.encode(texts)


def _note_stages(begun: float, ticket: Ticket, tokens: int) -> None:
    trace = TRACE.get()
    if trace is not None:
        trace.task, trace.release, trace.texts = ticket.release.task, ticket.release.version, len(ticket.placed)
        trace.caller = CALLER.get()
        trace.stage("tokenize", begun, ticket.arrived, tokens=tokens)
        trace.stage("queue", ticket.arrived, ticket.run_started)
        trace.stage("run", ticket.run_started, time.monotonic())
