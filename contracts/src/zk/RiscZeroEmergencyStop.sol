// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IEmergencyStop} from "../interfaces/IEmergencyStop.sol";
import {IReceiptRouter} from "../interfaces/IReceiptRouter.sol";
import {Governed} from "../registry/Governed.sol";
import {IRiscZeroSelectable, IRiscZeroVerifier, Receipt} from "./IRiscZeroVerifier.sol";

/// @title RiscZeroEmergencyStop
/// @notice Stands before a receipt verifier, and can be shut once.
/// @dev The verifier itself stays as it is: who wants it unstopped may ask it directly.
contract RiscZeroEmergencyStop is IEmergencyStop, Governed {
    /* IMMUTABLES */

    /// @inheritdoc IEmergencyStop
    IRiscZeroVerifier public immutable VERIFIER;
    /// @inheritdoc IEmergencyStop
    IReceiptRouter public immutable ROUTER;
    /// @inheritdoc IRiscZeroSelectable
    bytes4 public immutable SELECTOR;

    /* STORAGE */

    /// @inheritdoc IEmergencyStop
    bool public stopped;

    /* CONSTRUCTOR */

    constructor(
        IRiscZeroVerifier verifier,
        IReceiptRouter router,
        address governor,
        address guardian
    ) Governed(governor, guardian) {
        require(address(verifier) != address(0) && address(router) != address(0), ZeroAddress());
        VERIFIER = verifier;
        ROUTER = router;
        SELECTOR = IRiscZeroSelectable(address(verifier)).SELECTOR();
    }

    /* STOP */

    /// @inheritdoc IEmergencyStop
    function estop() external {
        _requireGovernorOrGuardian();
        _stop(false);
    }

    /// @inheritdoc IEmergencyStop
    function estop(Receipt calldata receipt) external {
        require(receipt.claimDigest == 0, InvalidProofOfExploit(receipt.claimDigest));
        VERIFIER.verifyIntegrity(receipt);
        _stop(true);
    }

    /* VERIFICATION */

    /// @inheritdoc IRiscZeroVerifier
    function verify(bytes calldata seal, bytes32 imageId, bytes32 journalDigest) external view {
        require(!stopped, VerifierIsStopped());
        VERIFIER.verify(seal, imageId, journalDigest);
    }

    /// @inheritdoc IRiscZeroVerifier
    function verifyIntegrity(Receipt calldata receipt) external view {
        require(!stopped, VerifierIsStopped());
        VERIFIER.verifyIntegrity(receipt);
    }

    /* PRIVATE */

    function _stop(bool proven) private {
        require(!stopped, VerifierIsStopped());
        stopped = true;
        emit VerifierStopped(msg.sender, proven);
        ROUTER.reportStop(SELECTOR, msg.sig, msg.sender);
    }
}
