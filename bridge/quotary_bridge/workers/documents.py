"""
What a worker signed for many requests, as the document that is written down before it is sent.

Whoever holds it can commit the batch, and claim every answer of it: see docs/formats.md, "Batch".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from hashlib import sha256
from typing import Any, Self

from eth_abi.exceptions import DecodingError

from quotary_bridge.chain.contracts import (
    BatchCommitted,
    BatchOracle,
    Claim,
    ClaimedAnswer,
    RequestTerms,
)
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Address, Bytes32, ChainId, Timestamp, address_from
from quotary_bridge.workers.batches import (
    Answered,
    Batch,
    SignedBatch,
    Tree,
    batch_digest,
    leaf_of,
)
from quotary_bridge.workers.statement import signer_of

__all__ = ["PUSH_GAS", "PreparedBatch", "pieces"]

PUSH_GAS = 12_000_000
"""What one push may need, of the 2^24 that a transaction may have (EIP-7825)."""

CLAIM_GAS = 75_000
"""What one claim costs at most beside its output and its callback, first payments included."""

OUTPUT_BYTE_GAS = 40
CALLBACK_OVERHEAD = 60_000


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """What a worker signed, and the requests it answered, in the order of its answers."""

    chain_id: ChainId
    oracle: Address
    made: tuple[RequestTerms, ...]
    signed: SignedBatch

    def tree(self) -> Tree:
        """The tree of the answers."""
        return Tree(
            [
                leaf_of(
                    answer.request_id,
                    made.input_commitment,
                    Bytes32(sha256(answer.output).digest()),
                    answer.units,
                )
                for made, answer in zip(self.made, self.signed.answers, strict=True)
            ]
        )

    def commit(self, oracle: BatchOracle) -> bytes:
        """Return the call data of the commitment."""
        return oracle.commit(astuple(self.signed.batch), self.signed.signature)

    def place_of(self, request_id: Bytes32) -> int:
        """Return the place of a request among the answers; raises `KeyError`."""
        for place, answer in enumerate(self.signed.answers):
            if answer.request_id == request_id:
                return place
        raise KeyError(request_id)

    def as_json(self) -> str:
        """Return the document to write down; `from_json` reads it."""
        batch = {
            field.name: _shown(getattr(self.signed.batch, field.name)) for field in fields(Batch)
        }
        answers = [
            {"made": _shown(made.encode()), "output": _shown(said.output), "units": said.units}
            for made, said in zip(self.made, self.signed.answers, strict=True)
        ]
        document = {"chain_id": self.chain_id, "oracle": self.oracle, "batch": batch}
        document |= {"answers": answers, "signature": _shown(self.signed.signature)}
        return json.dumps(document, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """
        Read what `as_json` wrote; raises `ConfigurationError` where it is not that.

        The signature is checked over what was read, so a damaged file cannot be committed.
        """
        try:
            prepared = cls._read(json.loads(text))
        except (ValueError, KeyError, TypeError, DecodingError) as error:
            raise _no_batch(f"it cannot be read ({str(error)[:80]})") from error
        batch = prepared.signed.batch
        signer = signer_of(
            batch_digest(batch, prepared.chain_id, prepared.oracle), prepared.signed.signature
        )
        if not prepared.made or signer != batch.worker or prepared.tree().root != batch.root:
            raise _no_batch("its answers are not what its worker signed")
        return prepared

    @classmethod
    def _read(cls, document: Any) -> Self:  # noqa: ANN401 (JSON is anything)
        said = document["batch"]
        batch = Batch(
            app_id=_word(said["app_id"]),
            model_id=_word(said["model_id"]),
            weights_root=_word(said["weights_root"]),
            root=_word(said["root"]),
            count=int(said["count"]),
            key_epoch=int(said["key_epoch"]),
            policy_version=int(said["policy_version"]),
            worker=address_from(_bytes(said["worker"])),
            nonce=int(said["nonce"]),
            deadline=Timestamp(int(said["deadline"])),
        )
        chain_id = ChainId(int(document["chain_id"]))
        oracle = address_from(_bytes(document["oracle"]))
        made = tuple(RequestTerms.decode(_bytes(one["made"])) for one in document["answers"])
        answers = tuple(
            Answered(terms.request_id(chain_id, oracle), _bytes(one["output"]), int(one["units"]))
            for terms, one in zip(made, document["answers"], strict=True)
        )
        signed = SignedBatch(batch, answers, _bytes(document["signature"]))
        return cls(chain_id, oracle, made, signed)


def pieces(
    prepared: PreparedBatch, told: BatchCommitted, places: Iterable[int], most_gas: int = PUSH_GAS
) -> Iterator[list[tuple[int, ClaimedAnswer]]]:
    """Yield the answers at `places`, each with its place, in pieces of at most `most_gas` each."""
    tree = prepared.tree()
    piece: list[tuple[int, ClaimedAnswer]] = []
    gas = 0
    for place in places:
        made, answer = prepared.made[place], prepared.signed.answers[place]
        claim = Claim(told.batch_id, told.worker, told.operator, told.kind, answer.units)
        needed = _gas_of(made, answer.output)
        if piece and gas + needed > most_gas:
            yield piece
            piece, gas = [], 0
        found = ClaimedAnswer(made, claim, answer.output, tuple(tree.path(place)))
        piece.append((place, found))
        gas += needed
    if piece:
        yield piece


def _shown(value: bytes | str | int) -> str:
    # Numbers as text: a nonce has more digits than JSON keeps everywhere.
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _word(text: str) -> Bytes32:
    return Bytes32(_bytes(text))


def _no_batch(why: str) -> ConfigurationError:
    return ConfigurationError(
        Reason.CONFIGURATION_INVALID,
        f"the file is no batch: {why}",
        "give the file that `quotary batch answer` wrote",
    )


def _gas_of(made: RequestTerms, output: bytes) -> int:
    callback = made.callback_gas_limit
    extra = callback * 64 // 63 + CALLBACK_OVERHEAD if callback else 0
    return CLAIM_GAS + OUTPUT_BYTE_GAS * len(output) + extra
