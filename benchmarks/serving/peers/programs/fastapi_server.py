"""FastAPI in front of a model: a batch is what waits when the thread that runs the model is free again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from benchmarks.serving.peers.programs.model import Answer, Model, Settings

if TYPE_CHECKING:
    # The checker's environment does not hold this library; this is what is used of it.
    _Route = TypeVar("_Route")

    class FastAPI:
        def __init__(self, *, lifespan: Callable[[FastAPI], Any]) -> None: ...
        def get(self, path: str) -> Callable[[_Route], _Route]: ...
        def post(self, path: str) -> Callable[[_Route], _Route]: ...
else:
    from fastapi import FastAPI

SETTINGS = Settings.from_environment()


class Text(BaseModel):
    """A request."""

    text: str


class Batcher:
    """Runs one batch at a time on a thread of its own; starts at once when idle."""

    def __init__(self, model: Model, limit: int) -> None:
        self._model = model
        self._limit = limit
        self._thread = ThreadPoolExecutor(1)
        self._waiting: deque[tuple[str, asyncio.Future[Answer]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def classify(self, text: str) -> Answer:
        """The answer to one text."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((text, answer))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self._limit, len(self._waiting)))]
            run = loop.run_in_executor(self._thread, self._model.classify, [text for text, _ in batch])
            await asyncio.wait([run])
            error = run.exception()
            for number, (_, answer) in enumerate(batch):
                if answer.done():
                    continue  # who asked has gone
                if error is None:
                    answer.set_result(run.result()[number])
                else:
                    answer.set_exception(error)
        self._running = None


BATCHERS: list[Batcher] = []


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Load the model before the first request."""
    BATCHERS.append(Batcher(Model(SETTINGS), SETTINGS.batch))
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/ready")
async def ready() -> dict[str, bool]:
    """200 when the model is loaded."""
    return {"ready": True}


@app.post("/classify")
async def classify(request: Text) -> Answer:
    """The label of one text."""
    return await BATCHERS[0].classify(request.text)
