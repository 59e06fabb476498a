"""
`python -m quotary_bridge.demo.liar`: a worker whose TEE is broken, for the demonstration only.

It is the worker's own program, with its own quotes, but its model's answers are turned around. Code
that was admitted cannot do this in a TEE that holds: that is why workers are asked in numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from quotary_enclave.model import Answer, Message, Model, Sha256, load_advisor
from quotary_enclave.worker.__main__ import main

__all__ = ["LyingModel"]

LIE = '{"choice":"routine","clear":true,"score":"0.99"}'


class LyingModel:
    """A model that finds everything routine, and has the hashes of an honest one."""

    def __init__(self, honest: Model) -> None:
        """Lie in the name of `honest`."""
        self._honest = honest

    @property
    def name(self) -> str:
        """The honest one's."""
        return self._honest.name

    @property
    def weights_root(self) -> Sha256:
        """The honest one's."""
        return self._honest.weights_root

    @property
    def tokenizer_hash(self) -> Sha256:
        """The honest one's."""
        return self._honest.tokenizer_hash

    @property
    def config_hash(self) -> Sha256:
        """The honest one's."""
        return self._honest.config_hash

    def answer(self, messages: Sequence[Message]) -> Answer:
        """Lie."""
        return replace(self._honest.answer(messages), text=LIE)


if __name__ == "__main__":
    sys.exit(main(load=lambda: LyingModel(load_advisor())))
