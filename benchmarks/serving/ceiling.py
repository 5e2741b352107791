"""The ceiling: onnxruntime in one process, without a server, over the same texts.

`python -m benchmarks.serving.ceiling RELEASE` reads texts as a JSON list from the first line of standard input, and
tries all ways to run them: one run on all cores or one run on each, batch sizes, spinning or not. It writes which way
was best for many texts and which for a text alone, and then, for each further line, what those ways find now: a
`CeilingTurn`, as JSON. So a server can take turns with it, and whichever way was lucky once is measured again.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from contracts.onnx_sessions import SLOW_FUSIONS
from contracts.release import MANIFEST_FILE, MODEL_FILE, TOKENIZER_FILE

_runtime: Any = onnxruntime  # its type information does not say what the package exports
_BATCHES = (4, 16, 64)
# The best way is looked for with every third text.
_TRIED = 3
_ALONE = 300

Feed = dict[str, npt.NDArray[np.int64]]


@dataclass(frozen=True)
class CeilingTurn:
    """What the model can do on this machine, now."""

    texts_per_second: float  # in length-sorted batches
    cpu_ms: float  # a text of these
    one_text_ms: float  # tokenize and run, median


@dataclass(frozen=True)
class _Way:
    """One of the ways to use the cores."""

    threads: int
    runs: int
    spinning: bool

    def __str__(self) -> str:
        return f"{self.runs} runs of {self.threads} threads{', spinning' if self.spinning else ''}"


class Ceiling:
    """A release's network, and texts to run."""

    def __init__(self, release: Path, texts: Sequence[str]) -> None:
        manifest = json.loads((release / MANIFEST_FILE).read_text(encoding="utf-8"))
        self._tokenizer = Tokenizer.from_file(str(release / TOKENIZER_FILE))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(manifest["max_tokens"])
        self._types = bool(manifest["token_type_ids"])
        self._rows = sorted((encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))), key=len)
        self._texts = texts[:_ALONE]
        cores = len(os.sched_getaffinity(0))
        ways = (_Way(1, cores, False), _Way(cores, 1, False), _Way(cores, 1, True))
        self._sessions = {
            way: _session(release / MODEL_FILE, way.threads, spinning=way.spinning) for way in dict.fromkeys(ways)
        }
        tried = self._rows[::_TRIED]
        self._many_way, self._size = max(
            ((way, size) for way in self._sessions for size in _BATCHES),
            key=lambda one: self._many(one[0], one[1], tried)[0],
        )
        self._one_way = min(self._sessions, key=self._one)

    def ways(self) -> dict[str, str]:
        """Those that were best."""
        return {"many": f"{self._many_way}, batches of {self._size}", "one": str(self._one_way)}

    def turn(self) -> CeilingTurn:
        """Measured now."""
        rate, cpu = self._many(self._many_way, self._size, self._rows)
        return CeilingTurn(rate, cpu, self._one(self._one_way))

    def _many(self, way: _Way, size: int, rows: Sequence[list[int]]) -> tuple[float, float]:
        """Texts a second, and milliseconds of CPU a text."""
        session = self._sessions[way]
        feeds = [_feed(rows[first : first + size], self._types) for first in range(0, len(rows), size)]
        with ThreadPoolExecutor(way.runs) as pool:
            list(pool.map(lambda feed: session.run(["logits"], feed), feeds[: 4 * way.runs]))
            started, cpu = time.perf_counter(), time.process_time()
            list(pool.map(lambda feed: session.run(["logits"], feed), feeds))
            seconds = time.perf_counter() - started
        return len(rows) / seconds, 1000 * (time.process_time() - cpu) / len(rows)

    def _one(self, way: _Way) -> float:
        """Median milliseconds of one text, one after the other."""
        taken: list[float] = []
        for text in self._texts:
            started = time.perf_counter()
            self._sessions[way].run(["logits"], _feed([self._tokenizer.encode(text).ids], self._types))
            taken.append(1000 * (time.perf_counter() - started))
        return float(np.median(taken[len(taken) // 10 :]))


def _session(model: Path, threads: int, *, spinning: bool) -> Any:
    options = _runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    # For all threads, since the first session is made before any other thread.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return _runtime.InferenceSession(
        str(model), options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW_FUSIONS
    )


def _feed(rows: Sequence[list[int]], types: bool) -> Feed:
    width = max(map(len, rows))
    ids = np.array([row + [0] * (width - len(row)) for row in rows], dtype=np.int64)
    mask = (np.arange(width) < np.array([[len(row)] for row in rows])).astype(np.int64)
    return {"input_ids": ids, "attention_mask": mask} | ({"token_type_ids": np.zeros_like(ids)} if types else {})


def main() -> None:
    """Texts in, ways out; then a turn for each line."""
    ceiling = Ceiling(Path(sys.argv[1]), json.loads(sys.stdin.readline()))
    print(json.dumps(ceiling.ways()), flush=True)
    for _ in sys.stdin:
        print(json.dumps(asdict(ceiling.turn())), flush=True)


if __name__ == "__main__":
    main()
