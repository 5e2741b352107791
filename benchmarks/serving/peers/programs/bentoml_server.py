"""`bentoml serve` of one batchable endpoint."""

from __future__ import annotations

import bentoml
from _bentoml_sdk.service import service

from benchmarks.serving.peers.programs.model import Answer, Model, Settings

SETTINGS = Settings.from_environment()


class _Classifier:
    def __init__(self) -> None:
        self._model = Model(SETTINGS)

    @bentoml.api(batchable=True, max_batch_size=SETTINGS.batch, max_latency_ms=int(SETTINGS.wait_ms))
    def classify(self, texts: list[str]) -> list[Answer]:
        """One answer a text."""
        return self._model.classify(texts)


# This is `bentoml.service`; under that name a type checker finds a module.
Classifier = service(
    name="classifier",
    workers=SETTINGS.workers,
    threads=1,
    traffic={"timeout": 60},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)(_Classifier)
