"""Revocation lists of any length: the simulator takes minutes for thousands of entries."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from cryptography.x509 import load_der_x509_crl
from quotary_enclave.simulator import Platform
from quotary_enclave.simulator.der import integer, sequence
from quotary_enclave.simulator.pki import resigned

__all__ = ["minted", "serials"]

_FORMS = tuple(
    bytes.fromhex(form)
    for form in (
        "170d3236303130313030303030305a",  # a date alone
        "170d3236303230313030303030305a300c300a0603551d1504030a0101",  # key compromise
        "170d3236303230313030303030305a300c300a0603551d1504030a0100",  # unspecified
        "180f32303530303130313030303030305a",  # a later century's form of a date
    )
)


def serials(count: int) -> tuple[int, ...]:
    """Serial numbers as Intel draws them: of twenty bytes, some with the top bit, some shorter."""
    dice = random.Random(count)
    sizes = (160, 160, 160, 160, 160, 160, 160, 150)
    return tuple({dice.getrandbits(dice.choice(sizes)) | 1: None for _ in range(count)})


def minted(machine: Platform, numbers: Sequence[int], this_update: datetime) -> bytes:
    """The list of the machine's CA with these entries in this order."""
    spec = machine.collateral_spec(tdx=True).pck_crl
    spec = replace(spec, this_update=this_update, revokes=(1,))
    fields = _elements(_content(load_der_x509_crl(spec.mint(machine.pki)).tbs_certlist_bytes))
    forms = itertools.cycle((*_FORMS[:1] * 50, *_FORMS))
    entries = (
        sequence(integer(number), form) for number, form in zip(numbers, forms, strict=False)
    )
    fields[5] = sequence(*entries)
    return resigned(sequence(*fields), (), machine.pki.key(machine.ca))


def _elements(data: bytes) -> list[bytes]:
    """The elements that follow each other, whole."""
    found = []
    while data:
        size = data[1] & 0x7F if data[1] & 0x80 else 0
        length = int.from_bytes(data[2 : 2 + size]) if size else data[1]
        found.append(data[: 2 + size + length])
        data = data[2 + size + length :]
    return found


def _content(element: bytes) -> bytes:
    """What is in an element."""
    return element[2 + (element[1] & 0x7F if element[1] & 0x80 else 0) :]
