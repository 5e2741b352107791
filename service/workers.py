"""Several worker processes behind one socket: started, replaced when they die or hang, stopped together."""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

from service.access import ApiKeys
from service.heartbeat import Silence, beat_seconds, listen
from service.metrics import MULTIPROCESS_VARIABLE, forget_gauges, render_workers
from service.metrics_folder import metrics_folder
from service.metrics_server import metrics_served
from service.settings import VARIABLES, ServiceSettings

logger = logging.getLogger(__name__)

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STEADY_SECONDS = 10.0
_FIRST_PAUSE = 0.25
_LAST_PAUSE = 30.0
# Beside the drain bound, for flushing logs and leaving.
_LEAVE_SECONDS = 10.0


@dataclass
class _Worker:
    """One place; the process in it changes."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    # Its beats come from there, and its other end closes when this process ends in any way: by that the worker knows.
    channel: socket.socket | None = None
    silence: Silence = field(default_factory=Silence)
    started: float = 0.0
    pause: float = _FIRST_PAUSE
    start_at: float = 0.0  # monotonic

    def hang_up(self) -> None:
        """Close the channel."""
        if self.channel is not None:
            self.channel.close()
        self.channel = None


@dataclass(frozen=True)
class _Starter:
    """What every worker process is started with."""

    listening: socket.socket
    environment: dict[str, str]
    keys: ApiKeys
    folder: str

    def start(self, worker: _Worker) -> None:
        """A new process in the worker's place. Raises OSError."""
        own_end, worker_end = socket.socketpair()
        own_end.setblocking(False)
        try:
            # A file without a name: there may be more keys than a pipe or a variable holds.
            with worker_end, tempfile.TemporaryFile("w+", encoding="ascii", dir=self.folder) as keys:
                # Of a file that is gone or malformed by now: without them, a worker that dies could not come back.
                keys.write(self.keys.digests)
                keys.flush()
                keys.seek(0)
                inherited = (self.listening.fileno(), worker_end.fileno(), keys.fileno())
                command = [sys.executable, "-m", "service.worker", *map(str, (*inherited, worker.number))]
                # A group of its own: a Ctrl-C is for this process alone, which then stops the others in good order.
                worker.process = subprocess.Popen(command, pass_fds=inherited, env=self.environment, process_group=0)
        except OSError:
            own_end.close()
            raise
        worker.channel = own_end
        worker.silence = Silence()


def run_workers(settings: ServiceSettings, listening: socket.socket) -> None:
    """Blocks until SIGINT or SIGTERM. A worker that dies is replaced, later each time if it dies at once, and one
    that hangs is killed and replaced.

    Raises SettingsError when the port of the metrics cannot be listened on.
    """
    own_port = settings.metrics_port
    with (
        metrics_folder() as folder,
        _signals() as signals,
        metrics_served(settings.host, own_port, partial(render_workers, folder)) if own_port else nullcontext(),
    ):
        environment = {**os.environ, **settings.to_environment(), MULTIPROCESS_VARIABLE: folder}
        # Each worker is given the keys in a file; secrets go no further than this process.
        environment.pop(VARIABLES["api_keys"], None)
        root = str(Path(__file__).resolve().parents[1])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, environment.get("PYTHONPATH"))))
        keys = ApiKeys(settings.api_keys, settings.api_keys_file)
        workers = [_Worker(number) for number in range(settings.workers)]
        keys.start()
        try:
            starter = _Starter(listening, environment, keys, folder)
            _keep_running(workers, signals, starter, settings.heartbeat_seconds)
        finally:
            keys.stop()
            listening.close()
            _stop(workers, settings.drain_seconds + _LEAVE_SECONDS)


def _keep_running(workers: list[_Worker], signals: socket.socket, starter: _Starter, bound: float) -> None:
    looked = time.monotonic()
    while True:
        now = time.monotonic()
        passed, looked = now - looked, now
        for worker in workers:
            _listen_to(worker, passed, bound)
            if worker.process is not None and worker.process.poll() is not None:
                _note_death(worker, worker.process, now)
                forget_gauges(starter.folder, worker.number)
            if worker.process is None and now >= worker.start_at:
                worker.started = now
                try:
                    starter.start(worker)
                except OSError:
                    worker.pause = min(2 * worker.pause, _LAST_PAUSE)
                    worker.start_at = now + worker.pause
                    logger.exception("Worker %d cannot be started; tried again in %.2f s.", worker.number, worker.pause)
        pauses = [worker.start_at - now for worker in workers if worker.process is None]
        channels = [worker.channel for worker in workers if worker.channel is not None]
        # A signal ends the wait, also one that came meanwhile, and so does a beat.
        wait = max(0.0, min([*pauses, beat_seconds(bound)]))
        readable, _, _ = select.select([signals, *channels], [], [], wait)
        if signals in readable and any(number in _STOP_SIGNALS for number in signals.recv(4096)):
            return


def _listen_to(worker: _Worker, passed: float, bound: float) -> None:
    if worker.process is None or worker.channel is None:
        return
    heard = listen(worker.channel)
    worker.silence.passed(passed, bound)
    if heard:
        worker.silence.heard()
    if heard is None:
        worker.hang_up()
    elif worker.silence.too_long(bound):
        logger.error(
            "Worker %d (process %d) gave no sign of life for %.0f s: it is stopped or hangs, and is killed.",
            *(worker.number, worker.process.pid, worker.silence.seconds),
        )
        worker.silence = Silence()
        worker.process.kill()


def _note_death(worker: _Worker, process: subprocess.Popen[bytes], now: float) -> None:
    steady = now - worker.started >= _STEADY_SECONDS
    worker.pause = _FIRST_PAUSE if steady else min(2 * worker.pause, _LAST_PAUSE)
    worker.start_at = now + worker.pause
    worker.process = None
    worker.hang_up()
    logger.error(
        "Worker %d (process %d) ended with code %d; another is started in %.2f s.",
        *(worker.number, process.pid, process.returncode, worker.pause),
    )


def _stop(workers: list[_Worker], seconds: float) -> None:
    processes = [worker.process for worker in workers if worker.process is not None]
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + seconds
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.exception("Worker process %d did not stop within %.0f s and is killed.", process.pid, seconds)
            process.kill()
            process.wait()
    for worker in workers:
        worker.hang_up()


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """From which the numbers of SIGINT, SIGTERM and SIGCHLD are read, one byte each, instead of their usual effects."""
    own_end, written_end = socket.socketpair()
    written_end.setblocking(False)
    earlier = signal.set_wakeup_fd(written_end.fileno(), warn_on_full_buffer=False)
    # A handler is needed for the byte to be written; anything that it did could meet the wait in an unfit moment.
    before = {number: signal.signal(number, _do_nothing) for number in (*_STOP_SIGNALS, signal.SIGCHLD)}
    try:
        yield own_end
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(earlier)
        own_end.close()
        written_end.close()


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """See `_signals`."""
