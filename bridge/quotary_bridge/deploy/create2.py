"""
Addresses that are known before anything is sent: CREATE2 through the usual deterministic deployer.

An address follows from the deployer, the salt and the creation code with its arguments, so it is
the same on every chain, whoever sends the transaction, and code found there is the code meant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from quotary_bridge.chain import Chain
from quotary_bridge.chain.accounts import DEVELOPMENT_CHAIN_IDS
from quotary_bridge.chain.sender import Sender
from quotary_bridge.errors import ConfigurationError, DeploymentMismatch, Reason
from quotary_bridge.model import Address

__all__ = ["FACTORY", "address_of", "install_factory", "require_factory", "salt_of"]

FACTORY = Address("0x4e59b44847b379578588920cA78FbF26c0B4956C")
"""
Arachnid's deterministic deployment proxy, which stands on nearly every chain.

Its input is a salt (32 bytes) and creation code; it has no owner, no storage and no other function.
"""

_FACTORY_CODE = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234"
    "f58015156039578182fd5b8082525050506014600cf3"
)
# The transaction that creates it, signed by nobody: its signature is a repeated digit, from which
# follows the account that must pay for it (github.com/Arachnid/deterministic-deployment-proxy).
_INSTALLATION = bytes.fromhex(
    "f8a58085174876e800830186a08080b853604580600e600039806000f350fe" + _FACTORY_CODE.hex() + "1b"
    "a02222222222222222222222222222222222222222222222222222222222222222"
    "a02222222222222222222222222222222222222222222222222222222222222222"
)
_INSTALLER = Address("0x3fAB184622Dc19b6109349B94811493BF2a45362")
# Its gas limit times its gas price: 100,000 at 100 gwei.
_INSTALLATION_COST = 10**16

# Part of every salt: raised where the same parameters are to lead to other addresses.
_SALT_VERSION = 1


def salt_of(name: str, parameters: Mapping[str, Any]) -> bytes:
    """
    Return the salt of one contract: keccak256("quotary/NAME/1/" ‖ the parameters' hash).

    `parameters` are those of the record; their hash is over JSON with sorted keys and no spaces.
    Two deployments that differ in anything share no contract: a change log has seats for one.
    """
    canonical = json.dumps(parameters, sort_keys=True, separators=(",", ":"))
    return keccak(f"quotary/{name}/{_SALT_VERSION}/".encode() + keccak(text=canonical))


def address_of(salt: bytes, creation_code: bytes) -> Address:
    """Return where the factory puts `creation_code` (EIP-1014)."""
    packed = b"\xff" + bytes.fromhex(FACTORY[2:]) + salt + keccak(creation_code)
    return Address(to_checksum_address(keccak(packed)[12:]))


def require_factory(chain: Chain) -> None:
    """Raise `ConfigurationError` where the factory is missing, `DeploymentMismatch` if forged."""
    if not _stands(chain):
        raise ConfigurationError(
            Reason.DEPLOYMENT_MISSING,
            f"chain {chain.chain_id} has no deterministic deployer at {FACTORY}",
            f"have it installed: pay {_INSTALLER} 0.01 coins, then broadcast the transaction that "
            "its authors signed in advance",
        )


def install_factory(sender: Sender) -> None:
    """Install the factory on a development chain that lacks it; raises as `require_factory`."""
    chain = sender.chain
    if chain.chain_id in DEVELOPMENT_CHAIN_IDS and not _stands(chain):
        missing = _INSTALLATION_COST - chain.balance(_INSTALLER)
        if missing > 0:
            sender.send(sender.request(_INSTALLER, b"", missing))
        digest = chain.send_raw(_INSTALLATION)
        sender.wait(digest, sender.request(None, b""))
    require_factory(chain)


def _stands(chain: Chain) -> bool:
    code = chain.code(FACTORY)
    if code and code != _FACTORY_CODE:
        raise DeploymentMismatch(
            Reason.DEPLOYMENT_MISMATCH,
            f"{FACTORY} holds other code than the deterministic deployer's",
            "do not deploy here: addresses mean nothing on this chain",
        )
    return bool(code)
