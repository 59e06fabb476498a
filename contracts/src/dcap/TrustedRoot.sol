// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ICollateralStore} from "../interfaces/ICollateralStore.sol";
import {Mem} from "./Mem.sol";
import {P256Lib} from "./P256Lib.sol";
import {Certificate, Issuer, Role, X509} from "./X509.sol";

/// @title TrustedRoot
/// @notice The one certificate that all collateral must lead to, fixed at deployment.
abstract contract TrustedRoot is ICollateralStore {
    /* IMMUTABLES */

    /// @inheritdoc ICollateralStore
    bytes32 public immutable ROOT_KEY_HASH;
    /// @inheritdoc ICollateralStore
    bytes32 public immutable ROOT_CERTIFICATE;

    /// @notice Whether P-256 is verified by the chain's precompile.
    bool public immutable NATIVE_P256;

    bytes32 internal immutable _ROOT_SUBJECT;
    uint256 internal immutable _ROOT_SERIAL;
    /// @dev notBefore and notAfter, as ten bytes.
    uint256 internal immutable _ROOT_WINDOW;
    bytes32 private immutable _ROOT_KEY_ID;
    uint256 private immutable _ROOT_X;
    uint256 private immutable _ROOT_Y;

    /* CONSTRUCTOR */

    /// @param root The DER of the self-signed root certificate that is trusted, for ever.
    constructor(bytes memory root) {
        bool native = P256Lib.selfTest();
        Certificate memory certificate = X509.parse(Mem.at(root), root.length);
        X509.requireRole(certificate, Role.Root);
        X509.requireIssued(
            certificate,
            Issuer(certificate.subject, certificate.subjectKeyId, certificate.x, certificate.y),
            native
        );
        NATIVE_P256 = native;
        ROOT_KEY_HASH = sha256(abi.encode(certificate.x, certificate.y));
        ROOT_CERTIFICATE = keccak256(root);
        _ROOT_SUBJECT = certificate.subject;
        _ROOT_KEY_ID = certificate.subjectKeyId;
        _ROOT_X = certificate.x;
        _ROOT_Y = certificate.y;
        _ROOT_SERIAL = certificate.serial;
        _ROOT_WINDOW = certificate.notBefore << 40 | certificate.notAfter;
    }

    /// @dev What certificates and lists that the root issued must name.
    function _root() internal view returns (Issuer memory) {
        return Issuer(_ROOT_SUBJECT, _ROOT_KEY_ID, _ROOT_X, _ROOT_Y);
    }
}
