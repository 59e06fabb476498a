"""
What is stored equals what was signed, for every byte of every field.

A peer once lost 16 bytes of an MRSIGNER on the way into storage. Documents of random values are
brought; a quote that matches them exactly gets its status, and one that differs in a single byte of
a single field gets another answer: the very one Python gives, which keeps documents as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from quotary import RawCollateral, TrustRoot
from quotary_enclave.simulator import (
    IsvLevel,
    ModuleIdentity,
    Role,
    Scenario,
    Simulator,
    TcbLevelSpec,
    TdReport,
    samples,
)

from tests.contracts.dcap.agreement import of_python
from tests.contracts.dcap.dcap_world import running_node
from tests.contracts.dcap.onchain_judge import OnChainJudge

AT = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = samples(Simulator(AT, seed=b"round trip"))
DATES = tuple(f"20{year}-0{month}-1{month}T00:00:00Z" for year in (19, 23, 26) for month in (1, 7))
# All of these accept the platform that matches, with advisories of its own.
STATUSES = ("UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "OutOfDate")

Probe = tuple[str, Scenario]


@pytest.fixture(scope="module")
def judge() -> Iterator[OnChainJudge]:
    """One node for the module."""
    with running_node() as node:
        yield OnChainJudge(node)


def below(svns: tuple[int, ...] | bytes, place: int) -> tuple[int, ...]:
    """The SVNs with one of them lower by one."""
    return (*svns[:place], svns[place] - 1, *svns[place + 1 :])


def advisories(dice: Random) -> tuple[str, ...]:
    """Some advisories, of different lengths."""
    count = dice.randrange(1, 5)
    return tuple(f"INTEL-{'DOC' * dice.randrange(3)}-{dice.randrange(10**5)}" for _ in range(count))


def isv_levels(dice: Random, svn: int) -> tuple[IsvLevel, ...]:
    """A level that is just reached, and one below it that says something else."""
    return (
        IsvLevel(svn, "UpToDate", dice.choice(DATES), advisories(dice)),
        IsvLevel(svn - 1, "OutOfDate", dice.choice(DATES), advisories(dice)),
    )


def random_evidence(dice: Random, base: Scenario) -> Scenario:
    """Collateral of random values, and a quote that matches it exactly."""
    svn = dice.randrange(1, 0x10000)
    report = replace(
        base.qe.report,
        mr_signer=dice.randbytes(32),
        misc_select=dice.getrandbits(32),
        flags=dice.getrandbits(64) & ~2,  # no DEBUG
        xfrm=dice.getrandbits(64),
        isv_prod_id=dice.randrange(0x10000),
        isv_svn=svn,
    )
    scenario = base.with_qe(report=report)
    scenario = scenario.with_qe_identity(
        mr_signer=report.mr_signer,
        misc_select=report.misc_select.to_bytes(4, "little").hex(),
        misc_select_mask="FF" * 4,
        attributes=(report.flags.to_bytes(8, "little") + report.xfrm.to_bytes(8, "little")).hex(),
        attributes_mask="FF" * 16,
        isv_prod_id=report.isv_prod_id,
        levels=isv_levels(dice, svn),
        evaluation_number=dice.randrange(1, 1 << 32),
        issue_date=AT - timedelta(seconds=dice.randrange(1, 10**6)),
        next_update=AT + timedelta(seconds=dice.randrange(1, 10**6)),
    )
    return random_platform(dice, scenario)


def random_platform(dice: Random, scenario: Scenario) -> Scenario:
    """TCB info of random values, and the platform and TD that reach its first level exactly."""
    components = tuple(dice.randrange(1, 256) for _ in range(16))
    pce_svn = dice.randrange(1, 0x10000)
    svn = bytes((dice.randrange(1, 256), 1, *(dice.randrange(1, 256) for _ in range(14))))
    tdx = svn if scenario.tdx else bytes(16)
    level = TcbLevelSpec(components, pce_svn, tuple(tdx), dice.choice(STATUSES), dice.choice(DATES))
    lowest = TcbLevelSpec(
        (0,) * 16, 0, (0,) * 16, "OutOfDateConfigurationNeeded", dice.choice(DATES)
    )
    fields: dict[str, object] = {
        "fmspc": dice.randbytes(6),
        "pce_id": dice.randbytes(2),
    }
    scenario = scenario.with_pck(components=components, pce_svn=pce_svn, **fields)  # type: ignore[arg-type]
    if isinstance(scenario.quote.body, TdReport):
        module = ModuleIdentity(signer=dice.randbytes(48), levels=isv_levels(dice, svn[0]))
        scenario = scenario.with_body(tee_tcb_svn=svn, mr_signer_seam=module.signer)
        fields["module_identities"] = (module,)
    return scenario.with_tcb_info(
        **fields,  # type: ignore[arg-type]
        levels=(replace(level, advisories=advisories(dice)), lowest),
        evaluation_number=dice.randrange(1, 1 << 32),
        issue_date=AT - timedelta(seconds=dice.randrange(1, 10**6)),
        next_update=AT + timedelta(seconds=dice.randrange(1, 10**6)),
    )


def probes(good: Scenario) -> Iterator[Probe]:
    """Quotes that differ from the good one in one byte of what a document speaks of."""
    yield from of_enclave(good)
    yield from of_platform(good)
    if isinstance(good.quote.body, TdReport):
        yield from of_module(good, good.quote.body)


def of_enclave(good: Scenario) -> Iterator[Probe]:
    """Another quoting enclave."""
    report = good.qe.report
    for place in range(32):
        yield f"MRSIGNER {place}", good.with_qe_report(mr_signer=flipped(report.mr_signer, place))
    for place in range(8):
        yield f"flags {place}", good.with_qe_report(flags=report.flags ^ 4 << 8 * place)
        yield f"xfrm {place}", good.with_qe_report(xfrm=report.xfrm ^ 1 << 8 * place)
    for place in range(4):
        changed = report.misc_select ^ 1 << 8 * place
        yield f"MISCSELECT {place}", good.with_qe_report(misc_select=changed)
    for place in range(2):
        changed = report.isv_prod_id ^ 1 << 8 * place
        yield f"ISVPRODID {place}", good.with_qe_report(isv_prod_id=changed)
    yield "QE ISVSVN", good.with_qe_report(isv_svn=report.isv_svn - 1)


def of_platform(good: Scenario) -> Iterator[Probe]:
    """Another platform, or one of a lower TCB."""
    pck = good.pck
    for place in range(16):
        yield f"component {place}", good.with_pck(components=below(pck.components, place))
    yield "PCE SVN", good.with_pck(pce_svn=pck.pce_svn - 1)
    for place in range(6):
        yield f"FMSPC {place}", good.with_pck(fmspc=flipped(pck.fmspc, place))
    for place in range(2):
        yield f"PCE id {place}", good.with_pck(pce_id=flipped(pck.pce_id, place))


def of_module(good: Scenario, body: TdReport) -> Iterator[Probe]:
    """Another TDX module, or one of a lower TCB; byte 1 is its major version."""
    for place in (0, *range(2, 16)):
        svn = bytes(below(body.tee_tcb_svn, place))
        yield f"TEE TCB SVN {place}", good.with_body(tee_tcb_svn=svn)
    for place in range(48):
        signer = flipped(body.mr_signer_seam, place)
        yield f"MRSIGNERSEAM {place}", good.with_body(mr_signer_seam=signer)


def flipped(value: bytes, place: int) -> bytes:
    """The value with one bit of one byte changed."""
    return value[:place] + bytes((value[place] ^ 0x10,)) + value[place + 1 :]


@pytest.mark.parametrize("base", ["sgx-v3-platform", "td10-v4-processor"])
def test_every_byte_of_every_field_is_stored(judge: OnChainJudge, base: str) -> None:
    """One good quote and more than eighty that differ from it in one byte each."""
    dice = Random(f"round trip {base}")
    good = random_evidence(dice, SAMPLES[base])
    minted = good.mint()
    raw = RawCollateral.from_json(json.dumps(minted.collateral))
    root = TrustRoot.from_certificate(minted.root_der)
    expected = of_python(minted.quote, raw, root, AT)
    assert isinstance(expected, bytes), expected
    assert judge.judge(minted.quote, raw, root, int(AT.timestamp())) == expected
    tried = 0
    for name, scenario in probes(good):
        quote = scenario.mint().quote
        answer = judge.judge(quote, raw, root, int(AT.timestamp()))
        assert answer == of_python(quote, raw, root, AT), name
        assert isinstance(answer, str) or status(answer) != status(expected), name
        tried += 1
    assert tried >= 80


def status(journal: bytes) -> bytes:
    """What a journal says beside its quote: from the TCB status on, up to the hashes."""
    return journal[:32] + journal[96:]


def test_every_serial_of_a_list_is_stored(judge: OnChainJudge) -> None:
    """129 random serials of all lengths: each revokes, and the numbers beside them do not."""
    dice = Random("serials")
    base = SAMPLES["td10-v4-platform"]
    serials = tuple(dice.getrandbits(dice.choice((8, 64, 128, 152, 158))) + 2 for _ in range(129))
    listed = base.with_pck_crl(revokes=serials).mint()
    raw = RawCollateral.from_json(json.dumps(listed.collateral))
    root = TrustRoot.from_certificate(listed.root_der)
    for serial in (*serials[:20], *(serial + 1 for serial in serials[:20])):
        quote = replace_serial(base, serial).mint().quote
        answer = judge.judge(quote, raw, root, int(AT.timestamp()))
        assert (answer == "CERT_REVOKED") is (serial in serials)
        assert answer == of_python(quote, raw, root, AT)


def replace_serial(base: Scenario, serial: int) -> Scenario:
    """The scenario with another serial number in its PCK certificate."""
    return base.with_certificate(Role.PCK, serial=serial)
