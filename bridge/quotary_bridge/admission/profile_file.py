"""
A profile as people write it: every field of a measurement by name, wildcards by hand.

```toml
version = 1
tee = "tdx"
mrtd = "63…"                                              # exactly this
rtmr0 = "*"                                               # anything
td_attributes = { value = "0000001000000000", mask = "ffffff1fffffffff" }
isvsvn = { minimum = 3 }                                  # SGX: at least this
```

No field may be left out: a wildcard is always explicit. What no field covers must be zero.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping

from quotary import TeeType

from quotary_bridge.chain.contracts.profiles import FIELDS, RESERVED, Profile
from quotary_bridge.errors import ConfigurationError, Reason

__all__ = ["MAX_PROFILE_BYTES", "parse_profile", "profile_lines", "profile_text"]

MAX_PROFILE_BYTES = 64 * 1024
"""All fields of a TD, written out with masks, need a twentieth of it."""

_VERSION = 1
_TEES = {"sgx": TeeType.SGX, "tdx": TeeType.TDX}
_LENGTHS = {TeeType.SGX: 304, TeeType.TDX: 448}
_NUMBERS = frozenset({"isvprodid", "isvsvn", "configsvn"})
_WILDCARD = "*"
_MAX_SVN = 0xFFFF


def parse_profile(data: bytes) -> Profile:
    """Read a profile file; raises `ConfigurationError(CONFIGURATION_INVALID)` naming the field."""
    try:
        document = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise _invalid(f"it is no TOML: {error}") from None
    if document.pop("version", None) != _VERSION:
        raise _invalid(f"version must be {_VERSION}")
    tee = _TEES.get(str(document.pop("tee", None)))
    if tee is None:
        raise _invalid(f"tee must be one of {', '.join(_TEES)}")
    for name in sorted({*document, *FIELDS[tee]}):
        if name not in FIELDS[tee]:
            raise _invalid(f"{name} is no field of a measurement")
        if name not in document:
            raise _invalid(f'{name} is missing; write "{_WILDCARD}" where it may be anything')
    return _profile(tee, document)


def profile_text(tee_type: TeeType, measurement: bytes) -> str:
    """Return the file that pins every field to what `measurement` has."""
    tee = next(name for name, found in _TEES.items() if found is tee_type)
    lines = [f"version = {_VERSION}", f'tee = "{tee}"']
    for name, (offset, length) in FIELDS[tee_type].items():
        lines.append(f'{name} = "{measurement[offset : offset + length].hex()}"')
    return "\n".join(lines) + "\n"


def profile_lines(profile: Profile) -> Iterator[str]:
    """Say field by field what a profile asks for."""
    for name, (offset, length) in FIELDS[profile.tee_type].items():
        mask, value = (part[offset : offset + length] for part in (profile.mask, profile.value))
        if name == "isvsvn" and profile.min_svn:
            yield f"{name:<14} at least {profile.min_svn}"
        elif not any(mask):
            yield f"{name:<14} {_WILDCARD}  ANYTHING"
        elif mask == b"\xff" * length:
            yield f"{name:<14} {value.hex()}"
        else:
            yield f"{name:<14} {value.hex()} under the mask {mask.hex()}"


def _profile(tee: TeeType, document: Mapping[str, object]) -> Profile:
    mask, value = bytearray(_LENGTHS[tee]), bytearray(_LENGTHS[tee])
    min_svn = 0
    for offset, length in RESERVED[tee]:
        mask[offset : offset + length] = b"\xff" * length
    for name, (offset, length) in FIELDS[tee].items():
        said = document[name]
        if name == "isvsvn" and isinstance(said, dict) and said.keys() == {"minimum"}:
            min_svn = _minimum(said["minimum"])
            continue
        found, bits = _field(name, said, length)
        if any(a & ~b for a, b in zip(found, bits, strict=True)):
            raise _invalid(f"{name} has bits that its mask leaves out")
        mask[offset : offset + length], value[offset : offset + length] = bits, found
    return Profile(tee, min_svn, bytes(mask), bytes(value))


def _field(name: str, said: object, length: int) -> tuple[bytes, bytes]:
    """Return value and mask of one field."""
    exact = b"\xff" * length
    if said == _WILDCARD:
        return bytes(length), bytes(length)
    if isinstance(said, dict) and said.keys() == {"value", "mask"}:
        return _bytes(name, said["value"], length), _bytes(name, said["mask"], length)
    if name in _NUMBERS and type(said) is int and 0 <= said <= _MAX_SVN:
        return said.to_bytes(length, "little"), exact
    return _bytes(name, said, length), exact


def _bytes(name: str, said: object, length: int) -> bytes:
    try:
        found = bytes.fromhex(said.removeprefix("0x")) if isinstance(said, str) else b""
    except ValueError:
        found = b""
    if len(found) != length:
        raise _invalid(
            f'{name} must be {length} bytes in hexadecimal, {{ value, mask }}, or "{_WILDCARD}"'
        )
    return found


def _minimum(said: object) -> int:
    if type(said) is not int or not 1 <= said <= _MAX_SVN:
        raise _invalid(f"the minimum of isvsvn must be from 1 to {_MAX_SVN}")
    return said


def _invalid(why: str) -> ConfigurationError:
    return ConfigurationError(
        Reason.CONFIGURATION_INVALID,
        f"this is no profile: {why}",
        "begin with what quotary measurement profile --of QUOTE prints",
    )
