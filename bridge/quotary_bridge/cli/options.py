"""Flags that commands share, and what they are turned into."""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import dataclass
from pathlib import Path

from eth_utils.address import is_address, to_checksum_address
from eth_utils.crypto import keccak
from quotary import INTEL_ROOT, TrustRoot

from quotary_bridge.chain import Chain
from quotary_bridge.chain.accounts import DEVELOPMENT_CHAIN_IDS, AccountChoice
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.chain.sender import Sender
from quotary_bridge.chain.several import SeveralNodes
from quotary_bridge.config import Settings
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Address, Bytes32

__all__ = [
    "Context",
    "add_account_flags",
    "add_chain_flags",
    "add_output_flags",
    "address",
    "app_id",
    "identifier",
    "read_file",
    "trust_root",
    "wei",
]

_ID_BYTES = 32
_ROOT_BYTES_LIMIT = 16 * 1024
_UNITS = {"wei": 1, "gwei": 10**9, "ether": 10**18}


@dataclass(frozen=True, slots=True)
class Context:
    """The chain, the settings and the account that one command runs with."""

    settings: Settings
    chain: Chain
    choice: AccountChoice

    @classmethod
    def of(cls, args: Namespace) -> Context:
        """Merge flags with the environment, and ask the node for its chain id."""
        settings = Settings.of(
            os.environ,
            rpc_url=args.rpc_url,
            chain_id=args.chain_id,
            deployments=args.deployments,
            timeout_seconds=args.timeout,
            confirmations=args.confirmations,
        )
        choice = AccountChoice.of(
            os.environ,
            account=getattr(args, "account", None),
            keystore=getattr(args, "keystore", None),
            password_file=getattr(args, "password_file", None),
            private_key=getattr(args, "private_key", None),
            sender=getattr(args, "sender", None),
        )
        others = getattr(args, "fallback_url", ())
        if others:
            chain = SeveralNodes.among((settings.rpc_url, *others), settings.chain_id)
            return cls(settings, chain, choice)
        return cls(settings, Chain.connect(settings.rpc_url, settings.chain_id), choice)

    @property
    def development(self) -> bool:
        """Whether nothing on this chain is worth anything."""
        return self.chain.chain_id in DEVELOPMENT_CHAIN_IDS

    def deployment(self) -> Deployment:
        """Return this chain's deployment record, compared with the chain."""
        record = Deployment.load(self.settings.deployments, self.chain.chain_id)
        record.check(self.chain)
        return record

    def sender(self) -> Sender:
        """Return the chosen account, ready to send."""
        return Sender(
            self.chain,
            self.choice.signer(self.chain.chain_id),
            timeout_seconds=self.settings.timeout_seconds,
            confirmations=self.settings.confirmations,
        )


def add_chain_flags(parser: ArgumentParser) -> None:
    """Add which chain to talk to, and how long to wait for it."""
    group = parser.add_argument_group("chain")
    group.add_argument("--rpc-url", metavar="URL", help="the node (ETH_RPC_URL, or a local Anvil)")
    group.add_argument(
        "--chain-id", type=int, metavar="ID", help="refuse a node of any other chain"
    )
    group.add_argument(
        "--deployments", metavar="DIR", help="deployment records (QUOTARY_DEPLOYMENTS, deployments)"
    )
    group.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="how long to wait for a transaction (120)"
    )
    group.add_argument(
        "--confirmations", type=int, metavar="N", help="blocks that must hold a transaction (1)"
    )


def add_account_flags(parser: ArgumentParser) -> None:
    """Add which account to send from, as cast and forge name it, and the dry run."""
    group = parser.add_argument_group("account")
    one = group.add_mutually_exclusive_group()
    one.add_argument(
        "--account", metavar="NAME", help="in ~/.foundry/keystores (ETH_KEYSTORE_ACCOUNT)"
    )
    one.add_argument("--keystore", metavar="PATH", help="a keystore file (ETH_KEYSTORE)")
    one.add_argument("--private-key", metavar="HEX", help="development chains only")
    group.add_argument("--password-file", metavar="PATH", help="mode 600 (ETH_PASSWORD)")
    group.add_argument(
        "--from", dest="sender", metavar="ADDRESS", help="refuse any other account (ETH_FROM)"
    )
    group.add_argument("--dry-run", action="store_true", help="simulate, send nothing")


def add_output_flags(parser: ArgumentParser) -> None:
    """Add `--json` and `--verbose`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object, nothing else")
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="log to stderr; twice for everything"
    )


def address(text: str) -> Address:
    """Parse an address; one in mixed case must have the right checksum (EIP-55)."""
    if not is_address(text):
        raise ArgumentTypeError(f"{text!r} is no address, or its checksum is wrong")
    return Address(to_checksum_address(text))


def identifier(text: str) -> Bytes32:
    """Parse 32 bytes of hexadecimal."""
    try:
        parsed = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        parsed = b""
    if len(parsed) != _ID_BYTES:
        raise ArgumentTypeError(f"{text!r} is not 32 bytes of hexadecimal")
    return Bytes32(parsed)


def app_id(text: str) -> Bytes32:
    """Parse an app's id: 32 bytes of hexadecimal, or a name, whose Keccak-256 is the id."""
    if text.startswith("0x"):
        return identifier(text)
    if not text:
        raise ArgumentTypeError("an app's name cannot be empty")
    return Bytes32(keccak(text=text))


def wei(text: str) -> int:
    """Parse an amount as cast does: a number of wei, or with a unit: `3gwei`, `2ether`."""
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = _UNITS.get(text[len(digits) :] or "wei")
    if unit is None or not digits.isascii() or not digits.isdigit():
        raise ArgumentTypeError(f"{text!r} is no amount like 1000, 3gwei or 2ether")
    return int(digits) * unit


def read_file(name: str, limit: int) -> bytes:
    """Read a file of at most `limit` bytes; raises `ConfigurationError`."""
    try:
        with Path(name).open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not a file name"
        raise ConfigurationError(
            Reason.FILE_UNREADABLE, f"{name} cannot be read: {cause}", "name a readable file"
        ) from None
    if len(data) > limit:
        raise ConfigurationError(
            Reason.FILE_UNREADABLE, f"{name} is longer than {limit} bytes", "check the file's name"
        )
    return data


def trust_root(name: str | None, *, development: bool) -> TrustRoot:
    """Return the root to trust: Intel's, or on development chains the one in the file `name`."""
    if name is None:
        return INTEL_ROOT
    if not development:
        raise ConfigurationError(
            Reason.DEVELOPMENT_ONLY,
            "a root other than Intel's is for development chains",
            "leave --root out",
        )
    return TrustRoot.from_certificate(read_file(name, _ROOT_BYTES_LIMIT))
