"""What a deployment fixes for ever, and what of it no public chain may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from hashlib import sha256
from typing import Any

from quotary import INTEL_ROOT, TrustRoot

from quotary_bridge.chain.accounts import DEVELOPMENT_CHAIN_IDS, WELL_KNOWN_ADDRESSES
from quotary_bridge.chain.contracts.base import ZERO_ADDRESS
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Address

__all__ = [
    "DEMO_IMAGE_ID",
    "INTEL_ROOT_KEY_HASH",
    "SHORTEST_DELAY",
    "Committee",
    "OracleTerms",
    "Parameters",
    "QuotaTerms",
    "TimelockTerms",
    "TokenTerms",
    "WorkerRules",
]

SHORTEST_DELAY = 48 * 3600
"""Seconds that whatever widens waits at least on a public chain: time for people to object."""

INTEL_ROOT_KEY_HASH = INTEL_ROOT.key_hash
"""sha256 of x‖y of the Intel SGX Root CA's key."""

DEMO_IMAGE_ID = b"Quotary guest, development only\0"
"""The image id the stub prover claims to have run: 32 bytes that no real guest hashes to."""

# Bits 1 to 3 of docs/formats.md's statuses: UpToDate, SWHardeningNeeded, ConfigurationNeeded; bit 4
# the two together. Nothing out of date.
DEFAULT_ACCEPTED_STATUSES = 0b11110


@dataclass(frozen=True, slots=True)
class Committee:
    """Who attests journals off chain, and how many of them must agree."""

    members: tuple[Address, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class TimelockTerms:
    """
    The governor as a timelock: who may propose, who may execute (nobody named: anyone), after how
    many seconds.
    """

    proposers: tuple[Address, ...]
    executors: tuple[Address, ...] = ()
    delay: int = SHORTEST_DELAY


@dataclass(frozen=True, slots=True)
class WorkerRules:
    """
    When the registry takes a worker, and for how long.

    `max_challenge_age` counts blocks, the others seconds; `max_stretch` is how far a registration
    reaches that ended because the vendor renewed no collateral; `accepted_statuses` has bit n for
    TCB status n of docs/formats.md, and counts for apps that published no policy of their own.
    """

    max_challenge_age: int = 200
    activation_delay: int = 0
    max_registration_age: int = 7 * 24 * 3600
    max_stretch: int = 14 * 24 * 3600
    accepted_statuses: int = DEFAULT_ACCEPTED_STATUSES


@dataclass(frozen=True, slots=True)
class QuotaTerms:
    """How many requests an account may make and an app be asked: at once, and per hour."""

    account_burst: int = 1_000
    account_per_hour: int = 3_600
    app_burst: int = 10_000
    app_per_hour: int = 360_000


@dataclass(frozen=True, slots=True)
class TokenTerms:
    """A token that requests may pay with, and the least they put up; the zero address is ether."""

    token: Address = ZERO_ADDRESS
    min_fee: int = 0


@dataclass(frozen=True, slots=True)
class OracleTerms:
    """Which requests the oracle takes."""

    quotas: QuotaTerms = QuotaTerms()
    tokens: tuple[TokenTerms, ...] = (TokenTerms(),)


@dataclass(frozen=True, slots=True)
class Parameters:
    """
    Everything a deployment decides.

    `governor` is a timelock to be deployed with the rest, or on development chains an account.
    Verdicts count under `root_key_hashes`; collateral on chain is proven down from
    `collateral_root`, whose key is one of them. `max_age` is how many seconds old a verdict
    may be when it is submitted. `image_id` names the guest whose proofs are accepted: without one
    there is no zk path. `automata_program` adds the reader of the proofs of Automata's guest with
    that image id. `allow_stub` admits the stub prover, for ever. `app_id` and `model_id` deploy the
    example consumer too. `salt` is any text: another one leads to other addresses.
    """

    governor: Address | TimelockTerms
    guardian: Address
    committee: Committee
    root_key_hashes: tuple[bytes, ...] = (INTEL_ROOT_KEY_HASH,)
    collateral_root: TrustRoot = INTEL_ROOT
    allow_stub: bool = False
    image_id: bytes | None = None
    automata_program: bytes | None = None
    max_age: int = 3600
    workers: WorkerRules = WorkerRules()
    oracle: OracleTerms = OracleTerms()
    app_id: bytes | None = None
    model_id: bytes | None = None
    salt: str = ""

    def check(self, chain_id: int) -> None:
        """
        Refuse what is development only on any chain that is not a development one.

        Raises `ConfigurationError`: `DEVELOPMENT_ONLY`; `CONFIGURATION_INVALID` for a committee
        that could never agree, or could agree without anybody, for a timelock that nobody could
        propose to, and for collateral under a root whose verdicts do not count.
        """
        if isinstance(self.governor, TimelockTerms):
            _require_sound(self.governor)
        count = len(set(self.committee.members))
        if not 1 <= self.committee.threshold <= count:
            raise ConfigurationError(
                Reason.CONFIGURATION_INVALID,
                f"{self.committee.threshold} of {count} is no committee",
                "give --member for each member, and a --threshold from 1 to their number",
            )
        if self.collateral_root.key_hash not in self.root_key_hashes:
            raise ConfigurationError(
                Reason.CONFIGURATION_INVALID,
                "verdicts do not count under the root that collateral on chain is proven from",
                "name that root's key among the trusted ones",
            )
        if chain_id not in DEVELOPMENT_CHAIN_IDS:
            self._check_public(chain_id)

    def _check_public(self, chain_id: int) -> None:
        if self.allow_stub:
            raise _development_only("the stub prover, which proves nothing,", chain_id)
        if self.root_key_hashes != (INTEL_ROOT_KEY_HASH,):
            raise _development_only("a root key other than Intel's", chain_id)
        if self.collateral_root != INTEL_ROOT:
            raise _development_only("a root certificate other than Intel's", chain_id)
        if DEMO_IMAGE_ID in (self.image_id, self.automata_program):
            raise _development_only("an image id that no guest has", chain_id)
        if not isinstance(self.governor, TimelockTerms):
            raise _development_only("a governor that is no timelock", chain_id)
        if self.governor.delay < SHORTEST_DELAY:
            raise _development_only(f"a delay below {SHORTEST_DELAY} seconds", chain_id)
        proposers, executors = self.governor.proposers, self.governor.executors
        named = (*proposers, *executors, self.guardian, *self.committee.members)
        if any(account in WELL_KNOWN_ADDRESSES for account in named):
            raise _development_only("an account whose key everybody knows", chain_id)

    def as_json(self) -> dict[str, Any]:
        """Return the parameters as the deployment record holds them."""
        return {
            "governor": _governor_json(self.governor),
            "guardian": self.guardian,
            "committee": {
                "members": sorted(self.committee.members, key=str.lower),
                "threshold": self.committee.threshold,
            },
            "rootKeyHashes": [f"0x{key.hex()}" for key in self.root_key_hashes],
            "collateralRoot": _hex(sha256(self.collateral_root.certificate.der).digest()),
            "allowStub": self.allow_stub,
            "imageId": _hex(self.image_id),
            "automataProgram": _hex(self.automata_program),
            "maxAge": self.max_age,
            "workers": {
                "maxChallengeAge": self.workers.max_challenge_age,
                "activationDelay": self.workers.activation_delay,
                "maxRegistrationAge": self.workers.max_registration_age,
                "maxStretch": self.workers.max_stretch,
                "acceptedStatuses": self.workers.accepted_statuses,
            },
            "oracle": {
                "quotas": list(astuple(self.oracle.quotas)),
                "tokens": [list(astuple(token)) for token in self.oracle.tokens],
            },
            "appId": _hex(self.app_id),
            "modelId": _hex(self.model_id),
            "salt": self.salt,
        }


def differences(recorded: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return the names of the parameters that differ, sorted."""
    names = {*recorded, *wanted}
    return sorted(name for name in names if recorded.get(name) != wanted.get(name))


def _require_sound(terms: TimelockTerms) -> None:
    if not terms.proposers or terms.delay < 0:
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            "a timelock needs a proposer and a delay",
            "give --proposer for each proposer, and a --delay in seconds",
        )


def _hex(value: bytes | None) -> str | None:
    return None if value is None else f"0x{value.hex()}"


def _governor_json(governor: Address | TimelockTerms) -> object:
    if not isinstance(governor, TimelockTerms):
        return governor
    return {
        "proposers": sorted(governor.proposers, key=str.lower),
        "executors": sorted(governor.executors, key=str.lower),
        "delay": governor.delay,
    }


def _development_only(what: str, chain_id: int) -> ConfigurationError:
    return ConfigurationError(
        Reason.DEVELOPMENT_ONLY,
        f"{what} is for development chains, and this is chain {chain_id}",
        "leave it out, or deploy to a local Anvil",
    )
