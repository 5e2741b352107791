"""How the command prints: tables that line up, colours on a terminal only, JSON for machines."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH_WITHOUT_TERMINAL = 160


def console() -> Console:
    """Standard output; NO_COLOR is honoured by rich."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=_WIDTH_WITHOUT_TERMINAL)


def print_error(message: str) -> None:
    """One error, on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text.assemble(("error: ", "bold red"), message))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> None:
    """A table without frames; `right` names the columns that are aligned to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)


def print_fields(fields: Mapping[str, str]) -> None:
    """Name and value, one a line, lined up."""
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        console().print(Text.assemble((f"{name:<{width}}  ", "dim"), value), soft_wrap=True)


def print_line(message: str) -> None:
    """Plain text; nothing in it is taken for markup."""
    console().print(Text(message), soft_wrap=True)


def print_json(value: Any) -> None:
    """For machines: one JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def when(seconds: float) -> str:
    """Seconds since the epoch as a readable UTC time."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def add_common(parser: argparse.ArgumentParser, *, json_output: bool = False) -> None:
    """The options that all verbs share."""
    parser.add_argument("--home", metavar="DIR", help="where releases, logs and reports live (default: PERENNIAL_HOME)")
    if json_output:
        parser.add_argument("--json", action="store_true", help="print JSON for machines")
