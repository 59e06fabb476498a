"""Keys: where they come from, where they may be used, and that nothing ever shows them."""

from __future__ import annotations

import json
import logging
import os
import pickle
import traceback
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import structlog
from eth_account import Account
from quotary_bridge.chain.accounts import AccountChoice, Signer, load_keystore
from quotary_bridge.chain.well_known import WELL_KNOWN_ADDRESSES, WELL_KNOWN_KEYS
from quotary_bridge.errors import BridgeError, ConfigurationError, KeyRefused, Reason
from quotary_bridge.observe import configure_logging, without_secrets

KEY = "0x" + "c0ffee" * 10 + "c0ff"
PASSWORD = "canary-password"


def store(folder: Path, name: str = "me", key: str = KEY, mode: int = 0o600) -> Path:
    """A keystore file that opens fast: the key derivation is not what these tests test."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps(Account.encrypt(key, PASSWORD, kdf="pbkdf2", iterations=2)))
    path.chmod(mode)
    return path


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\nsecond line\n")
    path.chmod(0o600)
    return path


def refusal(keyfile: Path, password: Path | None) -> Reason:
    with pytest.raises(KeyRefused) as caught:
        load_keystore(keyfile, password)
    return caught.value.reason


def test_opens_a_keystore(tmp_path: Path, password_file: Path) -> None:
    """The address is the key's."""
    signer = load_keystore(store(tmp_path), password_file)
    assert signer.address == Account.from_key(KEY).address


def test_finds_accounts_where_cast_keeps_them(
    tmp_path: Path, password_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--account NAME` is a file in ~/.foundry/keystores."""
    monkeypatch.setenv("HOME", str(tmp_path))
    store(tmp_path / ".foundry" / "keystores", "deployer")
    choice = AccountChoice.of({}, account="deployer", password_file=str(password_file))
    assert choice.signer(1).address == Account.from_key(KEY).address


def test_the_environment_serves_where_flags_are_silent(tmp_path: Path, password_file: Path) -> None:
    """ETH_KEYSTORE and ETH_PASSWORD are cast's; a flag of another kind silences them."""
    environment = {"ETH_KEYSTORE": str(store(tmp_path)), "ETH_PASSWORD": str(password_file)}
    assert AccountChoice.of(environment).signer(1).address == Account.from_key(KEY).address
    chosen = AccountChoice.of(environment, private_key=WELL_KNOWN_KEYS[0]).signer(31337)
    assert chosen.address == WELL_KNOWN_ADDRESSES[0]


def test_a_keystore_folder_and_a_name_go_together(tmp_path: Path, password_file: Path) -> None:
    """As in forge: ETH_KEYSTORE may be the folder and ETH_KEYSTORE_ACCOUNT the file."""
    store(tmp_path / "keys", "one")
    environment = {
        "ETH_KEYSTORE": str(tmp_path / "keys"),
        "ETH_KEYSTORE_ACCOUNT": "one",
        "ETH_PASSWORD": str(password_file),
    }
    assert AccountChoice.of(environment).signer(1).address == Account.from_key(KEY).address


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o610])
def test_a_keystore_open_to_others_is_refused(
    tmp_path: Path, password_file: Path, mode: int
) -> None:
    """Any bit for group or others is one too many, on the password's file as well."""
    assert refusal(store(tmp_path, mode=mode), password_file) is Reason.KEYFILE_PERMISSIONS
    good = store(tmp_path, "good")
    password_file.chmod(mode)
    assert refusal(good, password_file) is Reason.KEYFILE_PERMISSIONS


def test_a_link_to_a_keystore_is_refused(tmp_path: Path, password_file: Path) -> None:
    """Whoever can place a link could swap the file."""
    link = tmp_path / "link"
    link.symlink_to(store(tmp_path))
    assert refusal(link, password_file) is Reason.KEYFILE_PERMISSIONS


def test_a_pipe_in_a_keystores_place_does_not_hang(tmp_path: Path, password_file: Path) -> None:
    """Opening a FIFO would wait for a writer for ever."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert refusal(tmp_path / "pipe", password_file) is Reason.KEYFILE_PERMISSIONS


def test_each_failure_has_its_own_reason(tmp_path: Path, password_file: Path) -> None:
    """Missing file, missing password, wrong password, and no keystore at all."""
    good = store(tmp_path)
    assert refusal(tmp_path / "nobody", password_file) is Reason.KEYFILE_MISSING
    assert refusal(good, None) is Reason.PASSWORD_MISSING
    password_file.write_text("wrong\n")
    assert refusal(good, password_file) is Reason.PASSWORD_WRONG


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"crypto": {}}', b'{"version": 3}', b'"x"'],
)
def test_what_is_no_keystore_is_refused(
    tmp_path: Path, password_file: Path, content: bytes
) -> None:
    """Damaged files are named, whatever is wrong with them."""
    path = tmp_path / "damaged"
    path.write_bytes(content)
    path.chmod(0o600)
    assert refusal(path, password_file) is Reason.KEYFILE_INVALID


@pytest.mark.parametrize("key", WELL_KNOWN_KEYS[:3])
def test_well_known_keys_are_for_development_chains(key: str, tmp_path: Path) -> None:
    """Everybody has Anvil's keys: on any other chain they are refused, however they come."""
    assert Signer.from_key(key, 31337).address in WELL_KNOWN_ADDRESSES
    with pytest.raises(KeyRefused) as caught:
        Signer.from_key(key, 1)
    assert caught.value.reason is Reason.KEY_WELL_KNOWN
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    keyfile = store(tmp_path, key=key)
    choice = AccountChoice.of({}, keystore=str(keyfile), password_file=str(password))
    with pytest.raises(KeyRefused) as caught:
        choice.signer(11155111)
    assert caught.value.reason is Reason.KEY_WELL_KNOWN


def test_a_key_on_the_command_line_is_for_development_chains() -> None:
    """Even a good key: it is in the shell's history now."""
    assert AccountChoice.of({}, private_key=KEY).signer(1337).address
    with pytest.raises(KeyRefused) as caught:
        AccountChoice.of({}, private_key=KEY).signer(1)
    assert caught.value.reason is Reason.KEY_ON_COMMAND_LINE


def test_the_sender_named_must_be_the_keys() -> None:
    """ETH_FROM that contradicts the key is a mistake worth stopping for."""
    good = {"ETH_FROM": Account.from_key(KEY).address}
    assert AccountChoice.of(good, private_key=KEY).signer(1337)
    for wrong, error in (
        (WELL_KNOWN_ADDRESSES[3], KeyRefused),
        ("not-an-address", ConfigurationError),
    ):
        with pytest.raises(error):
            AccountChoice.of({"ETH_FROM": wrong}, private_key=KEY).signer(1337)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", ""])
def test_an_account_name_is_no_path(name: str) -> None:
    """`--account` stays inside the keystore folder."""
    with pytest.raises(ConfigurationError):
        AccountChoice.of({}, account=name).signer(1)


def test_the_canary_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No repr, message, traceback, pickle or log holds a key or password."""
    seen: list[str] = []
    output = StringIO()
    monkeypatch.setattr("sys.stderr", output)
    configure_logging(verbosity=2)
    logging.basicConfig(stream=output, level=logging.DEBUG, force=True)
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}-wrong")
    password.chmod(0o600)
    keyfile = store(tmp_path)
    attempts: list[Any] = [
        lambda: AccountChoice.of({}, private_key=KEY).signer(1),
        lambda: AccountChoice.of({}, private_key=KEY[:-1] + "z").signer(31337),
        lambda: AccountChoice.of({"ETH_FROM": "0x1"}, private_key=KEY).signer(1337),
        lambda: load_keystore(keyfile, password),
        lambda: load_keystore(keyfile, None),
    ]
    for attempt in attempts:
        with pytest.raises(BridgeError) as caught:
            attempt()
        trace = traceback.TracebackException.from_exception(caught.value, capture_locals=False)
        seen += [repr(caught.value), str(caught.value), "".join(trace.format())]
        structlog.get_logger().error("refused", error=str(caught.value))
    signer = Signer.from_key(KEY, 31337)
    seen += [repr(signer), str(signer), repr(AccountChoice.of({}, private_key=KEY))]
    with pytest.raises(TypeError):
        pickle.dumps(signer)
    structlog.get_logger().info("sending", signer=signer, private_key=KEY, password=PASSWORD)
    everything = "\n".join([*seen, output.getvalue()])
    assert "refused" in output.getvalue()
    for secret in (KEY[2:40], PASSWORD):
        assert secret not in everything


def test_urls_in_logs_end_at_their_host() -> None:
    """What stands behind the host of an RPC URL is the provider's access key."""
    event = {"event": "asked https://u:p@rpc.example/v2/canary?x=1", "url": "http://h:1/canary"}
    assert "canary" not in str(without_secrets(None, "info", event))
    assert event["url"] == "http://h:1"
