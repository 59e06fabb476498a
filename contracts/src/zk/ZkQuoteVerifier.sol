// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ICollateralHashes} from "../interfaces/ICollateralHashes.sol";
import {IZkQuoteVerifier} from "../interfaces/IZkQuoteVerifier.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {Verdict} from "../types/Verdict.sol";
import {IRiscZeroVerifier} from "./IRiscZeroVerifier.sol";
import {ReceiptQuoteVerifier} from "./ReceiptQuoteVerifier.sol";

/// @title ZkQuoteVerifier
/// @notice Genuine receipts only: a mock seal is refused whatever the receipt verifier would say of it.
contract ZkQuoteVerifier is IZkQuoteVerifier, ReceiptQuoteVerifier {
    /* CONSTANTS */

    uint256 private constant PLATFORM_CA = 1;
    uint256 private constant PROCESSOR_CA = 2;
    /// @dev The PCK revocation list among the collateral hashes: it tells the authority.
    uint256 private constant PCK_CRL = 3;

    /* IMMUTABLES */

    /// @inheritdoc IZkQuoteVerifier
    ICollateralHashes public immutable COLLATERAL;

    /* CONSTRUCTOR */

    constructor(
        IRiscZeroVerifier receiptVerifier,
        bytes32 imageId,
        uint64 maxAge,
        ICollateralHashes collateral
    ) ReceiptQuoteVerifier(receiptVerifier, imageId, maxAge) {
        require(address(collateral).code.length != 0, CollateralHashesMissing(address(collateral)));
        COLLATERAL = collateral;
    }

    /* VIEWS */

    /// @notice Always `Zk`.
    function kind() external pure returns (ProofKind) {
        return ProofKind.Zk;
    }

    /* INTERNAL */

    /// @dev The collateral of `verdict` is what the chain has in force for its platform family.
    function _requireSupport(Verdict calldata verdict) internal view override {
        bytes32[6] memory inForce = _inForce(verdict);
        bytes32[6] calldata claimed = verdict.collateralHashes;
        if (keccak256(abi.encode(claimed)) == keccak256(abi.encode(inForce))) return;
        for (uint256 i = 0; i < 6; ++i) {
            bytes32 actual = claimed[i];
            require(actual == inForce[i], CollateralNotInForce(i, actual, inForce[i]));
        }
    }

    function _accepts(bytes4 selector) internal pure override returns (bool) {
        return selector != MOCK_SELECTOR;
    }

    /* PRIVATE */

    /// @dev A journal does not name its authority: most platforms are under the Platform CA. Where
    /// neither has the journal's revocation list, what the first one has names the difference.
    function _inForce(Verdict calldata verdict) private view returns (bytes32[6] memory hashes) {
        uint256 teeType = verdict.teeType;
        bytes32 pckCrl = verdict.collateralHashes[PCK_CRL];
        bool kept;
        try COLLATERAL.collateralHashes(teeType, verdict.fmspc, PLATFORM_CA) returns (
            bytes32[6] memory found
        ) {
            if (found[PCK_CRL] == pckCrl) return found;
            (hashes, kept) = (found, true);
        } catch {}
        if (!kept) return COLLATERAL.collateralHashes(teeType, verdict.fmspc, PROCESSOR_CA);
        try COLLATERAL.collateralHashes(teeType, verdict.fmspc, PROCESSOR_CA) returns (
            bytes32[6] memory found
        ) {
            if (found[PCK_CRL] == pckCrl) return found;
        } catch {}
    }
}
