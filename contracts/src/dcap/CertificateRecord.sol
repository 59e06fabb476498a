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
        bytes32 tbs = Mem.sha(certificate.tbs, certificate.tbsLength);
        return abi.encodePacked(
            certificate.x,
            certificate.y,
            uint40(certificate.notBefore),
            uint40(certificate.notAfter),
            uint160(certificate.serial),
            tbs,
            der,
            certificate.subject,
            certificate.subjectKeyId
        );
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
