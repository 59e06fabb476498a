// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IRiscZeroVerifier} from "../zk/IRiscZeroVerifier.sol";
import {IReporting} from "./IReporting.sol";

/// @notice What a selector leads to. It only ever moves to the right.
enum SelectorStatus {
    Unknown,
    Active,
    Removed
}

/// @title IReceiptRouter
/// @notice The receipt verifiers of a deployment, one for each release of the prover, by the 4-byte
/// selector that leads its seals.
/// @dev A selector is never re-pointed. Adding takes the governor, who is expected to be a timelock;
/// removing takes governor or guardian, and effect at once.
interface IReceiptRouter is IRiscZeroVerifier, IReporting {
    /// @notice Seals with `selector` are now judged by `verifier`.
    event VerifierAdded(bytes4 indexed selector, address indexed verifier);

    /// @notice Seals with `selector` are refused from now on, for ever. `from` says whether they were
    /// ever taken.
    event VerifierRemoved(bytes4 indexed selector, SelectorStatus from, address indexed by);

    /// @notice No verifier was ever added for the selector.
    /// @custom:remedy Prove with a release of the prover whose verifier was added.
    error SelectorUnknown(bytes4 selector);

    /// @notice The verifier of the selector was removed, for ever.
    /// @custom:remedy Prove with a newer release of the prover: the one used is not trusted any more.
    error SelectorRemoved(bytes4 selector);

    /// @notice The selector leads to a verifier already.
    /// @custom:remedy Remove nothing and add nothing: a selector belongs to one verifier.
    error SelectorInUse(bytes4 selector);

    /// @notice The selector of mock seals never leads anywhere.
    /// @custom:remedy Use {StubQuoteVerifier} for mock receipts, on a development chain.
    error SelectorReserved(bytes4 selector);

    /// @notice The verifier has no code, or judges other seals than the selector's.
    /// @custom:remedy Give the deployed verifier whose `SELECTOR` this is.
    error NotItsVerifier(bytes4 selector, address verifier);

    /// @notice Lets `verifier` judge seals with `selector`. Governor only.
    function addVerifier(bytes4 selector, IRiscZeroVerifier verifier) external;

    /// @notice Refuses seals with `selector` for ever, even if they were never taken. Governor or
    /// guardian.
    function removeVerifier(bytes4 selector) external;

    /// @notice Tells the log that the caller, which judges seals with `selector`, was stopped by `actor`
    /// through its function `change`. Whoever else calls is not listened to: a stop never fails here.
    /// @dev A log has a seat for each contract that a deployment starts with. Stops come with every
    /// release of the prover, so this router, to which they belong, speaks for them.
    function reportStop(bytes4 selector, bytes4 change, address actor) external;

    /// @notice The verifier of seals with `selector`; reverts where there is none.
    function getVerifier(bytes4 selector) external view returns (IRiscZeroVerifier);

    /// @notice What `selector` leads to.
    function statusOf(bytes4 selector) external view returns (SelectorStatus);
}
