"""The whole way from rows to a release, with a tiny model."""

from __future__ import annotations

from contracts.home import Home
from contracts.release import Manifest
from contracts.release_store import verify_release


def test_data_becomes_a_release_that_verifies(trained: tuple[Home, Manifest]) -> None:
    home, manifest = trained
    assert verify_release(home, "support", manifest.version) == manifest
    assert manifest.metrics["accuracy"] > 0.8
