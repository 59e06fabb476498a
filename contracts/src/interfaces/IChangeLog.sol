// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title IEpochFollower
/// @notice Keeps a copy of a log's epoch, so that reading it costs no call.
interface IEpochFollower {
    /// @notice The log's epoch is `epoch` now. The log only; it never reverts for it.
    function follow(uint24 epoch) external;
}

/// @title IChangeLog
/// @notice One place that hears of every change of what a deployment accepts.
/// @dev Governed contracts take a seat when they are created and report every change here. Whoever
/// audits a deployment follows one event; whoever keeps an answer compares one number: as long as
/// {epoch} stands still, nothing that was found acceptable was narrowed.
interface IChangeLog {
    /// @notice `source` reports its changes here from now on.
    event SeatTaken(address indexed source, uint8 seat);

    /// @notice `actor` changed what `source` accepts. `change` is the selector of the function that
    /// did it, `subject` what it is about: keccak256(abi.encode(app id, subject)) where an app has
    /// its own. `epoch` is the one that holds from here on.
    event PolicyChanged(
        address indexed source,
        bytes32 indexed subject,
        address indexed actor,
        bytes4 change,
        bool narrows,
        uint24 epoch
    );

    /// @notice `follower`, one of the sources, is told of every new epoch from now on.
    event FollowerTaken(address indexed follower);

    /// @notice All seats are taken.
    /// @custom:remedy Deploy anew: someone else's contract took a seat of this log.
    error NoSeatLeft(uint8 seats);

    /// @notice The source has a seat already.
    /// @custom:remedy Nothing is left to do.
    error SeatAlreadyTaken(address source);

    /// @notice The caller has no seat, so its changes mean nothing here.
    /// @custom:remedy Report from a contract that took a seat when it was created.
    error NotASource(address caller);

    /// @notice Somebody follows the log already.
    /// @custom:remedy Deploy anew: someone else's contract follows this log.
    error AlreadyFollowed(address follower);

    /// @notice A log needs at least one seat.
    /// @custom:remedy Give the number of contracts that will report.
    error SeatsMissing();

    /// @notice Takes a seat for the caller. Governed contracts do so in their constructor.
    /// @dev Open to anyone while seats are left. A contract that relies on the log checks, when it is
    /// created, that its own sources sit here and that no seat is left: a stranger who was faster
    /// spoils the deployment, not its safety.
    function enrol() external;

    /// @notice Has the caller told of every new epoch, in the same call. One source, for ever.
    /// @dev Who follows must take what it is told, whatever it is: a narrowing must never fail.
    function enrolFollower() external;

    /// @notice Reports a change. Sources only.
    /// @param outdates whether answers found before may be wrong now, which moves the epoch on.
    function note(address actor, bytes4 change, bytes32 subject, bool narrows, bool outdates)
        external;

    /// @notice How often answers were outdated, plus one. Stops at its highest value, which no reader
    /// may take for an unchanged one.
    function epoch() external view returns (uint24);

    /// @notice Whether `source` reports here.
    function isSource(address source) external view returns (bool);

    /// @notice Who is told of every new epoch.
    function follower() external view returns (IEpochFollower);

    /// @notice Whether every seat is taken, so that nobody can join any more.
    function isFull() external view returns (bool);

    /// @notice How many contracts report here.
    function SEATS() external view returns (uint8);
}
