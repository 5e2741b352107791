"""The controller: alerts become decisions, decisions become jobs, and jobs become releases that serve, or do not.

Everything it knows is on disk. It can be killed at any moment and started again, and carries on.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from contracts.errors import PerennialError, SettingsError
from contracts.home import Home
from controller.gauges import ControllerMetrics
from controller.jobs import JobRunner, ProcessRunner
from controller.reconcile import Reconciler
from controller.record import DecisionRecord
from controller.server import build_app
from controller.settings import ControllerSettings

# Longer than ending a job by force takes, which a look may have to wait for.
_SILENCE_SECONDS = 60.0

logger = logging.getLogger(__name__)


def serve(home: Home, settings: ControllerSettings) -> int:
    """Run until SIGINT or SIGTERM; returns the exit code. Raises SettingsError when the port cannot be had."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise SettingsError(
            "PERENNIAL_CONTROLLER_PORT",
            f"{settings.host}:{settings.port}",
            f"an address that is free ({error.strerror})",
        ) from error
    with listener:
        runner = _runner(home, settings)
        asyncio.run(_run(home, settings, runner, listener))
    return 0


async def _run(home: Home, settings: ControllerSettings, runner: JobRunner, listener: socket.socket) -> None:
    metrics = ControllerMetrics()
    reconciler = Reconciler(home, settings, runner, time.time, lambda decision: _announce(decision, metrics))
    loop = _Loop(reconciler, metrics, settings.reconcile_seconds)
    app = build_app(home, metrics, now=time.time, wake=loop.wake.set, trouble=loop.trouble)
    server = _Server(
        uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=5)
    )

    def stop() -> None:
        server.should_exit = True
        loop.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    logger.info("Controller of %s listens on http://%s:%d", home.root, *listener.getsockname()[:2])
    reconciling = asyncio.create_task(loop.run())
    # Alerts that nobody acts on must not be accepted: a defect in the loop ends the program, loudly, below.
    reconciling.add_done_callback(lambda _: stop())
    await server.serve(sockets=[listener])
    loop.stop()
    await reconciling
    await asyncio.to_thread(reconciler.stop)
    logger.info("Controller stopped.")


class _Server(uvicorn.Server):
    """uvicorn would raise the signal again once it has stopped, which would skip ending the job."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Loop:
    """Steps every few seconds, and at once when woken."""

    def __init__(self, reconciler: Reconciler, metrics: ControllerMetrics, seconds: float) -> None:
        self._reconciler = reconciler
        self._metrics = metrics
        self._seconds = seconds
        self._stopping = False
        self._problem = "The first look at the open requests is not done yet."
        self._looked = time.monotonic()
        self.wake = asyncio.Event()

    def stop(self) -> None:
        self._stopping = True
        self.wake.set()

    def trouble(self) -> str:
        """Why the open requests are not looked after, or nothing."""
        silent = time.monotonic() - self._looked
        if silent > _SILENCE_SECONDS + self._seconds:
            return f"The open requests were last looked at {silent:.0f} seconds ago."
        return self._problem

    async def run(self) -> None:
        while not self._stopping:
            self.wake.clear()
            try:
                running = await asyncio.to_thread(self._reconciler.step)
            except (PerennialError, OSError) as error:
                self._problem = str(error)
                logger.warning("The open requests cannot be looked at: %s", error)
            else:
                self._problem = ""
                self._metrics.show_running(self._reconciler.home.tasks(), running)
            self._looked = time.monotonic()
            if not self._stopping:
                try:
                    await asyncio.wait_for(self.wake.wait(), self._seconds)
                except TimeoutError:
                    continue


def _announce(decision: DecisionRecord, metrics: ControllerMetrics) -> None:
    metrics.count_decision(decision.task, decision.action)
    logger.info("Task %s: %s (%s). %s", decision.task, decision.action, decision.kind, decision.reason)


def _runner(home: Home, settings: ControllerSettings) -> JobRunner:
    return RUNNERS[settings.runner](home, settings)


def _process_runner(home: Home, settings: ControllerSettings) -> JobRunner:
    return ProcessRunner(home, settings.job_command)


def _kubernetes_runner(home: Home, settings: ControllerSettings) -> JobRunner:
    # The client takes a second to import, and one machine has no use for it.
    from controller.kubernetes_jobs import KubernetesRunner

    return KubernetesRunner.in_cluster(home, settings)


RUNNERS = {"process": _process_runner, "kubernetes": _kubernetes_runner}
