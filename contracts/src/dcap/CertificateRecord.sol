// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Mem} from "./Mem.sol";
import {Certificate, Issuer} from "./X509.sol";

/// @title CertificateRecord
/// @notice The packed form of a certificate that was proven.
/// @dev x (32), y (32), notBefore (5), notAfter (5), serial number (20), SHA-256 of `tbsCertificate`
/// (32), Keccak-256 of the DER (32), of the subject's DER (32) and of the subject key id (32).
library CertificateRecord {
    uint256 private constant LENGTH = 222;

    /// @notice Packs `certificate`, whose DER has the Keccak-256 `der`.
    function pack(Certificate memory certificate, bytes32 der)
        internal
        view
        returns (bytes memory record)
    {
        record = new bytes(LENGTH);
        unchecked {
            uint256 p = Mem.at(record);
            Mem.store(p, certificate.x);
            Mem.store(p + 32, certificate.y);
            Mem.store(p + 64, certificate.notBefore << 216 | certificate.notAfter << 176);
            Mem.store(p + 74, certificate.serial << 96);
            Mem.store(p + 94, uint256(Mem.sha(certificate.tbs, certificate.tbsLength)));
            Mem.store(p + 126, uint256(der));
            Mem.store(p + 158, uint256(certificate.subject));
            Mem.store(p + 190, uint256(certificate.subjectKeyId));
        }
    }

    /// @notice What children of the certificate must name.
    function issuer(bytes memory record) internal pure returns (Issuer memory) {
        uint256 p = Mem.at(record);
        return Issuer(
            bytes32(Mem.word(p + 158)), bytes32(Mem.word(p + 190)), Mem.word(p), Mem.word(p + 32)
        );
    }

    /// @notice notBefore and notAfter, as ten bytes.
    function window(bytes memory record) internal pure returns (uint256) {
        return Mem.number(Mem.at(record) + 64, 10);
    }

    /// @notice The serial number.
    function serial(bytes memory record) internal pure returns (uint256) {
        return Mem.number(Mem.at(record) + 74, 20);
    }

    /// @notice SHA-256 of `tbsCertificate`.
    function tbsHash(bytes memory record) internal pure returns (bytes32) {
        return bytes32(Mem.word(Mem.at(record) + 94));
    }

    /// @notice Keccak-256 of the DER.
    function derHash(bytes memory record) internal pure returns (bytes32) {
        return bytes32(Mem.word(Mem.at(record) + 126));
    }
}
