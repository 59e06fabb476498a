"""The golden vectors of what is signed are what their generator writes."""

from __future__ import annotations

import json

from tests.contracts.build_vectors import VECTORS, build


def test_the_committed_vectors_are_the_generated_ones() -> None:
    """Signatures are deterministic, so that the file can be built again bit by bit."""
    assert json.loads(VECTORS.read_text()) == build()
