"""Attestation reports: one fresh quote each, in the layout the caller's generation expects."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from typing import Any, Final

from quotary_enclave.keys import Address, WorkerKeys
from quotary_enclave.worker import aci
from quotary_enclave.worker.chat import ChatIdentity, SigningAlgorithm
from quotary_enclave.worker.config import Clock, WorkerConfig
from quotary_enclave.worker.errors import RefusalError, WorkerReason
from quotary_enclave.worker.fields import (
    Bytes32,
    Document,
    read_address,
    read_bytes32,
    read_uint,
)
from quotary_enclave.worker.quotes import QuoteSource
from quotary_enclave.worker.statements import WorkerBinding

__all__ = ["Reporter"]

_CHAT_NONCE: Final = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Reporter:
    """Binds the worker's keys into quotes. Every method blocks while the TEE quotes."""

    config: WorkerConfig
    keys: WorkerKeys
    quotes: QuoteSource
    clock: Clock

    def aci(self, nonce: str | None) -> dict[str, Any]:
        """The ACI report for `nonce` (section 4). Raises `WorkerError`."""
        nonce = aci.read_nonce(nonce)
        keyset = aci.keyset_for(self.keys, self.clock())
        digest = aci.digest_of(keyset)
        slot = aci.report_data(digest, nonce)
        evidence = self.quotes.quote(slot)
        custody = "simulated" if self.quotes.simulated else "generated-in-workload"
        return {
            "api_version": aci.API_VERSION,
            "workload_keyset_digest": digest,
            "attestation": {
                "tee_type": "tdx",
                "workload_keyset": keyset,
                "report_data": slot[:32].hex(),
                "source_provenance": self.config.provenance.as_json(),
                "evidence": {
                    "quote": evidence.quote.hex(),
                    "quote_report_data": slot.hex(),
                    "event_log": evidence.event_log,
                    "app_compose": evidence.app_compose,
                    "vm_config": evidence.vm_config,
                    "key_custody": {"kind": custody},
                },
            },
            "service_capabilities": {"supported_e2ee_versions": [], "serving": "direct"},
            "simulated": self.quotes.simulated,
        }

    def chat(self, algorithm: str | None, nonce: str | None, address: str | None) -> dict[str, Any]:
        """The first-generation report. Raises `WorkerError`; 404 for another node's address."""
        if nonce is not None and not _CHAT_NONCE.fullmatch(nonce):
            raise RefusalError(
                WorkerReason.BAD_NONCE, "nonce must be 64 hex characters", param="nonce"
            )
        identity = ChatIdentity(self.keys, SigningAlgorithm.read(algorithm))
        if address and address.lower() != identity.signing_address.lower():
            raise RefusalError(
                WorkerReason.SIGNER_UNKNOWN, "no node here signs as this address", 404
            )
        fresh = nonce or secrets.token_hex(32)
        evidence = self.quotes.quote(identity.report_data(bytes.fromhex(fresh)))
        # A CPU worker has no GPU evidence: an empty list says so in the expected form.
        gpu = json.dumps({"nonce": fresh, "evidence_list": [], "arch": ""})
        report = {
            "signing_address": identity.signing_address,
            "signing_algo": identity.algorithm.value,
            "request_nonce": fresh,
            "intel_quote": evidence.quote.hex(),
            "nvidia_payload": gpu,
            "event_log": json.loads(evidence.event_log),
            "vm_config": evidence.vm_config,
            "info": {"tcb_info": {"app_compose": evidence.app_compose}} | evidence.info,
            "simulated": self.quotes.simulated,
        }
        return {**report, "all_attestations": [report]}

    def registration(self, document: Document) -> dict[str, Any]:
        """
        A quote that registers this worker, with the binding it carries.

        `document`: `chainId, registry, appId, operator?, challengeBlock, challenge`. Raises
        `WorkerError`: malformed fields; a chain not served; an operator other than the configured
        one. The challenge is not checked here: the registry checks it.
        """
        chain_id = read_uint(document, "chainId", 256)
        if self.config.chain_id not in (None, chain_id):
            raise RefusalError(
                WorkerReason.CHAIN_NOT_SERVED, f"chain {chain_id} is not served", 403, "chainId"
            )
        binding = WorkerBinding(
            chain_id=chain_id,
            registry=read_address(document, "registry"),
            app_id=read_bytes32(document, "appId"),
            operator=self._operator(document),
            encryption_key=Bytes32(self.keys.encryption_public_key),
            challenge_block=read_uint(document, "challengeBlock", 64),
            challenge=read_bytes32(document, "challenge"),
        )
        worker = self.keys.result.address
        slot = binding.report_data(worker)
        evidence = self.quotes.quote(slot)
        return {
            "worker": worker,
            "teeType": "tdx",
            "quote": "0x" + evidence.quote.hex(),
            "reportData": "0x" + slot.hex(),
            "binding": binding.as_json(),
            "bindingEncoded": "0x" + binding.encode().hex(),
            "bindingHash": "0x" + binding.digest().hex(),
            "eventLog": json.loads(evidence.event_log),
            "vmConfig": evidence.vm_config,
            "appCompose": evidence.app_compose,
            "simulated": self.quotes.simulated,
        }

    def _operator(self, document: Document) -> Address:
        configured = self.config.operator
        if configured is not None and document.get("operator") is None:
            return configured
        asked = read_address(document, "operator")
        if configured is not None and asked.lower() != configured.lower():
            raise RefusalError(
                WorkerReason.OPERATOR_MISMATCH,
                "this worker was started for another operator",
                403,
                "operator",
            )
        return asked
