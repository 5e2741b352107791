"""Whose requests a trial gets. Pure: the same caller always gets the same answer to that."""

from __future__ import annotations

from hashlib import blake2b

_RANGE = float(1 << 64)


def in_share(task: str, version: str, key: str, share: float) -> bool:
    """Whether a key belongs to a share (0..1) of all keys: always the same ones, and more of them for a larger share.

    Task and version take part, so that successive trials fall on different callers. No state is kept: every worker and
    every pod decides alike.
    """
    # A cheaper checksum would not do: CRCs of one key under two versions differ by a constant, so that whole groups of
    # callers would get every canary, and others none.
    content = f"{task}/{version}/{key}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big") < share * _RANGE


def told_share(share: float) -> str:
    """A share (0..1) as the log says it, before "of the callers"."""
    return "all" if share >= 1 else f"{100 * share:.4g} %"
