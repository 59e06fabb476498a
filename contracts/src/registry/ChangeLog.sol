// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IChangeLog} from "../interfaces/IChangeLog.sol";

/// @title ChangeLog
/// @notice One place that hears of every change of what a deployment accepts.
contract ChangeLog is IChangeLog {
    /* IMMUTABLES */

    /// @inheritdoc IChangeLog
    uint8 public immutable SEATS;

    /* STORAGE */

    /// @inheritdoc IChangeLog
    uint24 public epoch = 1;
    /// @notice How many seats are taken.
    uint8 public taken;

    /// @inheritdoc IChangeLog
    mapping(address source => bool) public isSource;

    /* CONSTRUCTOR */

    constructor(uint8 seats) {
        require(seats != 0, SeatsMissing());
        SEATS = seats;
    }

    /* REPORTS */

    /// @inheritdoc IChangeLog
    function enrol() external {
        require(!isSource[msg.sender], SeatAlreadyTaken(msg.sender));
        require(taken < SEATS, NoSeatLeft(SEATS));
        isSource[msg.sender] = true;
        emit SeatTaken(msg.sender, ++taken);
    }

    /// @inheritdoc IChangeLog
    function note(address actor, bytes4 change, bytes32 subject, bool narrows, bool outdates)
        external
    {
        require(isSource[msg.sender], NotASource(msg.sender));
        // It stops instead of overflowing: a narrowing must never fail.
        if (outdates && epoch != type(uint24).max) ++epoch;
        emit PolicyChanged(msg.sender, subject, actor, change, narrows, epoch);
    }

    /* VIEWS */

    /// @inheritdoc IChangeLog
    function isFull() external view returns (bool) {
        return taken == SEATS;
    }
}
