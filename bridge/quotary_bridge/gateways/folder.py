"""
What is kept of one exchange with a gateway: a folder, so that no step is asked or paid for twice.

    terms.json        whom was asked, in which protocol, for which app of which chain
    challenge.json    whose block's challenge the report answers, and the TLS key that spoke
    report.json       the attestation report, as it came
    quote-*.bin       the quotes in it; journal-*.bin the verdicts that were brought to the notary
    request.bin, response.bin, answer.json    the bodies as on the wire, and the answer's id
    signature.json or receipt.json, session.json    what the gateway signed, as it came
    proof.json        what all of it proved off chain

Bodies may be private: the folder is its owner's alone. Nothing in it is believed: it is parsed and
verified anew wherever it is used, and the chain believes none of it either. The file that says a
group is whole is written last, and holds the hashes of the others.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

from eth_utils.address import is_checksum_address

from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Address, Bytes32

__all__ = ["Answered", "Challenged", "ExchangeFolder", "Paper", "Protocol", "Terms"]

FORMAT = "quotary-gateway"
VERSION = 1
# As the verifier bounds what a gateway answers; journals and quotes are far smaller.
MAX_FILE_BYTES = 8 * 1024 * 1024
_ID_BYTES = 32
_EXCHANGE = ("answer.json", "signature.json", "receipt.json", "session.json", "proof.json")


class Protocol(StrEnum):
    """What a gateway speaks (docs/workloads.md)."""

    ACI = "aci"
    CHAT = "chat"


@dataclass(frozen=True, slots=True)
class Terms:
    """With whom an exchange is, and for what: fixed when its folder is made."""

    url: str
    protocol: Protocol
    chain_id: int
    gateway_keys: Address
    app_id: Bytes32


@dataclass(frozen=True, slots=True)
class Challenged:
    """A report, and the challenge it was asked with; `tls_key` is None over plain HTTP."""

    block: int
    nonce: Bytes32
    tls_key: bytes | None
    report: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The bodies exactly as on the wire; `identifier` is what the gateway knows the answer by."""

    identifier: str
    tls_key: bytes | None
    request: bytes
    response: bytes


@dataclass(frozen=True, slots=True)
class Paper:
    """What a gateway signed about an answer, and the session that a receipt may cite; as served."""

    document: bytes
    session: bytes | None


class ExchangeFolder:
    """One exchange's folder. Every method raises `ConfigurationError` for files it cannot use."""

    def __init__(self, path: str | Path) -> None:
        """Nothing is read or made yet."""
        self.path = Path(path)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs out meanwhile: two at once would ask, and pay, twice."""
        path = self.path / "lock"
        with _writing(path):
            handle = path.open("w")
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigurationError(
                    Reason.CONFIGURATION_INVALID,
                    f"another run is at work in {self.path}",
                    "wait for it, or name another folder for another exchange",
                ) from None
            yield

    # TERMS

    def terms(self) -> Terms | None:
        """Return whom the folder is about; None where nothing was begun."""
        document = self._document("terms.json")
        if document is None:
            return None
        with _shape(self.path / "terms.json"):
            if (document["format"], document["version"]) != (FORMAT, VERSION):
                raise ValueError("another format")
            if type(document["chain_id"]) is not int:
                raise TypeError("not a number")
            if not is_checksum_address(document["gateway_keys"]):
                raise ValueError("not an address")
            return Terms(
                url=str(document["url"]),
                protocol=Protocol(document["protocol"]),
                chain_id=document["chain_id"],
                gateway_keys=Address(document["gateway_keys"]),
                app_id=_digest(document["app_id"]),
            )

    def begin(self, terms: Terms) -> None:
        """Make the folder, for its owner alone, and keep the terms."""
        with _writing(self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._keep("terms.json", {"format": FORMAT, "version": VERSION, **asdict(terms)})

    # THE REPORT

    def challenged(self) -> Challenged | None:
        """Return the report last kept; None where there is none, or only a part of it."""
        document, report = self._document("challenge.json"), self._bytes("report.json")
        if document is None or report is None:
            return None
        with _shape(self.path / "challenge.json"):
            if document["report_sha256"] != sha256(report).hexdigest():
                return None
            if type(document["block"]) is not int:
                raise TypeError("not a number")
            return Challenged(
                document["block"],
                _digest(document["nonce"]),
                _key(document["tls_key"]),
                report,
            )

    def keep_report(self, challenged: Challenged) -> None:
        """Keep a report in place of the last one."""
        self._put("report.json", challenged.report)
        self._keep(
            "challenge.json",
            {
                "block": challenged.block,
                "nonce": challenged.nonce,
                "tls_key": challenged.tls_key,
                "report_sha256": sha256(challenged.report).hexdigest(),
            },
        )

    # QUOTES AND JOURNALS

    def keep_quote(self, quote_hash: bytes, quote: bytes) -> Path:
        """Keep a quote of the report, for whoever proves it elsewhere; returns its file."""
        return self._put(f"quote-{quote_hash.hex()[:16]}.bin", quote)

    def journal(self, quote_hash: bytes) -> bytes | None:
        """Return the journal last brought to the notary for a quote."""
        return self._bytes(f"journal-{quote_hash.hex()[:16]}.bin")

    def keep_journal(self, quote_hash: bytes, journal: bytes) -> None:
        """Keep a journal: enrolment needs the very bytes that were notarized."""
        self._put(f"journal-{quote_hash.hex()[:16]}.bin", journal)

    # THE EXCHANGE

    def answered(self) -> Answered | None:
        """Return the exchange's bodies; None where nothing was asked, or not all is there."""
        document = self._document("answer.json")
        request, response = self._bytes("request.bin"), self._bytes("response.bin")
        if document is None or request is None or response is None:
            return None
        with _shape(self.path / "answer.json"):
            hashes = (document["request_sha256"], document["response_sha256"])
            if hashes != (sha256(request).hexdigest(), sha256(response).hexdigest()):
                return None
            return Answered(str(document["id"]), _key(document["tls_key"]), request, response)

    def request(self) -> bytes | None:
        """Return the request last kept, answered or not."""
        return self._bytes("request.bin")

    def keep_request(self, request: bytes) -> None:
        """Keep a request before it is sent: where that cannot be done, nothing is asked."""
        self._put("request.bin", request)

    def keep_answer(self, answered: Answered) -> None:
        """Keep the request's answer in place of the last one, and what was signed about it."""
        self._forget(_EXCHANGE)
        self._put("response.bin", answered.response)
        self._keep(
            "answer.json",
            {
                "id": answered.identifier,
                "tls_key": answered.tls_key,
                "request_sha256": sha256(answered.request).hexdigest(),
                "response_sha256": sha256(answered.response).hexdigest(),
            },
        )

    def paper(self, protocol: Protocol) -> Paper | None:
        """Return what the gateway signed about the answer; None where it was not fetched."""
        document = self._bytes(_signed_name(protocol))
        return None if document is None else Paper(document, self._bytes("session.json"))

    def keep_paper(self, protocol: Protocol, paper: Paper) -> None:
        """Keep what the gateway signed about the answer, in place of what it signed before."""
        self._forget(_EXCHANGE[1:])
        if paper.session is not None:
            self._put("session.json", paper.session)
        self._put(_signed_name(protocol), paper.document)

    def proof(self) -> dict[str, Any] | None:
        """Return what the exchange proved off chain; None where it was not verified whole."""
        return self._document("proof.json")

    def keep_proof(self, proof: dict[str, Any]) -> None:
        """Keep what the exchange proved."""
        self._keep("proof.json", proof)

    # FILES

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            with _writing(self.path / name):
                (self.path / name).unlink(missing_ok=True)

    def _bytes(self, name: str) -> bytes | None:
        path = self.path / name
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(path, error.strerror or "it cannot be read") from error
        if len(data) > MAX_FILE_BYTES:
            raise _unusable(path, f"it is longer than {MAX_FILE_BYTES} bytes")
        return data

    def _document(self, name: str) -> dict[str, Any] | None:
        data = self._bytes(name)
        if data is None:
            return None
        with _shape(self.path / name):
            document = json.loads(data)
            if not isinstance(document, dict):
                raise TypeError("no object")
            return document

    def _keep(self, name: str, document: dict[str, Any]) -> None:
        plain = {
            key: f"0x{value.hex()}" if isinstance(value, bytes) else value
            for key, value in document.items()
        }
        self._put(name, (json.dumps(plain, indent=1) + "\n").encode())

    def _put(self, name: str, data: bytes) -> Path:
        """Write a file as a whole or not at all."""
        path, draft = self.path / name, self.path / f"{name}.new"
        with _writing(path):
            draft.touch(mode=0o600)
            draft.write_bytes(data)
            draft.replace(path)
        return path


def _signed_name(protocol: Protocol) -> str:
    return "receipt.json" if protocol is Protocol.ACI else "signature.json"


def _digest(text: str) -> Bytes32:
    digest = bytes.fromhex(text.removeprefix("0x"))
    if len(digest) != _ID_BYTES:
        raise ValueError("not 32 bytes")
    return Bytes32(digest)


def _key(text: str | None) -> bytes | None:
    return None if text is None else _digest(text)


@contextmanager
def _shape(path: Path) -> Iterator[None]:
    """Turn whatever a file of another shape raises into the one error."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _unusable(path, "it is not what `quotary gateway` wrote") from error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            Reason.FILE_UNREADABLE,
            f"{path} cannot be written: {error.strerror}",
            "name a folder of yours, with room left",
        ) from error


def _unusable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        Reason.FILE_UNREADABLE, f"{path} cannot be used: {why}", "name the exchange's own folder"
    )
