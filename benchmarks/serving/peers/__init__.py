"""Servers that a team would take instead of Perennial, each tuned as its documentation says.

Two of them run with batches and without, since neither is best under every load.
"""

from __future__ import annotations

from benchmarks.serving.peers.bentoml import BENTOML
from benchmarks.serving.peers.fastapi import FASTAPI, FASTAPI_BATCHED
from benchmarks.serving.peers.infinity import INFINITY
from benchmarks.serving.peers.litserve import LITSERVE
from benchmarks.serving.peers.mlserver import MLSERVER
from benchmarks.serving.peers.mosec import MOSEC, MOSEC_BATCHED
from benchmarks.serving.peers.peer import Peer
from benchmarks.serving.peers.ray import RAY

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (BENTOML, FASTAPI, FASTAPI_BATCHED, LITSERVE, MOSEC, MOSEC_BATCHED, MLSERVER, RAY, INFINITY)
}
