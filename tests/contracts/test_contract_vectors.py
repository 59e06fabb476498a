"""The golden vectors of what is signed are what their generator writes."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import cast

from quotary import TeeType
from quotary.journal import measurement_id
from quotary_bridge.chain.contracts import Model
from quotary_bridge.chain.contracts.profiles import Profile
from quotary_bridge.model import Bytes32
from quotary_enclave.model import Model as MeasuredModel
from quotary_enclave.worker.statements import model_id_of

from tests.contracts.build_vectors import VECTORS, build
from tests.contracts.dcap import build_vectors as dcap

_CONTENT = ("weightsRoot", "tokenizerHash", "configHash")


def test_the_committed_vectors_are_the_generated_ones() -> None:
    """Signatures are deterministic, so that the file can be built again bit by bit."""
    assert json.loads(VECTORS.read_text()) == build()
    assert json.loads(dcap.VECTORS.read_text()) == dcap.build()


def test_both_packages_find_the_ids_of_the_golden_models() -> None:
    """The worker measures a model, the bridge reads of it: one id for all."""
    for golden in json.loads(VECTORS.read_text())["models"]:
        content = [bytes.fromhex(golden[name][2:]) for name in _CONTENT]
        measured = SimpleNamespace(
            **dict(zip(("weights_root", "tokenizer_hash", "config_hash"), content, strict=True))
        )
        expected = bytes.fromhex(golden["modelId"][2:])
        assert model_id_of(cast("MeasuredModel", measured)) == expected
        assert Model(*map(Bytes32, content), "", "").id == expected


def test_the_bridge_reads_golden_profiles_as_the_contract_does() -> None:
    """Their ids, what they match, and what they do not."""
    for golden in json.loads(VECTORS.read_text())["profiles"]:
        mask, value, matches, differs = (
            bytes.fromhex(golden[name][2:]) for name in ("mask", "value", "matches", "differs")
        )
        tee = TeeType(golden["teeType"])
        profile = Profile(tee, golden["minSvn"], mask, value)
        assert profile.id.hex() == golden["profileId"][2:]
        assert measurement_id(tee, matches).hex() == golden["measurementId"][2:]
        assert profile.mismatch(tee, matches) is None
        assert profile.mismatch(tee, differs) in {"mrsigner", "mrenclave", "rtmr1"}
        assert profile.open_fields
