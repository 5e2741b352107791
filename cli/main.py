"""The command `perennial`: finds the verb, runs it, and turns its errors into a message and an exit code.

Exit codes: 0 done; 1 it could not be done (the message says why); 2 the command line is wrong;
3 a gate or a check refused; 130 interrupted, which a Ctrl-C is not to the programs that run until they are stopped.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence

from cli.console import print_error
from cli.parent import stop_with_parent
from contracts.errors import GateRefusedError, PerennialError

VERBS = {
    "data": "report on a task's data before anything is trained on it",
    "train": "train a task from its TOML file and publish a release",
    "tune": "search for the settings with which a task trains best",
    "serve": "serve the released models over HTTP",
    "monitor": "watch the prediction log for drift",
    "controller": "answer alerts: retrain, check, promote",
    "up": "serve, monitor and controller together on this machine",
    "replay": "send a file of texts as traffic, with feedback",
    "releases": "list, show, promote or roll back releases",
    "status": "one page: what serves, the latest verdict, the latest decision",
}

EXIT_CODES: dict[type[PerennialError], int] = {GateRefusedError: 3, PerennialError: 1}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    verb = next((word for word in arguments if not word.startswith("-")), None)
    parser = argparse.ArgumentParser(
        prog="perennial",
        description="Keeps small language models fresh in production.",
        epilog="`perennial VERB --help` explains a verb. Files live under PERENNIAL_HOME (default: perennial-home).",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, purpose in VERBS.items():
        subparser = verbs.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
        if name == verb:
            importlib.import_module(f"cli.{name}").configure(subparser)
    options = parser.parse_args(arguments)
    stop_with_parent(os.environ)
    try:
        return int(importlib.import_module(f"cli.{options.verb}").run(options))
    except PerennialError as error:
        print_error(str(error))
        return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
    except BrokenPipeError:
        # The reader of our output (such as `head`) has gone; there is nobody left to tell.
        sys.stderr.close()
        return 0
    except OSError as error:
        # What the file system refuses: a full disk, a folder that may not be written.
        where = f" ({error.filename})" if error.filename else ""
        remedy = "Free space or correct the permissions, then run it again."
        print_error(f"The system refused: {error.strerror or error}{where}. {remedy}")
        return 1
    except KeyboardInterrupt:
        again = " The same command goes on from the last step that was kept." if options.verb == "train" else ""
        print_error(f"Interrupted.{again}")
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
