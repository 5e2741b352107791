"""Bytes of a data file to text: UTF-8 or an error that says what else it may be and how to convert it."""

from __future__ import annotations

import codecs
import re
import shlex
from pathlib import Path

from contracts.errors import DataError

_SHOWN = 5
_LINE_END = re.compile(rb"\r\n|\n|\r")


def read_utf8(path: Path) -> str:
    """The file's text, without a byte-order mark. Line ends are left as they are.

    Raises DataError when the file is missing, a folder, empty, in another encoding, in several, or binary.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(path, None, "no such file.", "Correct the path in [data] of the task file.") from error
    except IsADirectoryError as error:
        raise DataError(path, None, "is a folder.", "Name one file in [data] of the task file.") from error
    except OSError as error:
        raise DataError(path, None, f"cannot be read ({error.strerror}).", "Make it readable.") from error
    except ValueError as error:
        raise DataError(path, None, f"is no path ({error}).", "Correct the path in [data] of the task file.") from error
    if not content.strip():
        raise DataError(path, None, "the file is empty.", "Export the data again.")
    return decode(path, content)


def lines_of(content: str) -> list[str]:
    """The lines as an editor shows them: they end with a line feed, a carriage return, or both."""
    return content.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def decode(path: Path, content: bytes) -> str:
    """Decode UTF-8 with or without a byte-order mark; raises DataError at the line of the first bad byte."""
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if utf16 or (content.count(0) > len(content) // 4):
        guess = "UTF-16" if utf16 else ("UTF-16LE" if content[1:2] == b"\0" else "UTF-16BE")
        raise DataError(path, 1, f"expected UTF-8, found what looks like {guess}.", _convert(path, guess))
    if (position := content.find(0)) >= 0:
        raise DataError(
            path, _line_at(content, position), "expected text, found a NUL byte.", "Export the data as UTF-8 again."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The codec counts from behind a byte-order mark.
        start = error.start + (len(codecs.BOM_UTF8) if content.startswith(codecs.BOM_UTF8) else 0)
        raise _not_utf8(path, content, start) from error


def _not_utf8(path: Path, content: bytes, start: int) -> DataError:
    """The error for bytes that are not UTF-8: is the whole file in another encoding, or only a part of it?"""
    utf8_lines = 0
    bad_lines: list[int] = []
    for number, line in enumerate(_LINE_END.split(content), start=1):
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
            utf8_lines += 1
        except UnicodeDecodeError:
            bad_lines.append(number)
    guess = _single_byte_guess(content if utf8_lines == 0 else content[start : start + 1])
    found = f"the byte 0x{content[start]:02X}, which looks like {guess}"
    first = _line_at(content, start)
    if utf8_lines == 0:
        return DataError(path, first, f"expected UTF-8, found {found}.", _convert(path, guess))
    listed = ", ".join(map(str, bad_lines[:_SHOWN])) + (", ..." if len(bad_lines) > _SHOWN else "")
    return DataError(
        path,
        first,
        f"mixed encodings: expected UTF-8 as in {utf8_lines} other lines, found {found} "
        f"(lines that are not UTF-8: {listed}; {len(bad_lines)} in all).",
        "Correct those lines in an editor, or convert the part that they came from before joining it to the rest: "
        f"iconv -f {guess} -t UTF-8 PART > PART.utf8",
    )


def _single_byte_guess(content: bytes) -> str:
    """Bytes 0x80-0x9F are punctuation in Windows-1252 and control characters in Latin-1."""
    if not re.search(rb"[\x80-\x9f]", content):
        return "ISO-8859-1"
    try:
        content.decode("cp1252")
    except UnicodeDecodeError:
        return "ISO-8859-1"
    return "CP1252"


def _line_at(content: bytes, position: int) -> int:
    return len(_LINE_END.findall(content[:position])) + 1


def _convert(path: Path, encoding: str) -> str:
    target = path.with_name(f"{path.stem}.utf8{path.suffix}")
    return f"Convert it: iconv -f {encoding} -t UTF-8 {shlex.quote(str(path))} > {shlex.quote(str(target))}"
