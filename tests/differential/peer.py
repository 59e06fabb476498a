"""
dcap-qvl 0.7.0 behind a pipe, because some evidence makes it abort the whole process.

Run as a program it answers one line of JSON with another, for as long as it lives.
"""

from __future__ import annotations

import json
import subprocess
import sys
from types import TracebackType
from typing import Any, Self

import dcap_qvl

__all__ = ["ABORTED", "Peer"]

ABORTED = "the peer aborted"


class Peer:
    """A peer process, started anew whenever it dies. Use it in a `with` block."""

    def __init__(self) -> None:
        """Nothing is started before the first question."""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the process."""
        self._stop()

    def ask(
        self, quote: bytes, collateral: str, root_der: bytes, at: int
    ) -> tuple[dict[str, Any] | None, str]:
        """The peer's claims, or None and why it refuses; `ABORTED` when that killed it."""
        process = self._process or self._start()
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the peer has no pipes")
        question = [quote.hex(), collateral, root_der.hex(), at]
        try:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self._stop()
            return None, ABORTED
        claims, refusal = json.loads(answer)
        return claims, refusal

    def _start(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        process.wait(timeout=300)


def _judge(quote: str, text: str, root: str, at: int) -> tuple[dict[str, Any] | None, str]:
    root_der, raw = bytes.fromhex(root), bytes.fromhex(quote)
    try:
        collateral = dcap_qvl.QuoteCollateralV3.from_json(text)
        dcap_qvl.verify_with_root_ca(raw, collateral, root_der, at)
        verifier = dcap_qvl.QuoteVerifier(root_der)
        policy = dcap_qvl.QuotePolicy.claims_only(at)
        claims = verifier.verify_with_policy(raw, collateral, at, policy)
    except ValueError as error:
        return None, str(error).replace("\n", " ")[:200]
    return json.loads(claims.to_json()), ""


def main() -> None:
    """Answer until the questions end."""
    for line in sys.stdin:
        print(json.dumps(_judge(*json.loads(line))), flush=True)  # noqa: T201 - the pipe


if __name__ == "__main__":
    main()
