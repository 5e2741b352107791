"""MLServer with a runtime of ours, whose requests its adaptive batching joins."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.serving.peers.programs.model import Model, Settings

if TYPE_CHECKING:
    # The checker's environment does not hold this library; this is what is used of it.
    InferenceResponse: Any
    NumpyCodec: Any
    StringCodec: Any
    mlserver: Any

    class MLModel:
        name: str
else:
    from mlserver import MLModel
    from mlserver.cli import main as mlserver
    from mlserver.codecs import NumpyCodec, StringCodec
    from mlserver.types import InferenceResponse


class Classifier(MLModel):
    """One copy of the model a worker."""

    async def load(self) -> bool:
        """Load the model."""
        self._model = Model(Settings.from_environment())
        return True

    async def predict(self, payload: Any) -> Any:
        """A batch: its texts are in the first input, its labels and scores in two outputs."""
        texts = StringCodec.decode_input(payload.inputs[0])
        answers = await asyncio.to_thread(self._model.classify, texts)
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                StringCodec.encode_output("label", [answer["label"] for answer in answers]),
                NumpyCodec.encode_output("score", np.array([[answer["score"]] for answer in answers])),
            ],
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Write MLServer's two settings files, then do as `mlserver start` does."""
    settings = Settings.from_environment()
    folder = Path(tempfile.mkdtemp(prefix="peer-mlserver-"))
    server = {
        "debug": False,
        "host": "127.0.0.1",
        "http_port": settings.port,
        "grpc_port": _free_port(),
        "metrics_endpoint": None,
        "gzip_enabled": False,
        "parallel_workers": int(os.environ["MLSERVER_WORKERS"]),
    }
    model = {
        "name": "classifier",
        "implementation": f"{__spec__.name}.Classifier" if __spec__ else "",
        "max_batch_size": settings.batch if settings.batch > 1 else 0,
        "max_batch_time": settings.wait_ms / 1000,
    }
    (folder / "settings.json").write_text(json.dumps(server), encoding="utf-8")
    (folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    os.chdir(folder)
    sys.argv[1:] = ["start", str(folder)]
    mlserver()


if __name__ == "__main__":
    main()
