// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IRiscZeroSelectable, IRiscZeroVerifier, Receipt} from "../zk/IRiscZeroVerifier.sol";
import {IGoverned} from "./IGoverned.sol";
import {IReceiptRouter} from "./IReceiptRouter.sol";

/// @title IEmergencyStop
/// @notice A receipt verifier that can be stopped, once and for ever.
/// @dev Governor and guardian may stop it at once; and so may anybody who shows that it is broken.
interface IEmergencyStop is IRiscZeroVerifier, IRiscZeroSelectable, IGoverned {
    /// @notice The verifier takes nothing any more.
    /// @param proven whether a proof of exploit stopped it.
    event VerifierStopped(address indexed by, bool proven);

    /// @notice The verifier was stopped, for ever.
    /// @custom:remedy Prove with a release of the prover whose verifier still stands.
    error VerifierIsStopped();

    /// @notice The receipt proves no exploit: its claim is not the digest zero.
    /// @custom:remedy Only a valid receipt for the claim digest zero, which nothing hashes to, will do.
    error InvalidProofOfExploit(bytes32 claimDigest);

    /// @notice Stops it. Governor or guardian.
    function estop() external;

    /// @notice Stops it on the strength of a receipt that verifies for the claim digest zero: nothing
    /// has that digest, so only a forger can make one. Anybody.
    function estop(Receipt calldata receipt) external;

    /// @notice Whether it was stopped.
    function stopped() external view returns (bool);

    /// @notice Who judges the receipts.
    function VERIFIER() external view returns (IRiscZeroVerifier);

    /// @notice Who sends it receipts, and tells the deployment's log where it was stopped.
    function ROUTER() external view returns (IReceiptRouter);
}
