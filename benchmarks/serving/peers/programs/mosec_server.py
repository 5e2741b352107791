"""mosec with one stage, batched."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import orjson

from benchmarks.serving.peers.programs.model import Answer, Model, Settings

if TYPE_CHECKING:
    # The checker's environment does not hold this library; this is what is used of it.
    class Worker:
        pass

    class Server:
        def append_worker(self, worker: type[Worker], *, num: int, max_batch_size: int, max_wait_time: int) -> None: ...
        def run(self) -> None: ...
else:
    from mosec import Server, Worker

SETTINGS = Settings.from_environment()


class Classifier(Worker):
    """Loads the model in each worker process."""

    def __init__(self) -> None:
        super().__init__()
        self._model = Model(SETTINGS)

    def deserialize(self, data: bytes) -> Any:
        """orjson, as mosec's documentation suggests for speed."""
        return orjson.loads(data)

    def serialize(self, data: Answer) -> bytes:
        """The same, the other way."""
        return orjson.dumps(data)

    def forward(self, data: list[dict[str, str]]) -> list[Answer]:
        """A batch of requests."""
        return self._model.classify([request["text"] for request in data])


class SingleClassifier(Classifier):
    """mosec hands over one request, not a list, when batches are of one."""

    def forward(self, data: Any) -> Any:
        """One request."""
        return self._model.classify([data["text"]])[0]


if __name__ == "__main__":
    # mosec reads its port, and more, from the command line.
    sys.argv[1:] = ["--port", str(SETTINGS.port), "--log-level", "warning", "--timeout", "30000"]
    server = Server()
    server.append_worker(
        Classifier if SETTINGS.batch > 1 else SingleClassifier,
        num=SETTINGS.workers,
        max_batch_size=SETTINGS.batch,
        max_wait_time=int(SETTINGS.wait_ms),
    )
    server.run()
