// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ICollateralStore} from "../interfaces/ICollateralStore.sol";
import {CertificateRecord} from "./CertificateRecord.sol";
import {Mem} from "./Mem.sol";
import {P256Lib} from "./P256Lib.sol";
import {PckLib} from "./PckLib.sol";
import {Pem} from "./Pem.sol";
import {PlatformRecord} from "./PlatformRecord.sol";
import {check} from "./Refusal.sol";
import {Certificate, Role, X509} from "./X509.sol";

/// @title PckChainProver
/// @notice Step 3: the PCK chain leads from the pinned root to the platform. A part of {DcapVerifier},
/// which deploys its own: apart only because one contract may not be that long (EIP-170).
/// @dev Revocation and validity are for the caller, who has the collateral. Records are those of
/// {PlatformRecord}, the epoch of the authority's key left at zero.
contract PckChainProver {
    /* IMMUTABLES */

    ICollateralStore private immutable _STORE;
    bytes32 private immutable _ROOT_CERTIFICATE;
    bool private immutable _NATIVE_P256;

    /* CONSTRUCTOR */

    constructor(ICollateralStore store, bool native) {
        _STORE = store;
        _ROOT_CERTIFICATE = store.ROOT_CERTIFICATE();
        _NATIVE_P256 = native;
    }

    /* PROOF */

    /// @notice Proves the PEM chain of a raw quote: leaf, PCK CA, root.
    /// @return record The platform's.
    /// @return id Keccak-256 of the leaf's DER.
    function proveChain(bytes memory pem) external view returns (bytes memory record, bytes32 id) {
        bytes[] memory chain = Pem.split(Mem.at(pem), pem.length);
        check(keccak256(chain[2]) == _ROOT_CERTIFICATE, "ROOT_NOT_PINNED");
        uint256 authority = _STORE.authorityOf(keccak256(chain[1]));
        if (authority == 0) _STORE.refuseAuthority(chain[1]);
        return (_prove(chain[0], authority), keccak256(chain[0]));
    }

    /// @notice Proves a PCK certificate in DER, issued by `authority`.
    function proveLeaf(bytes memory der, uint256 authority)
        external
        view
        returns (bytes memory record)
    {
        return _prove(der, authority);
    }

    function _prove(bytes memory der, uint256 authority) private view returns (bytes memory) {
        Certificate memory certificate = X509.parse(Mem.at(der), der.length);
        X509.requireRole(certificate, Role.Pck);
        bytes memory issuer = _STORE.authorityRecord(authority);
        X509.requireIssued(certificate, CertificateRecord.issuer(issuer), _NATIVE_P256);
        return PlatformRecord.pack(
            certificate, PckLib.parse(certificate.sgx, certificate.sgxLength), authority
        );
    }
}
