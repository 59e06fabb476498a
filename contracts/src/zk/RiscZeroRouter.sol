// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IChangeLog} from "../interfaces/IChangeLog.sol";
import {IReceiptRouter, SelectorStatus} from "../interfaces/IReceiptRouter.sol";
import {Reporting} from "../registry/Reporting.sol";
import {IRiscZeroSelectable, IRiscZeroVerifier, Receipt} from "./IRiscZeroVerifier.sol";

/// @title RiscZeroRouter
/// @notice Sends each receipt to the verifier of the release that made it.
contract RiscZeroRouter is IReceiptRouter, Reporting {
    /// @dev One storage slot.
    struct Entry {
        IRiscZeroVerifier verifier;
        SelectorStatus status;
    }

    /* CONSTANTS */

    /// @dev The selector of RISC Zero's mock seals.
    bytes4 private constant MOCK_SELECTOR = 0xffffffff;

    /* STORAGE */

    mapping(bytes4 selector => Entry) private _entries;

    /* CONSTRUCTOR */

    constructor(address governor, address guardian, IChangeLog log)
        Reporting(governor, guardian, log)
    {}

    /* VERIFIERS */

    /// @inheritdoc IReceiptRouter
    function addVerifier(bytes4 selector, IRiscZeroVerifier verifier) external {
        _requireGovernor();
        require(selector != MOCK_SELECTOR, SelectorReserved(selector));
        SelectorStatus status = _entries[selector].status;
        require(status != SelectorStatus.Removed, SelectorRemoved(selector));
        require(status == SelectorStatus.Unknown, SelectorInUse(selector));
        require(_judges(verifier, selector), NotItsVerifier(selector, address(verifier)));
        _entries[selector] = Entry(verifier, SelectorStatus.Active);
        emit VerifierAdded(selector, address(verifier));
        _widened(selector);
    }

    /// @inheritdoc IReceiptRouter
    function removeVerifier(bytes4 selector) external {
        _requireGovernorOrGuardian();
        SelectorStatus from = _entries[selector].status;
        require(from != SelectorStatus.Removed, SelectorRemoved(selector));
        _entries[selector].status = SelectorStatus.Removed;
        emit VerifierRemoved(selector, from, msg.sender);
        // Workers that came by it are their route's matter: no answer found before rests on this one.
        _narrowed(selector, false);
    }

    /// @inheritdoc IReceiptRouter
    function reportStop(bytes4 selector, bytes4 change, address actor) external {
        if (address(_entries[selector].verifier) != msg.sender) return;
        LOG.note(actor, change, selector, true, false);
    }

    /* VERIFICATION */

    /// @inheritdoc IRiscZeroVerifier
    function verify(bytes calldata seal, bytes32 imageId, bytes32 journalDigest) external view {
        _verifierOf(seal).verify(seal, imageId, journalDigest);
    }

    /// @inheritdoc IRiscZeroVerifier
    function verifyIntegrity(Receipt calldata receipt) external view {
        _verifierOf(receipt.seal).verifyIntegrity(receipt);
    }

    /* VIEWS */

    /// @inheritdoc IReceiptRouter
    function getVerifier(bytes4 selector) public view returns (IRiscZeroVerifier) {
        Entry memory entry = _entries[selector];
        require(entry.status != SelectorStatus.Removed, SelectorRemoved(selector));
        require(entry.status == SelectorStatus.Active, SelectorUnknown(selector));
        return entry.verifier;
    }

    /// @inheritdoc IReceiptRouter
    function statusOf(bytes4 selector) external view returns (SelectorStatus) {
        return _entries[selector].status;
    }

    /* PRIVATE */

    /// @dev A seal shorter than a selector is led by zeros where it ends.
    function _verifierOf(bytes calldata seal) private view returns (IRiscZeroVerifier) {
        return getVerifier(bytes4(seal));
    }

    /// @dev Whether `verifier` says that seals with `selector` are its own. RISC Zero's stop wrapper
    /// says nothing; {RiscZeroEmergencyStop} before the same verifier does.
    function _judges(IRiscZeroVerifier verifier, bytes4 selector) private view returns (bool) {
        if (address(verifier).code.length == 0) return false;
        try IRiscZeroSelectable(address(verifier)).SELECTOR() returns (bytes4 own) {
            return own == selector;
        } catch {
            return false;
        }
    }
}
