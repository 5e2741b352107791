"""Prediction ids that prove themselves: feedback on an id that was never answered is refused without a lookup.

An id is 26 characters of Crockford's base 32, sortable by time: 42 bits of milliseconds since the epoch (until the
year 2109), 40 bits that count from a random start, and 48 bits of keyed BLAKE2b over the task and the rest.
"""

from __future__ import annotations

import os
import secrets
import uuid
from hashlib import blake2b
from itertools import count
from pathlib import Path

from contracts.errors import PerennialError
from contracts.files import sync_folder
from contracts.home import Home

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_LENGTH = 26
_SHIFTS = tuple(range(120, -1, -10))
_NONCE_BITS = 40
_MAC_BITS = 48
_PAYLOAD_BYTES = 11
_KEY_BYTES = 32


class IdKeyError(PerennialError):
    """The key that signs prediction ids cannot be used."""


class PredictionIds:
    """Makes and checks the ids of all tasks with one key. Several workers with the same key know each other's."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        # A count never repeats within a process; its random start keeps processes apart.
        self._next = count(secrets.randbits(_NONCE_BITS)).__next__

    def make(self, task: str, now: float) -> str:
        """A new id; `now` is in seconds since the epoch."""
        payload = (int(now * 1000) << _NONCE_BITS) | (self._next() & ((1 << _NONCE_BITS) - 1))
        number = (payload << _MAC_BITS) | self._mac(task, payload)
        return "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])

    def verify(self, task: str, identifier: str) -> bool:
        """Whether `make` of a holder of this key made the id for this task."""
        if len(identifier) != _LENGTH:
            return False
        number = 0
        for character in identifier:
            value = _VALUES.get(character)
            if value is None:
                return False
            number = (number << 5) | value
        payload, mac = number >> _MAC_BITS, number & ((1 << _MAC_BITS) - 1)
        return secrets.compare_digest(
            mac.to_bytes(_MAC_BITS // 8, "big"), self._mac(task, payload).to_bytes(_MAC_BITS // 8, "big")
        )

    def _mac(self, task: str, payload: int) -> int:
        signed = blake2b(
            payload.to_bytes(_PAYLOAD_BYTES, "big") + task.encode(), key=self._key, digest_size=_MAC_BITS // 8
        )
        return int.from_bytes(signed.digest(), "big")


def load_key(home: Home) -> bytes:
    """The home's key, made by whichever process asks first; readable by its owner alone.

    Raises IdKeyError when it cannot be made or is damaged.
    """
    path = home.service() / "id.key"
    try:
        if not path.exists():
            _create(path)
        key = path.read_bytes()
    except OSError as error:
        raise IdKeyError(
            f"{path}: expected to be readable, or to be made in a writable folder; found: {error}. "
            "Give the service's user access to PERENNIAL_HOME, or free space."
        ) from error
    if len(key) != _KEY_BYTES:
        raise IdKeyError(
            f"{path}: expected {_KEY_BYTES} bytes, found {len(key)}. Restore it from a copy, or delete it: "
            "a new one is made, and feedback on predictions answered before is refused."
        )
    return key


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link fails where the name is taken, so the first process wins and no key is ever replaced.
            path.hardlink_to(staged)
        except FileExistsError:
            return
    finally:
        staged.unlink(missing_ok=True)
    sync_folder(path.parent)
