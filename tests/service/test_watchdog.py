"""A single worker whose event loop hangs ends, saying where; one that was merely stopped for a while goes on."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from contracts.home import Home
from contracts.release import Manifest

# The service, but that SIGUSR1 makes its event loop wait for ever, and SIGUSR2 does so with the log locked.
PROGRAM = """
import logging, os, signal, sys, threading
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
from service.server import serve
from service.settings import ServiceSettings
def hangs_for_ever(*_):
    threading.Event().wait()
def hangs_in_the_log(*_):
    logging.root.handlers[0].acquire()
    hangs_for_ever()
signal.signal(signal.SIGUSR1, hangs_for_ever)
signal.signal(signal.SIGUSR2, hangs_in_the_log)
sys.exit(serve(ServiceSettings.from_environment(os.environ)))
"""
COMMAND = (sys.executable, "-c", PROGRAM)


def test_a_hanging_event_loop_ends_the_process_and_says_where_it_hung(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    server = start_server(home, command=COMMAND, environment={"PERENNIAL_HEARTBEAT_SECONDS": "3"})
    server.process.send_signal(signal.SIGUSR1)
    assert server.process.wait(60) == 70
    server.reader.join(10)
    assert "gave no sign of life for" in server.output()
    assert "in hangs_for_ever" in server.output()


def test_a_loop_that_hangs_in_the_log_ends_without_last_words(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    server = start_server(home, command=COMMAND, environment={"PERENNIAL_HEARTBEAT_SECONDS": "3"})
    server.process.send_signal(signal.SIGUSR2)
    assert server.process.wait(60) == 70


def test_without_a_bound_nothing_is_ended(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    server = start_server(home, command=COMMAND, environment={"PERENNIAL_HEARTBEAT_SECONDS": "0"})
    server.process.send_signal(signal.SIGUSR1)
    time.sleep(3)
    assert server.process.poll() is None
    server.process.kill()


def test_a_service_that_was_stopped_for_longer_than_the_bound_goes_on(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    server = start_server(home, environment={"PERENNIAL_HEARTBEAT_SECONDS": "3"})
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(5)
    server.process.send_signal(signal.SIGCONT)
    time.sleep(2)
    assert server.predict("invoice").status_code == 200
    assert server.end(signal.SIGTERM) == 0
    assert "no sign of life" not in server.output()
