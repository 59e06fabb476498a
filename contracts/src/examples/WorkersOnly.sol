// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAttestationGate} from "../interfaces/IAttestationGate.sol";

/// @title WorkersOnly
/// @notice A contract that TEE workers call themselves: a board on which only active ones write.
contract WorkersOnly {
    IAttestationGate public immutable GATE;
    bytes32 public immutable APP_ID;

    event Written(address indexed worker, bytes note);

    constructor(IAttestationGate gate, bytes32 appId) {
        (GATE, APP_ID) = (gate, appId);
    }

    /// @notice Reverts with the registry's reason unless the caller is an active worker of the app.
    function write(bytes calldata note) external {
        // Operator and kind of proof are of no interest here.
        // slither-disable-next-line unused-return
        GATE.requireActive(msg.sender, APP_ID);
        emit Written(msg.sender, note);
    }
}
