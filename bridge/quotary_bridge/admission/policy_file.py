"""A policy for a chain as a TOML file, and back to words."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from quotary import TcbStatus

from quotary_bridge.chain.contracts import ProofKind
from quotary_bridge.chain.contracts.policy import PolicyRules
from quotary_bridge.errors import ConfigurationError, Reason

__all__ = [
    "MAX_FILE_BYTES",
    "differences",
    "parse_rules",
    "rules_in_words",
    "subject_in_words",
    "subject_of",
]

MAX_FILE_BYTES = 1 << 16
_DAY = 86_400
_MAX_GRACE_DAYS = 90
"""As `TcbPolicy.MAX_GRACE`."""
_MAX_SHARING = 8
"""As `WorkerRecordLib.PLACES`."""
_MAX_ENTRIES = 128
"""As `TcbPolicy.MAX_ENTRIES`."""
_WORD, _KEY_BYTES, _FMSPC_BYTES, _ATTRIBUTE_BYTES = 32, 20, 6, 8
_UINT32 = 2**32 - 1

Fields = dict[str, Any]

_STATUSES = {status.value: status.code for status in TcbStatus if status is not TcbStatus.REVOKED}
_KINDS = {
    "OnChain": ProofKind.ON_CHAIN,
    "Zk": ProofKind.ZK,
    "Committee": ProofKind.COMMITTEE,
    "Stub": ProofKind.STUB,
}
# What a policy that names no kinds takes: whatever proves anything.
_PROVING = ("OnChain", "Zk", "Committee")


def parse_rules(text: bytes) -> PolicyRules:
    """
    Read a policy file; docs/governance.md says what it may hold.

    Raises `ConfigurationError` (`POLICY_INVALID`) with the key that is wrong.
    """
    try:
        document = tomllib.loads(text.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise _invalid("the file", f"is no TOML ({error})") from None
    unknown = sorted(document.keys() - _KEYS.keys())
    if unknown:
        raise _invalid(unknown[0], f"is not among {', '.join(_KEYS)}")
    if document.get("version") != 1:
        raise _invalid("version", "is not 1")
    fields: Fields = {}
    for key, read in _KEYS.items():
        if key in document:
            fields |= read(key, document[key])
    if "accepted_statuses" not in fields:
        raise _invalid("statuses", "is missing")
    fields.setdefault("accepted_kinds", _bits(_KINDS[name] for name in _PROVING))
    if fields.get("kinds_needed", 1) > fields["accepted_kinds"].bit_count():
        raise _invalid("proof_kinds_needed", "is more than the kinds that are accepted")
    return PolicyRules(**fields)


def rules_in_words(rules: PolicyRules) -> dict[str, str]:
    """Return rules by the keys of a policy file, each as people read it."""
    graces = [
        f"{name} {_days(rules.graces[code - 1])}"
        for name, code in _STATUSES.items()
        if rules.graces[code - 1]
    ]
    age = rules.max_collateral_age
    return {
        "statuses": _named(_STATUSES, rules.accepted_statuses),
        "proof_kinds": _named(_KINDS, rules.accepted_kinds),
        "proof_kinds_needed": str(max(1, rules.kinds_needed)),
        "workers_per_platform": str(max(1, rules.workers_per_platform)),
        "minimum_evaluation": str(rules.min_evaluation_number),
        "maximum_age_days": _days(age) if age else "as long as collateral is valid",
        "attributes_forbidden": rules.forbidden_attributes.hex(),
        "grace_days": ", ".join(graces) or "none",
        "denied": ", ".join(sorted(map(subject_in_words, rules.denied))) or "nothing",
        "platforms": ", ".join(sorted(item.hex() for item in rules.platforms)) or "any",
    }


def subject_of(name: str) -> bytes | None:
    """
    Return what the contract knows under a name, left aligned; None where it is no name.

    An advisory's id, an FMSPC, a worker's address, the id of a platform or a measurement, or a kind
    of proof by its word, which is a number.
    """
    if name in _KINDS:
        return int(_KINDS[name]).to_bytes(_WORD)
    if name.startswith("INTEL-") and name.isascii() and len(name) <= _WORD:
        return name.encode().ljust(_WORD, b"\0")
    digits = name.removeprefix("0x")
    if len(digits) not in {2 * size for size in (_FMSPC_BYTES, _KEY_BYTES, _WORD)}:
        return None
    try:
        return bytes.fromhex(digits).ljust(_WORD, b"\0")
    except ValueError:
        return None


def subject_in_words(subject: bytes) -> str:
    """Return a subject as people name it; of an id that the chain kept in part, its 20 bytes."""
    text = subject.rstrip(b"\0")
    if text.startswith(b"INTEL-"):
        return text.decode("ascii", "replace")
    if not any(subject[:_KEY_BYTES]):
        number = int.from_bytes(subject)
        return next((name for name, kind in _KINDS.items() if kind == number), subject.hex())
    if not any(subject[_FMSPC_BYTES:]):
        return subject[:_FMSPC_BYTES].hex()
    return f"0x{subject[:_KEY_BYTES].hex()}" if not any(subject[_KEY_BYTES:]) else subject.hex()


def differences(before: PolicyRules, after: PolicyRules) -> dict[str, tuple[str, str]]:
    """Return what differs, by the keys of a policy file: in force, and proposed."""
    old, new = rules_in_words(before), rules_in_words(after)
    return {key: (old[key], new[key]) for key in old if old[key] != new[key]}


def _statuses(key: str, value: object) -> Fields:
    return {"accepted_statuses": _bits(_code(key, _STATUSES, name) for name in _names(key, value))}


def _kinds(key: str, value: object) -> Fields:
    return {"accepted_kinds": _bits(_code(key, _KINDS, name) for name in _names(key, value))}


def _kinds_needed(key: str, value: object) -> Fields:
    needed = _number(key, value, len(_KINDS))
    if needed == 0:
        raise _invalid(key, "is 0: leave it out where the registration's own kind is enough")
    return {"kinds_needed": needed}


def _sharing(key: str, value: object) -> Fields:
    most = _number(key, value, _MAX_SHARING)
    if most == 0:
        raise _invalid(key, "is 0: leave it out where a platform serves with one worker")
    return {"workers_per_platform": most}


def _evaluation(key: str, value: object) -> Fields:
    return {"min_evaluation_number": _number(key, value, _UINT32)}


def _age(key: str, value: object) -> Fields:
    days = _number(key, value, _UINT32 // _DAY)
    if days == 0:
        raise _invalid(key, "is 0: leave it out for as long as collateral is valid")
    return {"max_collateral_age": days * _DAY}


def _attributes(key: str, value: object) -> Fields:
    return {"forbidden_attributes": _hex(key, value, _ATTRIBUTE_BYTES)}


def _graces(key: str, value: object) -> Fields:
    if not isinstance(value, Mapping):
        raise _invalid(key, "is no table of statuses and days")
    graces = [0] * len(_STATUSES)
    for name, days in value.items():
        code = _code(key, _STATUSES, str(name))
        graces[code - 1] = _number(f"{key}.{name}", days, _MAX_GRACE_DAYS) * _DAY
    return {"graces": tuple(graces)}


def _denied(key: str, value: object) -> Fields:
    return {"denied": tuple(_subject(key, name) for name in _names(key, value, empty=True))}


def _platforms(key: str, value: object) -> Fields:
    return {"platforms": tuple(_hex(key, name, _WORD) for name in _names(key, value))}


_KEYS: Mapping[str, Callable[[str, object], Fields]] = {
    "version": lambda *_: {},
    "statuses": _statuses,
    "proof_kinds": _kinds,
    "proof_kinds_needed": _kinds_needed,
    "workers_per_platform": _sharing,
    "minimum_evaluation": _evaluation,
    "maximum_age_days": _age,
    "attributes_forbidden": _attributes,
    "grace_days": _graces,
    "denied": _denied,
    "platforms": _platforms,
}


def _names(key: str, value: object, *, empty: bool = False) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _invalid(key, "is no list of texts")
    if not names and not empty:
        raise _invalid(key, "is empty")
    if len(names) > _MAX_ENTRIES:
        raise _invalid(key, f"has more than {_MAX_ENTRIES} entries")
    if len(set(names)) != len(names):
        raise _invalid(key, "names something twice")
    return names


def _code(key: str, codes: Mapping[str, int], name: str) -> int:
    if name not in codes:
        raise _invalid(key, f"names {name!r}, which is not among {', '.join(codes)}")
    return codes[name]


def _number(key: str, value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise _invalid(key, f"is no whole number from 0 to {most}")
    return value


def _hex(key: str, value: object, size: int) -> bytes:
    try:
        parsed = bytes.fromhex(str(value).removeprefix("0x"))
    except ValueError:
        parsed = b""
    if len(parsed) != size:
        raise _invalid(key, f"holds {value!r}, which is not {size} bytes of hexadecimal")
    return parsed


def _subject(key: str, name: str) -> bytes:
    """An advisory by its id, a platform family by its FMSPC, or one platform by its id."""
    if name.startswith("INTEL-") and name.isascii() and len(name) <= _WORD:
        return name.encode().ljust(_WORD, b"\0")
    size = _FMSPC_BYTES if len(name.removeprefix("0x")) == 2 * _FMSPC_BYTES else _WORD
    return _hex(key, name, size).ljust(_WORD, b"\0")


def _bits(codes: Iterable[int]) -> int:
    return sum(1 << code for code in set(codes))


def _named(codes: Mapping[str, int], bits: int) -> str:
    return ", ".join(name for name, code in codes.items() if bits >> code & 1)


def _days(seconds: int) -> str:
    days, rest = divmod(seconds, _DAY)
    return str(days) if rest == 0 else f"{seconds / _DAY:.2f}"


def _invalid(key: str, problem: str) -> ConfigurationError:
    return ConfigurationError(
        Reason.POLICY_INVALID, f"policy file: {key} {problem}", "docs/governance.md lists the keys"
    )
