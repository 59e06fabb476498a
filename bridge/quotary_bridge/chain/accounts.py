"""
Keys, found and named as cast and forge do it.

Flags win over the environment: `--account`, `--keystore`, `--password-file`, `--private-key`,
`--from`, then ETH_KEYSTORE_ACCOUNT, ETH_KEYSTORE, ETH_PASSWORD and ETH_FROM. No key and no
password ever stands in a `repr`, a message or a log.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from coincurve import PrivateKey
from eth_account import Account
from eth_account.datastructures import SignedMessage
from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from eth_utils.address import is_address, to_checksum_address

from quotary_bridge.chain.transactions import DynamicFeeTransaction
from quotary_bridge.chain.well_known import WELL_KNOWN_ADDRESSES, WELL_KNOWN_KEYS
from quotary_bridge.errors import ConfigurationError, KeyRefused, Reason
from quotary_bridge.model import Address

__all__ = [
    "DEVELOPMENT_CHAIN_IDS",
    "WELL_KNOWN_ADDRESSES",
    "WELL_KNOWN_KEYS",
    "AccountChoice",
    "Signer",
    "keystore_folder",
    "load_keystore",
]

DEVELOPMENT_CHAIN_IDS = frozenset({31337, 1337})
"""Anvil's and Hardhat's default, and Ganache's and geth --dev's: nothing of value is on them."""

# Web3 Secret Storage files are about half a kilobyte.
KEYFILE_BYTES_LIMIT = 64 * 1024
PASSWORD_BYTES_LIMIT = 4096

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Signer:
    """An account that can sign; it gives its address away, and nothing else."""

    __slots__ = ("_account", "_key")

    def __init__(self, account: LocalAccount) -> None:
        """Prefer `from_key`, `load_keystore` or `AccountChoice.signer`, which check the key."""
        self._account = account
        self._key = PrivateKey(bytes(account.key))

    @classmethod
    def from_key(cls, key: str, chain_id: int) -> Signer:
        """
        Return the signer of a private key in hex.

        Raises `KeyRefused` (`KEY_INVALID`; `KEY_WELL_KNOWN` for Anvil's keys on a chain that is
        not a development one).
        """
        try:
            account = Account.from_key(key)
        except Exception:  # noqa: BLE001 (whatever the library raises may quote the key)
            raise KeyRefused(
                Reason.KEY_INVALID, "the private key is not 32 bytes of hexadecimal"
            ) from None
        return cls(account).for_chain(chain_id)

    def for_chain(self, chain_id: int) -> Signer:
        """Return itself; raises `KeyRefused` where everybody knows the key and it would matter."""
        if chain_id in DEVELOPMENT_CHAIN_IDS:
            return self
        if f"0x{bytes(self._account.key).hex()}" in WELL_KNOWN_KEYS:
            raise KeyRefused(
                Reason.KEY_WELL_KNOWN,
                f"the key of {self.address} is one of Anvil's, known to everybody: "
                f"refused on chain {chain_id}",
                "make a key of your own: cast wallet new ~/.foundry/keystores NAME",
            )
        return self

    @property
    def address(self) -> Address:
        """The account's address."""
        return Address(self._account.address)

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Return the signed bytes of a transaction given as web3.py's dictionary."""
        return bytes(self._account.sign_transaction(dict(transaction)).raw_transaction)

    def sign(self, transaction: DynamicFeeTransaction) -> bytes:
        """Return the signed bytes of an EIP-1559 transaction."""
        return transaction.signed_by(self._key)

    def sign_message(self, message: SignableMessage) -> bytes:
        """Return a 65-byte signature `r ‖ s ‖ v`, low s, over an EIP-191 or EIP-712 message."""
        signed: SignedMessage = self._account.sign_message(message)
        return bytes(signed.signature)

    def __repr__(self) -> str:
        """Without the key."""
        return f"Signer({self.address})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Refuse: a pickled signer would be a key on disk."""
        raise TypeError("a signer cannot be pickled")


@dataclass(frozen=True, slots=True)
class AccountChoice:
    """
    Which account to use, as flags and environment name it.

    `private_key` is allowed on development chains only: a key on a command line is in the shell's
    history and in the list of processes.
    """

    account: str | None = None
    keystore: Path | None = None
    password_file: Path | None = None
    sender: str | None = None
    _private_key: str | None = None

    @classmethod
    def of(
        cls,
        environment: Mapping[str, str],
        *,
        account: str | None = None,
        keystore: str | None = None,
        password_file: str | None = None,
        private_key: str | None = None,
        sender: str | None = None,
    ) -> AccountChoice:
        """Merge flags with the environment; a flag of one kind silences the variables of others."""
        chosen = account or keystore or private_key
        return cls(
            account=account or (None if chosen else environment.get("ETH_KEYSTORE_ACCOUNT")),
            keystore=_path(keystore or (None if chosen else environment.get("ETH_KEYSTORE"))),
            password_file=_path(password_file or environment.get("ETH_PASSWORD")),
            sender=sender or environment.get("ETH_FROM"),
            _private_key=private_key,
        )

    def __repr__(self) -> str:
        """Without the key."""
        return f"AccountChoice(account={self.account!r}, keystore={self.keystore!r})"

    def signer(self, chain_id: int) -> Signer:
        """
        Return the chosen account's signer.

        Raises `ConfigurationError` where none is chosen, and `KeyRefused` with the reason where the
        key cannot or must not be used.
        """
        if self._private_key is not None:
            found = self._from_command_line(chain_id)
        else:
            found = load_keystore(self._keyfile(), self.password_file).for_chain(chain_id)
        named = self.named()
        if named is not None and named != found.address:
            raise KeyRefused(
                Reason.WRONG_ACCOUNT,
                f"the key is that of {found.address}, not of {self.sender}",
                "choose the account that --from or ETH_FROM names, or drop these",
            )
        return found

    def named(self) -> Address | None:
        """Return the account that --from or ETH_FROM names; raises `ConfigurationError`."""
        if self.sender is None:
            return None
        if not is_address(self.sender):
            raise ConfigurationError(
                Reason.CONFIGURATION_INVALID, f"{self.sender!r} is no address", "correct ETH_FROM"
            )
        return Address(to_checksum_address(self.sender))

    def _from_command_line(self, chain_id: int) -> Signer:
        if chain_id not in DEVELOPMENT_CHAIN_IDS:
            raise KeyRefused(
                Reason.KEY_ON_COMMAND_LINE,
                f"--private-key is for development chains, and this is chain {chain_id}",
                "import the key once (cast wallet import NAME --interactive), then use --account",
            )
        return Signer.from_key(cast(str, self._private_key), chain_id)

    def _keyfile(self) -> Path:
        if self.keystore is not None:
            if self.keystore.is_dir() and self.account:
                return self.keystore / self.account
            return self.keystore
        if self.account is None:
            raise ConfigurationError(
                Reason.CONFIGURATION_MISSING,
                "no account to sign with",
                "give --account NAME or --keystore PATH (or ETH_KEYSTORE_ACCOUNT, ETH_KEYSTORE)",
            )
        if Path(self.account).name != self.account:
            raise ConfigurationError(
                Reason.CONFIGURATION_INVALID,
                f"{self.account!r} is no account name",
                "for a file elsewhere use --keystore PATH",
            )
        return keystore_folder() / self.account


def keystore_folder() -> Path:
    """Return where cast and forge keep keystores."""
    return Path.home() / ".foundry" / "keystores"


def load_keystore(keyfile: Path, password_file: Path | None) -> Signer:
    """
    Decrypt a Web3 Secret Storage file, with the first line of `password_file` as its password.

    Raises `KeyRefused`: `KEYFILE_MISSING`, `KEYFILE_PERMISSIONS` (both files must be regular, no
    links, and closed to group and others), `KEYFILE_INVALID`, `PASSWORD_MISSING`, `PASSWORD_WRONG`.
    """
    document = _read_private(keyfile, "keystore", KEYFILE_BYTES_LIMIT)
    if password_file is None:
        raise KeyRefused(
            Reason.PASSWORD_MISSING,
            f"no password for the keystore {keyfile}",
            "give --password-file PATH or ETH_PASSWORD",
        )
    lines = _read_private(password_file, "password", PASSWORD_BYTES_LIMIT).splitlines()
    password = lines[0] if lines else b""
    try:
        # Parsed first: the library takes anything that is no JSON object for a path.
        parsed = dict(json.loads(document).items())
        key = Account.decrypt(parsed, password.decode())
    except ValueError as error:
        if "MAC mismatch" in str(error):
            raise KeyRefused(
                Reason.PASSWORD_WRONG,
                f"the password does not open the keystore {keyfile}",
                f"check the first line of {password_file}",
            ) from None
        raise _not_a_keystore(keyfile) from None
    except (KeyError, TypeError, AttributeError, NotImplementedError):
        raise _not_a_keystore(keyfile) from None
    return Signer(Account.from_key(key))


def _not_a_keystore(keyfile: Path) -> KeyRefused:
    return KeyRefused(
        Reason.KEYFILE_INVALID,
        f"{keyfile} is no encrypted keystore",
        "make one with: cast wallet import NAME --interactive",
    )


def _read_private(path: Path, what: str, limit: int) -> bytes:
    """Read a file whose permissions were judged on the very descriptor that is read."""
    try:
        # O_NONBLOCK: a FIFO in the file's place must not hang us before it is refused.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise KeyRefused(
            Reason.KEYFILE_MISSING, f"there is no {what} file {path}", "check name and path"
        ) from None
    except OSError as error:
        raise KeyRefused(
            Reason.KEYFILE_PERMISSIONS,
            f"the {what} file {path} is a symbolic link or cannot be opened ({error.strerror})",
            "name the file itself, readable by you alone",
        ) from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_mode & _OTHERS:
            raise KeyRefused(
                Reason.KEYFILE_PERMISSIONS,
                f"the {what} file {path} is open to others (mode {stat.S_IMODE(status.st_mode):o})",
                f"chmod 600 {path}",
            )
        return file.read(limit)


def _path(text: str | None) -> Path | None:
    return None if not text else Path(text).expanduser()
