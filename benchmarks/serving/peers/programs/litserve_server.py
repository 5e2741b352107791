"""LitServe with a batched API."""

import os
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from benchmarks.serving.peers.programs.model import Answer, Model, Settings

if TYPE_CHECKING:
    # The checker's environment does not hold this library; this is what is used of it.
    class LitAPI:
        def __init__(self, *, max_batch_size: int = 1, batch_timeout: float = 0) -> None: ...

    class LitServer:
        def __init__(self, api: LitAPI, *, accelerator: str, workers_per_device: int, fast_queue: bool) -> None: ...
        def run(self, **options: Any) -> None: ...
else:
    from litserve import LitAPI, LitServer

SETTINGS = Settings.from_environment()


class Classifier(LitAPI):
    """One copy of the model a worker."""

    def setup(self, device: str) -> None:
        """Load the model."""
        self._model = Model(SETTINGS)

    def decode_request(self, request: Request) -> str:
        """The text of a request. LitServe parses what is annotated so, and hands over its JSON."""
        body: Any = request
        return str(body["text"])

    def batch(self, inputs: list[str]) -> list[str]:
        """Texts stay a list: the tokenizer makes arrays of them."""
        return inputs

    def predict(self, texts: list[str] | str) -> list[Answer] | Answer:
        """A batch, or one text where batches are of one."""
        return self._model.classify([texts])[0] if isinstance(texts, str) else self._model.classify(texts)

    def unbatch(self, output: list[Answer]) -> list[Answer]:
        """One answer a text already."""
        return output

    def encode_response(self, output: Answer) -> Answer:
        """FastAPI makes it JSON."""
        return output


if __name__ == "__main__":
    api = Classifier(max_batch_size=SETTINGS.batch, batch_timeout=SETTINGS.wait_ms / 1000)
    server = LitServer(
        api,
        accelerator="cpu",
        workers_per_device=SETTINGS.workers,
        fast_queue=os.environ["LITSERVE_FAST_QUEUE"] == "1",
    )
    server.run(
        host="127.0.0.1",
        port=SETTINGS.port,
        num_api_servers=int(os.environ["LITSERVE_API_SERVERS"]),
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )
