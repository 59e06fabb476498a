// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IChangeLog, IEpochFollower} from "../interfaces/IChangeLog.sol";

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
    IEpochFollower public follower;

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
    function enrolFollower() external {
        require(isSource[msg.sender], NotASource(msg.sender));
        require(address(follower) == address(0), AlreadyFollowed(address(follower)));
        follower = IEpochFollower(msg.sender);
        emit FollowerTaken(msg.sender);
    }

    /// @inheritdoc IChangeLog
    function note(address actor, bytes4 change, bytes32 subject, bool narrows, bool outdates)
        external
    {
        require(isSource[msg.sender], NotASource(msg.sender));
        uint24 current = epoch;
        // It stops instead of overflowing: a narrowing must never fail.
        bool moves = outdates && current != type(uint24).max;
        if (moves) epoch = ++current;
        emit PolicyChanged(msg.sender, subject, actor, change, narrows, current);
        if (moves && address(follower) != address(0)) follower.follow(current);
    }

    /* VIEWS */

    /// @inheritdoc IChangeLog
    function isFull() external view returns (bool) {
        return taken == SEATS;
    }
}
