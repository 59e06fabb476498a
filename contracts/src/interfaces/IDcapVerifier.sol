// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Verdict} from "../types/Verdict.sol";
import {ICollateralStore} from "./ICollateralStore.sol";
import {IQuoteVerifier} from "./IQuoteVerifier.sol";

/// @title IDcapVerifier
/// @notice Verifies Intel DCAP quotes down to the root certificate, with nobody to trust.
/// @dev A quote is the last link of a chain: root, collateral, platform, attestation key, quote. What
/// is presented is always checked; what was proven before and is kept may be named instead.
/// - raw quote: as the TEE made it, with its PEM chain.
/// - compact quote: header, body and signature. Beside it either an attestation key id, or the
///   endorsement (attestation key 64, QE report 384, its signature 64, QE authentication data) with a
///   PCK certificate, which is given as DER or named by the Keccak-256 of its DER.
/// All forms give the same verdict. Attributes that open a TEE to others are refused; every TCB status
/// that is not Revoked yields a verdict, which says so.
/// @dev INTEGRATOR RESPONSIBILITIES. Besides those of {IQuoteVerifier}: collateral must be brought to
/// the store in time, and whoever relies on a kept link must ask again when collateral changes.
interface IDcapVerifier is IQuoteVerifier {
    /// @notice The platform with this PCK certificate is proven. `certificate` is Keccak-256 of the DER.
    event PlatformProven(
        bytes32 indexed certificate, bytes32 indexed platformId, bytes6 fmspc, uint64 notAfter
    );

    /// @notice The quoting enclave of a proven platform vouched for this attestation key.
    event AttestationKeyProven(bytes32 indexed attestationKeyId, bytes32 indexed certificate);

    /// @notice Verifies a raw quote; keeps nothing.
    function verify(bytes calldata quote) external view returns (Verdict memory);

    /// @notice Verifies a compact quote under an attestation key that was proven before.
    function verifyCompact(bytes calldata quote, bytes32 attestationKeyId)
        external
        view
        returns (Verdict memory);

    /// @notice Verifies a compact quote with its endorsement by a platform that was proven before;
    /// keeps nothing.
    function verifyEndorsed(bytes calldata quote, bytes calldata endorsement, bytes32 certificate)
        external
        view
        returns (Verdict memory);

    /// @notice Verifies a raw quote; keeps its platform and its attestation key.
    function prove(bytes calldata quote) external returns (Verdict memory);

    /// @notice Verifies a compact quote with its endorsement and a PCK certificate in DER, issued by
    /// `authority` (see {ICollateralStore}); keeps platform and attestation key.
    function proveWithCertificate(
        bytes calldata quote,
        bytes calldata endorsement,
        bytes calldata certificate,
        uint256 authority
    ) external returns (Verdict memory);

    /// @notice As {verifyEndorsed}; keeps the attestation key.
    function proveEndorsed(bytes calldata quote, bytes calldata endorsement, bytes32 certificate)
        external
        returns (Verdict memory);

    /// @notice Looks the platform of a proven attestation key up in the revocation list in force and
    /// remembers it, so that quotes of the key need not until the next list. Anyone may call it; refuses
    /// where the key is not good for quotes now.
    /// @dev Changes what verification costs, nothing else: hence no event.
    /// @param teeType 1, SGX, or 2, TDX: by whose collateral.
    function refresh(bytes32 attestationKeyId, uint256 teeType) external;

    /// @notice What the TCB of a proven attestation key's platform is worth under today's collateral.
    /// @param teeType 1, SGX, or 2, TDX.
    /// @param teeTcbSvn TEE_TCB_SVN of a TD's report; zero for SGX.
    /// @param teeTcbSvn2 TEE_TCB_SVN2 of a TD report from 1.5 on; zero, which is no such value, else.
    function reevaluate(
        bytes32 attestationKeyId,
        uint256 teeType,
        bytes16 teeTcbSvn,
        bytes16 teeTcbSvn2
    ) external view returns (uint8 tcbStatus, uint64 tcbDate, uint64 validFrom, uint64 validUntil);

    /// @notice What is kept of a platform, packed as `PlatformRecord` says; empty where nothing is.
    function platformOf(bytes32 certificate) external view returns (bytes memory);

    /// @notice What is kept of an attestation key, packed as `PlatformRecord` says; empty where
    /// nothing is.
    function attestationKeyOf(bytes32 attestationKeyId) external view returns (bytes memory);

    /// @notice Where the collateral is.
    function STORE() external view returns (ICollateralStore);
}
