"""One scenario of every kind of quote there is, for tests that must hold for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from quotary_enclave.simulator.platform import Platform
from quotary_enclave.simulator.quotes import CertificationType, Version
from quotary_enclave.simulator.reports import SgxReport, TdReport
from quotary_enclave.simulator.scenario import Scenario
from quotary_enclave.simulator.simulator import Simulator

__all__ = ["sample_enclave", "sample_td", "samples"]

_EXTENSION_OCTETS = 237


def sample_enclave(sim: Simulator) -> SgxReport:
    """An enclave with telling measurements, so that no two fields are equal by accident."""
    keys = sim.pki.keys
    return SgxReport(
        mr_enclave=keys.octets("sample/mr-enclave", 32),
        mr_signer=keys.octets("sample/mr-signer", 32),
        report_data=keys.octets("sample/report-data", 64),
        cpu_svn=keys.octets("sample/cpu-svn", 16),
        isv_prod_id=7,
        isv_svn=3,
    )


def sample_td(sim: Simulator) -> TdReport:
    """A TD with telling measurements, as a TD 1.0 report."""
    keys = sim.pki.keys
    first, second, third, fourth = (keys.octets(f"sample/rtmr{index}", 48) for index in range(4))
    return TdReport(
        mr_seam=keys.octets("sample/mr-seam", 48),
        mr_td=keys.octets("sample/mr-td", 48),
        mr_config_id=keys.octets("sample/mr-config-id", 48),
        rtmrs=(first, second, third, fourth),
        report_data=keys.octets("sample/report-data", 64),
    )


def samples(sim: Simulator) -> Mapping[str, Scenario]:
    """
    Good evidence by name: every version, report, CA and type of certification data.

    The names read `td15-v5-platform`; certification data other than a PEM chain adds `-type3`.
    """
    return MappingProxyType(dict(_samples(sim)))


def _samples(sim: Simulator) -> Iterator[tuple[str, Scenario]]:
    enclave, td = sample_enclave(sim), sample_td(sim)
    newer = replace(td, tee_tcb_svn2=td.tee_tcb_svn)
    extended = replace(newer, extension=sim.pki.keys.octets("sample/extension", _EXTENSION_OCTETS))
    kinds: tuple[tuple[str, SgxReport | TdReport, Version], ...] = (
        ("sgx-v3", enclave, Version.V3),
        ("sgx-v4", enclave, Version.V4),
        ("sgx-v5", enclave, Version.V5),
        ("td10-v4", td, Version.V4),
        ("td10-v5", td, Version.V5),
        ("td15-v5", newer, Version.V5),
        ("td15ex-v5", extended, Version.V5),
    )
    for ca in ("platform", "processor"):
        platform = _platform(sim, ca)
        for name, body, version in kinds:
            yield f"{name}-{ca}", platform.scenario(body, version=version)
    platform = _platform(sim, "platform")
    for name, body, version in (kinds[0], kinds[3], kinds[5]):
        for kind in CertificationType:
            if kind < CertificationType.PCK_CHAIN:
                scenario = platform.scenario(body, version=version, certification_type=kind)
                yield f"{name}-platform-type{kind}", scenario


def _platform(sim: Simulator, ca: str) -> Platform:
    return sim.platform(f"sample {ca}", ca="platform" if ca == "platform" else "processor")
