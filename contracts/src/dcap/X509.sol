// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Der} from "./Der.sol";
import {Mem} from "./Mem.sol";
import {P256Lib} from "./P256Lib.sol";
import {BIT, check, refuse} from "./Refusal.sol";

/// @notice What a certificate is for.
enum Role {
    None,
    Root,
    PlatformCa,
    ProcessorCa,
    Pck,
    TcbSigning
}

/// @dev A parsed certificate. `tbs` and `sgx` are memory addresses; names and key ids are known by
/// their Keccak-256.
struct Certificate {
    uint256 tbs;
    uint256 tbsLength;
    uint256 serial;
    bytes32 issuer;
    bytes32 subject;
    bytes32 commonName;
    uint256 notBefore;
    uint256 notAfter;
    uint256 x;
    uint256 y;
    bytes32 authorityKeyId;
    bytes32 subjectKeyId;
    uint256 keyUsage;
    bool isCa;
    uint256 pathLength;
    uint256 sgx;
    uint256 sgxLength;
    uint256 r;
    uint256 s;
}

/// @dev What a certificate must say of its issuer.
struct Issuer {
    bytes32 subject;
    bytes32 subjectKeyId;
    uint256 x;
    uint256 y;
}

/// @title X509
/// @notice X.509 certificates as Intel issues them: strict form, roles, names, key ids, signatures.
library X509 {
    uint256 internal constant MAX_BYTES = 4096;
    /// @dev The path length of a certificate that states none.
    uint256 internal constant NO_PATH_LENGTH = type(uint256).max;

    uint256 private constant MAX_EXTENSIONS = 16;
    /// @dev Object ids of the extensions, content only: 2.5.29.x in three bytes, and Intel's in nine.
    uint256 private constant AUTHORITY_KEY_ID = 0x551d23;
    uint256 private constant SUBJECT_KEY_ID = 0x551d0e;
    uint256 private constant KEY_USAGE = 0x551d0f;
    uint256 private constant BASIC_CONSTRAINTS = 0x551d13;
    uint256 private constant CRL_POINTS = 0x551d1f;
    uint256 private constant SGX_EXTENSION = 0x2a864886f84d010d01;
    uint256 private constant COMMON_NAME = 0x550403;

    uint256 private constant DIGITAL_SIGNATURE = 0x80;
    uint256 private constant CA_USAGE = 0x06;

    /// @dev SubjectPublicKeyInfo of an uncompressed key on the named curve P-256, up to its 0x04.
    uint256 private constant KEY_PREFIX = 0x3059301306072a8648ce3d020106082a8648ce3d03010703420004;
    uint256 private constant KEY_PREFIX_LENGTH = 27;
    uint256 private constant KEY_LENGTH = KEY_PREFIX_LENGTH + 64;

    /// @notice Parses the certificate that is all of `[position, position + length)`.
    function parse(uint256 position, uint256 length)
        internal
        pure
        returns (Certificate memory certificate)
    {
        check(length <= MAX_BYTES, "CERT_TOO_LARGE");
        unchecked {
            uint256 end = position + length;
            (uint256 start, uint256 stop) = Der.element(position, end, Der.SEQUENCE);
            Der.finish(stop, end);
            certificate.tbs = start;
            (uint256 body, uint256 bodyEnd) = Der.element(start, stop, Der.SEQUENCE);
            certificate.tbsLength = bodyEnd - start;
            uint256 rest = Der.algorithm(bodyEnd, stop);
            (certificate.r, certificate.s, rest) = Der.signature(rest, stop);
            Der.finish(rest, stop);
            _body(certificate, body, bodyEnd);
        }
    }

    /// @notice Refuses unless name, constraints and key usage are those of `role`.
    function requireRole(Certificate memory certificate, Role role) internal pure {
        check(roleOf(certificate.commonName) == role && role != Role.None, "ISSUER_ROLE");
        bool authority = role == Role.Root || role == Role.PlatformCa || role == Role.ProcessorCa;
        uint256 pathLength = NO_PATH_LENGTH;
        if (authority) pathLength = role == Role.Root ? 1 : 0;
        check(
            certificate.isCa == authority && certificate.pathLength == pathLength,
            "BASIC_CONSTRAINTS"
        );
        uint256 usage = certificate.keyUsage;
        check(
            authority ? usage == CA_USAGE : usage & DIGITAL_SIGNATURE != 0 && usage & CA_USAGE == 0,
            "KEY_USAGE"
        );
    }

    /// @notice Refuses unless `issuer` issued `certificate`: names, key ids and signature.
    function requireIssued(Certificate memory certificate, Issuer memory issuer, bool native)
        internal
        view
    {
        check(certificate.issuer == issuer.subject, "CERT_NAME_MISMATCH");
        check(certificate.authorityKeyId == issuer.subjectKeyId, "KEY_ID_MISMATCH");
        check(
            P256Lib.verify(
                native,
                Mem.sha(certificate.tbs, certificate.tbsLength),
                certificate.r,
                certificate.s,
                issuer.x,
                issuer.y
            ),
            "CERT_SIGNATURE_INVALID"
        );
    }

    /// @notice The role that Intel's common names stand for.
    function roleOf(bytes32 commonName) internal pure returns (Role) {
        if (commonName == "Intel SGX PCK Certificate") return Role.Pck;
        if (commonName == "Intel SGX PCK Platform CA") return Role.PlatformCa;
        if (commonName == "Intel SGX PCK Processor CA") return Role.ProcessorCa;
        if (commonName == "Intel SGX TCB Signing") return Role.TcbSigning;
        if (commonName == "Intel SGX Root CA") return Role.Root;
        return Role.None;
    }

    /// @notice One extension of a certificate or a list: its object id's content, up to 32 bytes of
    /// it, whether it is critical, and where its value is.
    function extension(uint256 position, uint256 end)
        internal
        pure
        returns (uint256 objectId, bool critical, uint256 start, uint256 stop, uint256 next)
    {
        unchecked {
            uint256 inner;
            (inner, next) = Der.element(position, end, Der.SEQUENCE);
            (start, stop) = Der.element(inner, next, Der.OBJECT_ID);
            check(stop - start < 32, "CERT_INVALID");
            // The length is part of the id: else a zero byte in front would not count.
            objectId = Mem.number(start, stop - start) | (stop - start) << 248;
            if (Der.tagAt(stop, next) == Der.BOOLEAN) {
                (critical, stop) = Der.boolean(stop, next);
                if (!critical) Der.bad(); // DER leaves out what is the default
            }
            (start, stop) = Der.element(stop, next, Der.OCTET_STRING);
            Der.finish(stop, next);
        }
    }

    /// @notice Keccak-256 of the key identifier in an authority key identifier extension.
    function authorityKeyId(uint256 position, uint256 end) internal pure returns (bytes32) {
        unchecked {
            (uint256 start, uint256 stop) = Der.element(position, end, Der.SEQUENCE);
            Der.finish(stop, end);
            check(start != stop, "KEY_ID_MISSING");
            uint256 inner;
            (start, inner) = Der.element(start, stop, 0x80);
            Der.finish(inner, stop);
            check(start != inner, "KEY_ID_MISSING");
            return Mem.keccak(start, inner - start);
        }
    }

    /// @notice `objectId` as {extension} returns it.
    function idOf(uint256 content, uint256 length) internal pure returns (uint256) {
        return content | length << 248;
    }

    function _body(Certificate memory certificate, uint256 position, uint256 end) private pure {
        unchecked {
            // [0] EXPLICIT INTEGER 2: version 3.
            check(end - position > 4 && Mem.number(position, 5) == 0xa003020102, "CERT_INVALID");
            (certificate.serial, position) = Der.serial(position + 5, end);
            position = Der.algorithm(position, end);
            uint256 next;
            (, next) = Der.element(position, end, Der.SEQUENCE);
            certificate.issuer = Mem.keccak(position, next - position);
            uint256 start;
            (start, position) = Der.element(next, end, Der.SEQUENCE);
            (certificate.notBefore, start) = Der.time(start, position);
            (certificate.notAfter, start) = Der.time(start, position);
            Der.finish(start, position);
            (start, next) = Der.element(position, end, Der.SEQUENCE);
            certificate.subject = Mem.keccak(position, next - position);
            certificate.commonName = _commonName(start, next);
            (, position) = Der.element(next, end, Der.SEQUENCE);
            check(
                position - next == KEY_LENGTH && Mem.number(next, KEY_PREFIX_LENGTH) == KEY_PREFIX,
                "SIG_ALG_UNEXPECTED"
            );
            certificate.x = Mem.word(position - 64);
            certificate.y = Mem.word(position - 32);
            check(Der.tagAt(position, end) == 0xa3, "CERT_INVALID");
            (start, position) = Der.element(position, end, 0xa3);
            Der.finish(position, end);
            (start, next) = Der.element(start, end, Der.SEQUENCE);
            Der.finish(next, end);
            _extensions(certificate, start, end);
        }
    }

    function _commonName(uint256 position, uint256 end) private pure returns (bytes32 name) {
        uint256 count;
        unchecked {
            while (position != end) {
                uint256 group;
                (group, position) = Der.element(position, end, Der.SET);
                (uint256 start, uint256 stop) = Der.element(group, position, Der.SEQUENCE);
                Der.finish(stop, position);
                uint256 value;
                (start, value) = Der.element(start, stop, Der.OBJECT_ID);
                if (value - start != 3 || Mem.number(start, 3) != COMMON_NAME) continue;
                uint256 tag = Der.tagAt(value, stop);
                check(tag == Der.UTF8_STRING || tag == Der.PRINTABLE_STRING, "CERT_INVALID");
                (start, value) = Der.element(value, stop, tag);
                Der.finish(value, stop);
                ++count;
                for (uint256 i = start; i < value; ++i) {
                    check(Mem.u8(i) < 0x80, "CERT_INVALID");
                }
                // No role has a longer name than a word.
                if (value - start < 33) {
                    name = bytes32(Mem.number(start, value - start) << (256 - 8 * (value - start)));
                }
                if (value == start) name = 0;
            }
        }
        check(count == 1, "CERT_INVALID");
    }

    function _extensions(Certificate memory certificate, uint256 position, uint256 end)
        private
        pure
    {
        uint256[] memory seen = new uint256[](MAX_EXTENSIONS);
        uint256 count;
        uint256 known;
        unchecked {
            while (position != end) {
                uint256 objectId;
                bool critical;
                uint256 start;
                uint256 stop;
                (objectId, critical, start, stop, position) = extension(position, end);
                check(count < MAX_EXTENSIONS, "CERT_INVALID");
                for (uint256 i = 0; i < count; ++i) {
                    check(seen[i] != objectId, "CERT_INVALID");
                }
                seen[count++] = objectId;
                uint256 bit = _read(certificate, objectId, start, stop);
                check(bit != 0 || !critical, "CERT_INVALID");
                known |= bit;
            }
        }
        check(known & 3 == 3, "KEY_ID_MISSING");
        check(known & 4 != 0, "KEY_USAGE");
        check(known & 8 != 0, "BASIC_CONSTRAINTS");
        check(known & 16 != 0, "CERT_INVALID");
    }

    /// @dev Reads one extension; returns its bit, 0 where it is none that we know.
    function _read(Certificate memory certificate, uint256 objectId, uint256 start, uint256 stop)
        private
        pure
        returns (uint256)
    {
        unchecked {
            if (objectId == idOf(AUTHORITY_KEY_ID, 3)) {
                certificate.authorityKeyId = authorityKeyId(start, stop);
                return 1;
            }
            if (objectId == idOf(SUBJECT_KEY_ID, 3)) {
                (uint256 inner, uint256 innerEnd) = Der.element(start, stop, Der.OCTET_STRING);
                Der.finish(innerEnd, stop);
                check(inner != innerEnd, "KEY_ID_MISSING");
                certificate.subjectKeyId = Mem.keccak(inner, innerEnd - inner);
                return 2;
            }
            if (objectId == idOf(KEY_USAGE, 3)) {
                (uint256 inner, uint256 innerEnd) = Der.element(start, stop, Der.BIT_STRING);
                Der.finish(innerEnd, stop);
                uint256 unused = Mem.u8(inner);
                uint256 bits = Mem.u8(inner + 1);
                check(
                    innerEnd - inner == 2 && unused < 8 && bits & ((BIT << unused) - 1) == 0,
                    "KEY_USAGE"
                );
                certificate.keyUsage = bits;
                return 4;
            }
            if (objectId == idOf(BASIC_CONSTRAINTS, 3)) {
                _basicConstraints(certificate, start, stop);
                return 8;
            }
            if (objectId == idOf(CRL_POINTS, 3)) return 16;
            if (objectId == idOf(SGX_EXTENSION, 9)) {
                certificate.sgx = start;
                certificate.sgxLength = stop - start;
                return 32;
            }
            return 0;
        }
    }

    function _basicConstraints(Certificate memory certificate, uint256 position, uint256 end)
        private
        pure
    {
        (uint256 start, uint256 stop) = Der.element(position, end, Der.SEQUENCE);
        Der.finish(stop, end);
        if (Der.tagAt(start, stop) == Der.BOOLEAN) {
            (certificate.isCa, start) = Der.boolean(start, stop);
            if (!certificate.isCa) Der.bad(); // DER leaves out what is the default
        }
        certificate.pathLength = NO_PATH_LENGTH;
        if (Der.tagAt(start, stop) == Der.INTEGER) {
            (certificate.pathLength, start) =
                Der.small(start, stop, Der.INTEGER, 0xff, "BASIC_CONSTRAINTS");
            check(certificate.isCa, "BASIC_CONSTRAINTS");
        }
        Der.finish(start, stop);
    }
}
