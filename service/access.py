"""API keys: who may call. Kept as SHA-256 digests only, several at once; a file of them is followed as it changes."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from pathlib import Path

from service.errors import ApiKeysError, UnauthorizedError

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# Answered without a key: who watches over the service asks these. `/healthz` is BentoML's name of `/livez`.
OPEN_PATHS = frozenset({"/livez", "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"})
# Who called, in the task that answers; "" where everyone may.
CALLER: ContextVar[str] = ContextVar("caller", default="")

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SHORTEST, _LONGEST = 16, 512
# What a header can carry, and what a list in a variable can be split at.
_SECRET = re.compile(r"[!-+\--~]+")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_DIGEST_PREFIX = "sha256="
# Taken for a secret it would open to nobody, or to whoever knows the digest.
_ALMOST_DIGEST = re.compile(r"sha-?256[=: -]", re.IGNORECASE)
# What sha256sum writes behind the digits, two spaces or a space and an asterisk between.
_SUM_ENDS = ("-", "*-")
_SUM_END = "the - that sha256sum writes behind its 64 digits; the digits alone are wanted (| cut -d' ' -f1)"
_LARGEST_FILE = 2**20
_BEARER = b"bearer "

Keys = Mapping[bytes, str]  # digest of a secret -> name of its holder
Fingerprint = tuple[int, int, int]


def parse_keys(text: str, source: str) -> Keys:
    """Keys of `NAME:SECRET` or `NAME:sha256=HEX`, separated by commas or white space.

    `source` names the setting in errors. A name may have several secrets, as it does while they are rotated.
    Raises ApiKeysError, which never shows any part of an entry: it may be a secret that stands in the wrong place.
    """
    return _keys(enumerate(re.split(r"[,\s]+", text.strip(", \t\r\n")), 1), "entry", source)


def parse_key_lines(text: str, source: str) -> Keys:
    """The same from a file: one key a line; empty lines and lines that begin with # are passed over."""
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return _keys(((number, line) for number, line in lines if not line.startswith("#")), "line", source)


def format_keys(keys: Keys) -> str:
    """Text from which `parse_keys` makes the same keys again, without any secret."""
    return ",".join(f"{name}:{_DIGEST_PREFIX}{digest.hex()}" for digest, name in keys.items())


def read_keys(path: Path) -> Keys:
    """Keys of a file. Raises ApiKeysError or OSError."""
    with path.open("rb") as file:
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise ApiKeysError(str(path), f"the file is larger than {_LARGEST_FILE} bytes.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        # Without the cause: it holds the content.
        raise ApiKeysError(str(path), "the file is not UTF-8.") from None
    return parse_key_lines(text, str(path))


def _keys(entries: Iterable[tuple[int, str]], place: str, source: str) -> Keys:
    keys: dict[bytes, str] = {}
    secret = ""
    for number, entry in entries:
        if not entry:
            continue
        behind_digest = secret.startswith(_DIGEST_PREFIX)
        wrong = f"is {_SUM_END}" if behind_digest and entry in _SUM_ENDS else _wrong(entry)
        if wrong is not None:
            raise ApiKeysError(source, f"{place} {number} {wrong}.")
        name, _, secret = entry.partition(":")
        if keys.setdefault(_digest(secret), name) != name:
            raise ApiKeysError(source, f"{place} {number} has the secret of another name.")
    if not keys:
        raise ApiKeysError(source, "there is no key in it.")
    return keys


def _wrong(entry: str) -> str | None:
    """What is wrong with an entry, in words that hold nothing of it."""
    name, colon, secret = entry.partition(":")
    if not colon:
        return "has no colon (a comma or white space within a secret begins another entry)"
    if not name:
        return "has no name before its colon"
    if not _NAME.fullmatch(name):
        return "has a name of more than 64 characters, or of others than letters, digits, . _ and -"
    if not secret:
        return "has nothing behind its colon"
    if secret.startswith(_DIGEST_PREFIX):
        digits, space, rest = secret.removeprefix(_DIGEST_PREFIX).partition(" ")
        if not _DIGEST.fullmatch(digits):
            return f"has {_DIGEST_PREFIX}, but not 64 hexadecimal digits behind it"
        if rest.strip() in _SUM_ENDS:
            return f"ends in {_SUM_END}"
        return "has something behind its 64 hexadecimal digits" if space else None
    if _ALMOST_DIGEST.match(secret):
        return f"has a digest that does not begin with {_DIGEST_PREFIX}"
    if len(secret) < _SHORTEST:
        return f"has a secret of fewer than {_SHORTEST} characters"
    if len(secret) > _LONGEST:
        return f"has a secret of more than {_LONGEST} characters"
    if not _SECRET.fullmatch(secret):
        return "has a secret with a character that is a comma, invisible or not ASCII"
    return None


def _digest(secret: str) -> bytes:
    if secret.startswith(_DIGEST_PREFIX):
        return bytes.fromhex(secret.removeprefix(_DIGEST_PREFIX))
    return hashlib.sha256(secret.encode()).digest()


class ApiKeys:
    """Who may call. Without keys everyone may.

    `text` holds keys themselves (see `parse_keys`), `file` is followed from `start` to `stop`: new keys are in force
    about two seconds after it is written, and a file that cannot be used changes nothing but `problem`, of which
    `stale` is told. With both, those of `text` are what was read of the file before, and in force where it cannot be
    used from the start. Raises ApiKeysError when keys are wanted and there is none.
    """

    def __init__(
        self, text: str = "", file: Path | None = None, stale: Callable[[bool], object] = lambda _: None
    ) -> None:
        self.problem: str | None = None
        self._file = file
        self._stale = stale
        self._used = self._noticed = _fingerprint(file) if file else None
        self._keys: Keys | None = parse_keys(text, "PERENNIAL_API_KEYS") if text else None
        if file is not None:
            try:
                self._keys = _read(file)
            except ApiKeysError as error:
                if self._keys is None:
                    raise
                self._used = None
                self._tell(str(error))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="api-keys", daemon=True)

    def __repr__(self) -> str:
        return f"ApiKeys(names={self.names})"

    @property
    def digests(self) -> str:
        """The keys in force, as `format_keys` writes them; "" when everyone may call."""
        return format_keys(self._keys) if self._keys else ""

    @property
    def names(self) -> list[str]:
        """Of all who hold a key; none when everyone may call."""
        return sorted(set(self._keys.values())) if self._keys else []

    def caller(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The name of who calls, by the headers of an ASGI scope; "" when everyone may. Raises UnauthorizedError."""
        keys = self._keys
        if keys is None:
            return ""
        secret, other_scheme = b"", False
        for name, value in headers:
            if name == b"x-api-key":
                secret = value
                break
            if name == b"authorization":
                if value[:7].lower() == _BEARER:
                    secret = value[7:].strip()
                else:
                    other_scheme = True
        if not secret:
            raise UnauthorizedError(given=False, other_scheme=other_scheme)
        presented = hashlib.sha256(secret).digest()
        caller = None
        for digest, holder in keys.items():
            # Every key is compared, and each in constant time: how long this takes tells nothing.
            if hmac.compare_digest(digest, presented):
                caller = holder
        if caller is None:
            raise UnauthorizedError(given=True)
        return caller

    def start(self) -> None:
        """Follow the file, if there is one."""
        if self._file is not None:
            self._thread.start()

    def stop(self) -> None:
        """Stop following."""
        self._stopping.set()

    def look(self) -> None:
        """Look at the file once: taken when it has changed since it was read, and not since the look before."""
        if self._file is None:
            return
        seen = _fingerprint(self._file)
        settled = seen == self._noticed
        self._noticed = seen
        if seen == self._used or not settled:
            return
        self._used = seen
        try:
            keys = _read(self._file)
        except ApiKeysError as error:
            if isinstance(error.__cause__, OSError):
                # What cannot be read now may be readable later, without a change of the file.
                self._used = None
            self._tell(str(error))
            return
        self._keys = keys
        self.problem = None
        self._stale(False)
        logger.info("API keys of %s are in force, as %s has them now.", ", ".join(self.names), self._file)

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            logger.error("%s The keys that were read before, of %s, stay in force.", problem, ", ".join(self.names))
        self.problem = problem
        self._stale(True)

    def _follow(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            self.look()


def _read(path: Path) -> Keys:
    try:
        return read_keys(path)
    except OSError as error:
        raise ApiKeysError(str(path), f"the file cannot be read ({error.strerror or error}).") from error


def _fingerprint(path: Path) -> Fingerprint | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
