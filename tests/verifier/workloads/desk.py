"""Evidence in files, and the commands that verify it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.verifier.workloads.guests import AT, Guest, collateral, simulator
from tests.verifier.workloads.services import REQUEST, RESPONSE, Service
from tests.verifier.workloads.test_chat import REQUEST as CHAT_REQUEST
from tests.verifier.workloads.test_chat import STREAM, report, signature


@dataclass(frozen=True)
class Desk:
    """A folder of evidence, and the options that judge hardware under the test root."""

    folder: Path

    def put(self, name: str, content: object) -> str:
        """Write bytes, or anything else as JSON; returns the file's name."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return str(path)

    @property
    def hardware(self) -> list[str]:
        """Collateral, root and time."""
        return [
            *("--collateral", self.put("collateral.json", collateral())),
            *("--root", self.put("root.der", simulator().root_der)),
            *("--at", AT.isoformat()),
        ]

    def guest(self, guest: Guest) -> list[str]:
        """`quotary workload verify` over a guest."""
        return [
            *("workload", "verify", self.put("getquote.json", guest.document())),
            *("--app-compose", self.put("app-compose.json", guest.compose)),
        ]

    def chat(self) -> list[str]:
        """`quotary chat verify` over an exchange in order."""
        return [
            *("chat", "verify", "--report", self.put("report.json", report())),
            *("--signature", self.put("signature.json", signature())),
            *("--request", self.put("request", CHAT_REQUEST)),
            *("--response", self.put("response", STREAM)),
        ]

    def aci(self, service: Service, receipt: dict[str, Any]) -> list[str]:
        """`quotary aci verify` over a report and a receipt."""
        return [
            *("aci", "verify", "--report", self.put("report.json", service.report())),
            *("--receipt", self.put("receipt.json", receipt)),
            *("--request", self.put("request", REQUEST)),
            *("--response", self.put("response", RESPONSE)),
        ]
