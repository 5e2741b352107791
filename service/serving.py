"""One worker's serving: releases, queue and logs put together. It knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Sequence

from contracts.release import Manifest
from service.errors import PredictionUnknownError
from service.feedback_log import FeedbackLog
from service.metrics import ServiceMetrics
from service.model import LoadedRelease
from service.prediction_ids import PredictionIds, load_key
from service.prediction_log import AnsweredText, PredictionLog, writer_name
from service.releases import Releases, TaskState
from service.scheduler import Scheduler
from service.settings import ServiceSettings, available_cores

# Texts above this many characters in one request are tokenized beside the event loop (about 1 ms of work).
_INLINE_CHARS = 5_000


class Serving:
    """Made and started on the event loop that it answers on."""

    def __init__(self, settings: ServiceSettings, metrics: ServiceMetrics) -> None:
        self.settings = settings
        self.metrics = metrics
        threads = settings.session_threads(available_cores())
        self.releases = Releases(settings.home, threads=threads, poll_seconds=settings.poll_seconds, metrics=metrics)
        self._scheduler = Scheduler(
            batch_tokens=settings.batch_tokens, queue_tokens=settings.queue_tokens, metrics=metrics
        )
        self._ids = PredictionIds(load_key(settings.home))
        writer = writer_name(socket.gethostname(), os.getpid(), lambda: secrets.token_hex(4))
        self.log = PredictionLog(settings.home, writer, settings.log_queue_bytes, metrics)
        self._feedback = FeedbackLog(settings.home, writer)

    def start(self) -> None:
        """Begin to follow releases and to write the log. Returns at once; releases are loaded meanwhile."""
        self.log.start()
        self.releases.start()

    async def stop(self) -> None:
        """Finish what was begun and flush the logs, within the drain bound."""
        bound = self.settings.drain_seconds
        await self._scheduler.stop()
        await self._feedback.stop()
        await asyncio.to_thread(self.log.stop, max(1.0, bound / 2))
        await asyncio.to_thread(self.releases.stop, 1.0)

    async def predict(self, release: LoadedRelease, texts: Sequence[str], started: float) -> list[dict[str, object]]:
        """Answers to checked texts, in their order. `started` is the request's monotonic start.

        Raises QueueFullError, StoppingError or ModelOutputError.
        """
        if sum(map(len, texts)) > _INLINE_CHARS:
            encoded = await asyncio.to_thread(release.encode, texts)
        else:
            encoded = release.encode(texts)
        placed = await self._scheduler.predict(release, encoded)
        now = time.time()
        latency_ms = 1000 * (time.monotonic() - started)
        answers: list[dict[str, object]] = []
        records: list[AnsweredText] = []
        for text, place in zip(encoded, placed, strict=True):
            identifier = self._ids.make(release.task, now)
            label = release.labels[int(place.output.indices[place.row])]
            score = round(float(place.output.scores[place.row]), 6)
            answers.append({"id": identifier, "label": label, "score": score})
            records.append(AnsweredText(identifier, now, release, text, place.output, place.row, latency_ms))
            self.metrics.predictions.labels(release.task, release.version, label).inc()
        self.log.put(records)
        return answers

    async def feedback(self, task: str, items: Sequence[tuple[str, str]]) -> None:
        """Returns once the (id, label) pairs are on disk. Raises PredictionUnknownError or LogWriteError."""
        unknown = [
            (index, identifier) for index, (identifier, _) in enumerate(items) if not self._ids.verify(task, identifier)
        ]
        if unknown:
            raise PredictionUnknownError(task, unknown)
        await self._feedback.append(task, items, time.time())
        self.metrics.feedback.labels(task).inc(len(items))

    def describe(self, state: TaskState) -> dict[str, object]:
        """A task as `GET /v1/models` lists it."""
        manifest = state.release.manifest if state.release else None
        return {
            "name": state.task,
            "kind": manifest.kind if manifest else None,
            "version": manifest.version if manifest else None,
            "state": state.state,
        }

    def describe_fully(self, state: TaskState) -> dict[str, object]:
        """A task as `GET /v1/models/{task}` shows it."""
        return {
            **self.describe(state),
            **_described(state.release.manifest if state.release else None),
            "previous": state.previous,
            "rollout": {"generation": state.rollout.generation, "stable": state.rollout.stable}
            if state.rollout
            else None,
            "problem": state.problem,
            "log_problem": self.log.problem,
        }


def _described(manifest: Manifest | None) -> dict[str, object]:
    if manifest is None:
        return {"labels": [], "limits": None, "metrics": {}, "created": None}
    limits = manifest.spec.limits
    return {
        "labels": list(manifest.labels),
        "limits": {
            "max_instances": limits.max_instances,
            "max_text_chars": limits.max_text_chars,
            "max_tokens": manifest.max_tokens,
        },
        "metrics": manifest.metrics,
        "created": manifest.created,
    }
